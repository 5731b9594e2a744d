"""Waiting: slots by id in the order they came, of which a checkpoint writes what changed."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping

from learners.base import State
from stream.parts import LastingPart
from stream.segment import GONE, LABEL, WAITING, Segment, Slot, merged

SIZE = 65_536
FEW = SIZE // 2
"""Neighbours in which no more than this wait together become one segment."""
NEVER = math.inf


class Waiting:
    """Features and labels that wait for each other, first in, first out.

    Slots are numbered as they come and lie in segments of 65,536. A slot that waits no longer is
    remembered by its id at least while it is among the last 65,536; older segments are merged
    where little waits in them, and leave such slots behind. So memory is bounded by what waits,
    and each slot is written to checkpoints once, or twice where it outlived its neighbours.

    Attributes
    ----------
    count
        How many wait.
    due
        No deadline is earlier than this.
    next
        The number of the slot that comes next.
    """

    def __init__(self) -> None:
        self.count = 0
        self.due: float = NEVER
        self.next = 0
        self._index: dict[str, int] = {}
        self._segments = [Segment()]
        self._firsts = [0]

    def find(self, name: str) -> int | None:
        """Return the number of the slot of an id, None if none is remembered."""
        return self._index.get(name)

    def slot(self, number: int) -> tuple[Slot, int]:
        """Return a slot, and whether it is WAITING, MET or GONE."""
        _, segment, at = self._find(number)
        return segment.slot(at), segment.status[at]

    def content(self, number: int) -> bytes:
        """Return what was put into a slot that waits."""
        _, segment, at = self._find(number)
        return segment.contents[at] or b""

    def add(self, slot: Slot, status: int = WAITING) -> int:
        """Add a slot, which takes over its id; return its number."""
        number = self.next
        self.next += 1
        self._segments[-1].add(number, slot, status, None)
        self._index[slot.id] = number
        if status == WAITING:
            self.count += 1
            self.due = min(self.due, slot.deadline)
        if len(self._segments[-1]) == SIZE:
            self._segments.append(Segment())
            self._firsts.append(self.next)
            self._tidy(len(self._segments) - 3)
        return number

    def put_off(self, first: int, deadline: int) -> None:
        """Let all from a number on wait until a deadline that is later than any."""
        for segment in self._segments[max(0, bisect.bisect_right(self._firsts, first) - 1) :]:
            segment.put_off(first, deadline)

    def put(self, number: int, content: bytes) -> None:
        """Put content into a slot that waits."""
        _, segment, at = self._find(number)
        segment.contents[at] = content

    def end(self, number: int, status: int) -> None:
        """Let a slot wait no longer, since it MET or is GONE."""
        i, segment, at = self._find(number)
        if segment.kinds[at] == LABEL and status == GONE:
            del self._index[segment.ids[at]]
        segment.end(at, status)
        self.count -= 1
        self._tidy(i)

    def oldest(self) -> int | None:
        """Return the number of the slot that waits longest, None if none waits."""
        for segment in self._segments:
            if segment.waiting:
                return segment.numbers[segment.oldest()]
        return None

    def overdue(self, time: int) -> int | None:
        """Return the number of the oldest slot if its deadline is before a time."""
        number = self.oldest()
        self.due = NEVER if number is None else self.slot(number)[0].deadline
        return number if self.due < time else None

    def state(self, name: str) -> tuple[dict[str, State], dict[str, LastingPart]]:
        """Return the states and parts that keep all this below a name."""
        states, parts = {}, {}
        for i, segment in enumerate(self._segments):
            states[f"{name}/{i}"] = State(arrays={"bitmap": segment.bitmap()})
            open_still = segment is self._segments[-1]
            part = LastingPart(segment.pack) if open_still else segment.part
            parts[f"{name}/{i}.slots.bin"] = part.ready()
        head = State(meta={"segments": len(self._segments), "next": self.next})
        return {name: head, **states}, parts

    def restore(self, name: str, names: Mapping[str, str], state: Callable[[str], State]) -> None:
        """Go on from what was kept below a name.

        Parameters
        ----------
        name
            As given to `state`.
        names
            What each part is kept under, by its path.
        state
            Returns the state of a name.
        """
        head = state(name).meta
        self.next = head["next"]
        self._segments = []
        for i in range(head["segments"]):
            path = f"{name}/{i}"
            kept = state(path)
            segment = Segment.unpack(kept.opaque["slots"], kept.arrays["bitmap"])
            self._segments.append(segment)
        # The last one is not whole yet, and what it is kept as is not what it will be.
        for i, segment in enumerate(self._segments[:-1]):
            segment.part.name = names[f"{name}/{i}.slots.bin"]
        self._firsts = [s.numbers[0] if len(s) else self.next for s in self._segments]
        self._index = {}
        for segment in self._segments:
            self._index.update(segment.remembered())
        self.count = sum(segment.waiting for segment in self._segments)
        self.overdue(0)

    def _find(self, number: int) -> tuple[int, Segment, int]:
        i = bisect.bisect_right(self._firsts, number) - 1
        segment = self._segments[i]
        return i, segment, segment.at(number)

    def _tidy(self, i: int) -> None:
        """Drop the segment at a place if nothing waits in it; merge it where little does.

        The newest two keep all that they remember.
        """
        while 0 <= i <= len(self._segments) - 3:
            if not self._segments[i].waiting:
                self._replace(i, i + 1)
            elif i and self._few(i - 1):
                self._replace(i - 1, i + 1)
            elif i <= len(self._segments) - 4 and self._few(i):
                self._replace(i, i + 2)
            else:
                return
            i = max(i - 1, 0)

    def _few(self, i: int) -> bool:
        return self._segments[i].waiting + self._segments[i + 1].waiting <= FEW

    def _replace(self, start: int, stop: int) -> None:
        """Put one segment of what waits in the place of some; none if nothing waits."""
        old = self._segments[start:stop]
        new = [merged(old)] if any(segment.waiting for segment in old) else []
        self._segments[start:stop] = new
        self._firsts[start:stop] = [segment.numbers[0] for segment in new]
        for segment in old:
            for at, name in enumerate(segment.ids):
                if segment.status[at] != WAITING and self._index.get(name) == segment.numbers[at]:
                    del self._index[name]
