"""A saboteur: brings outages about in mid-stream, and ends each once the service has said so."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from stream.loop import Loop

WAITS = "waiting for it"
"""What every line says that tells of an outage."""
PATIENCE = 60.0
"""Seconds in which a service must say that it waits, and in which it must go on afterwards."""
SETTLE = 0.5
"""Seconds until it has said that it goes on, too."""


class Saboteur:
    """To be called between blocks.

    Parameters
    ----------
    begin, end
        Bring an outage about, and put it right.
    moments
        The sequences from which on there is one.
    seconds
        For how long, from when the service has said that it waits.
    told
        What the service has said so far.

    Attributes
    ----------
    moments
        The sequences at which there was one.
    seconds
        How long each was.
    back
        How many seconds after its end the service went on.
    lines
        How many lines the service said of each.
    restarts
        How often the service found another server in the place of its store.
    all_came
        Whether each outage came, and was noticed, and passed.
    """

    def __init__(
        self,
        begin: Callable[[], None],
        end: Callable[[], None],
        moments: Sequence[int],
        seconds: float,
        told: list[str],
    ) -> None:
        self._begin, self._end, self._seconds, self._told = begin, end, seconds, told
        self._left = list(moments)
        self._before: list[int] = []
        self._sequence = 0
        self._ending: threading.Thread | None = None
        self.moments: list[int] = []
        self.seconds: list[float] = []
        self.back: list[float] = []
        self.restarts = 0
        self.all_came = True

    def __call__(self, loop: Loop) -> None:
        self.restarts = loop.restarts
        self._sequence = loop.shard.sequence
        if self._left and self._sequence >= self._left[0] and not self._busy():
            self._left.pop(0)
            self.moments.append(self._sequence)
            self._before.append(len(self._told))
            self._begin()
            self._ending = threading.Thread(target=self._put_right, name="saboteur")
            self._ending.start()

    @property
    def lines(self) -> list[int]:
        ends = [*self._before[1:], len(self._told)]
        return [end - begin for begin, end in zip(self._before, ends, strict=True)]

    def close(self) -> None:
        """Wait until the last outage is over."""
        if self._ending is not None:
            self._ending.join()
        self.all_came &= not self._left

    def _busy(self) -> bool:
        return self._ending is not None and self._ending.is_alive()

    def _put_right(self) -> None:
        begun, before = time.monotonic(), self._before[-1]
        self._await(lambda: any(WAITS in line for line in self._told[before:]))
        time.sleep(self._seconds)
        at = self._sequence
        self._end()
        self.seconds.append(round(time.monotonic() - begun, 1))
        over = time.monotonic()
        self._await(lambda: self._sequence > at)
        self.back.append(round(time.monotonic() - over, 1))
        time.sleep(SETTLE)

    def _await(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.all_came &= condition()


@contextlib.contextmanager
def said() -> Iterator[list[str]]:
    """Yield the warnings of the service as they come."""
    lines: list[str] = []
    logger, handler = logging.getLogger("stream"), _Lines(lines)
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
