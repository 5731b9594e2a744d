"""What other threads want done by the thread that a client belongs to."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

# A group that lost a member holds the others up for its session and longer.
CALL_SECONDS = 30.0


class Orders:
    """Calls that wait for their thread, which carries them out between turns of its own."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    def post(self, action: Callable[[], object]) -> None:
        """Have an action carried out some time; it must not raise."""
        self._waiting.put(action)

    def call(self, action: Callable[[], T]) -> T:
        """Have an action carried out; return what it returns, and raise what it raises.

        Raises
        ------
        TimeoutError
            The thread had no time for it within 30 s.
        """
        answer: Future[T] = Future()

        def order() -> None:
            try:
                answer.set_result(action())
            except BaseException as error:
                answer.set_exception(error)

        self.post(order)
        return answer.result(CALL_SECONDS)

    def obey(self, wait: float) -> None:
        """Carry out what waits; if there is nothing, wait so many seconds for it."""
        try:
            self._waiting.get(timeout=wait)()
            while True:
                self._waiting.get_nowait()()
        except queue.Empty:
            pass
