"""A saboteur: brings outages about in mid-stream, and ends each once the service has said so."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from stream.loop import Loop

SPEAK_SECONDS = 60.0
BACK_SECONDS = 60.0
SETTLE = 0.5


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
        self._ending: threading.Thread | None = None
        self._failed = False
        self.moments: list[int] = []
        self.seconds: list[float] = []
        self._before: list[int] = []
        self.restarts = 0

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

    @property
    def all_came(self) -> bool:
        return not self._left and not self._failed

    def close(self) -> None:
        """Wait until the last outage is over."""
        if self._ending is not None:
            self._ending.join()

    def _busy(self) -> bool:
        return self._ending is not None and self._ending.is_alive()

    def _put_right(self) -> None:
        begun = time.monotonic()
        before = self._before[-1]
        while len(self._told) == before and time.monotonic() < begun + SPEAK_SECONDS:
            time.sleep(0.02)
        self._failed |= len(self._told) == before
        time.sleep(self._seconds)
        at = self._sequence
        self._end()
        self.seconds.append(round(time.monotonic() - begun, 1))
        over = time.monotonic()
        while self._sequence == at and time.monotonic() < over + BACK_SECONDS:
            time.sleep(0.02)
        self._failed |= self._sequence == at
        time.sleep(SETTLE)


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
