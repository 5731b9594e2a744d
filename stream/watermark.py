"""The watermark: event time, which no record that is far ahead moves by itself."""

from __future__ import annotations

from typing import Any

ENOUGH = 10
"""So many records in succession are believed, however far ahead they are."""


class Watermark:
    """Event time: the latest of all records, but of those far ahead only what many agree on.

    One time in the year 2200 would end all waiting, and time does not go back. So a record that
    is further ahead than `leap` moves nothing. When ten of them come, and none in between that is
    on time, the stream itself has moved, as after a pause: event time is then the earliest of
    theirs. Records behind event time say nothing about it.

    Parameters
    ----------
    leap
        How far ahead of event time a record may be to be believed at once, in ms; None: any is.

    Attributes
    ----------
    time
        The event time reached, in ms; None before the first record, which is believed.
    """

    def __init__(self, leap: int | None) -> None:
        self.time: int | None = None
        self._leap = leap
        self._ahead: list[int] = []
        self._since = 0

    def see(self, time: int, slot: int) -> int | None:
        """Take the time of a record; `slot` is the number of the next that is to wait.

        Where event time has leapt by it, return the number given with the first of the records
        that were believed: what waits from there on came after the leap.
        """
        now = self.time
        if now is None or self._leap is None or time <= now + self._leap:
            if now is None or time >= now:
                self.time = time
                self._ahead.clear()
            return None
        if not self._ahead:
            self._since = slot
        self._ahead.append(time)
        if len(self._ahead) < ENOUGH:
            return None
        self.time = min(self._ahead)
        self._ahead.clear()
        return self._since

    def tick(self, time: int) -> None:
        """Go on without a record, to a time that is believed; an earlier one changes nothing."""
        if self.time is None or time > self.time:
            self.time = time
            self._ahead.clear()

    def state(self) -> dict[str, Any]:
        """Return what it takes to go on, as JSON values."""
        return {"time": self.time, "ahead": list(self._ahead), "since": self._since}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.time, self._ahead, self._since = state["time"], list(state["ahead"]), state["since"]
