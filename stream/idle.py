"""Idle: event time goes on, by a clock, on a stream that has gone quiet."""

from __future__ import annotations

from collections.abc import Callable

from stream.journal import Tick


class Idle:
    """Makes a tick whenever a span has passed without a record; time goes on by as much.

    So it never runs ahead of the clock: a process that stood still makes one tick, not many.

    Parameters
    ----------
    span
        Milliseconds.
    reached
        Returns the event time reached, in ms; None while nothing waits for it to go on.
    clock
        Seconds, rising.
    """

    def __init__(
        self, span: int, reached: Callable[[], int | None], clock: Callable[[], float]
    ) -> None:
        self._span = span
        self._reached = reached
        self._clock = clock
        self._since = clock()

    def wake(self) -> None:
        """Begin the span anew: a record came."""
        self._since = self._clock()

    def tick(self) -> Tick | None:
        """Return the time to go on to, if it is time for that."""
        now, reached = self._clock(), self._reached()
        if reached is None or now - self._since < self._span / 1000:
            return None
        self._since = now
        return Tick(reached + self._span)
