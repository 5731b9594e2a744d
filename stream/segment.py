"""A segment: a stretch of the slots in which features and labels wait for each other."""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.parts import LastingPart

FEATURES, LABEL = 0, 1
WAITING, MET, GONE = 0, 1, 2


class Slot(NamedTuple):
    """What waits, without its content.

    Attributes
    ----------
    id
        What features and their label have in common.
    kind
        FEATURES or LABEL.
    deadline
        The event time, in ms, after which it waits no longer.
    time
        Its own event time, in ms.
    amount
        The weight of features, the target that a label is.
    source, offset
        Where its record lies: the number of a topic and partition, and the offset.
    """

    id: str
    kind: int
    deadline: int
    time: int
    amount: float
    source: int
    offset: int


class Segment:
    """Slots in the order they came, each with its number, its content and whether it waits.

    Attributes
    ----------
    waiting
        How many still wait.
    part
        What checkpoints keep of it once no slot joins it any more.
    """

    def __init__(self) -> None:
        self.numbers = array("q")
        self.ids: list[str] = []
        self.contents: list[bytes | None] = []
        self.kinds = bytearray()
        self.status = bytearray()
        self.waiting = 0
        self.part = LastingPart(self.pack)
        self._oldest = 0
        self._deadlines, self._times, self._offsets = array("q"), array("q"), array("q")
        self._sources, self._amounts = array("q"), array("d")

    def __len__(self) -> int:
        return len(self.ids)

    def at(self, number: int) -> int:
        """Return where the slot of a number is."""
        numbers = self.numbers
        place = number - numbers[0]
        # Numbers have gaps only where segments were merged.
        if place < len(numbers) and numbers[place] == number:
            return place
        return bisect.bisect_left(numbers, number)

    def add(self, number: int, slot: Slot, status: int, content: bytes | None) -> None:
        """Add a slot behind the others."""
        self.numbers.append(number)
        self.ids.append(slot.id)
        self.kinds.append(slot.kind)
        self.contents.append(content)
        self.status.append(status)
        self.waiting += status == WAITING
        self._deadlines.append(slot.deadline)
        self._times.append(slot.time)
        self._amounts.append(slot.amount)
        self._sources.append(slot.source)
        self._offsets.append(slot.offset)

    def slot(self, at: int) -> Slot:
        """Return a slot."""
        return Slot(
            self.ids[at],
            self.kinds[at],
            self._deadlines[at],
            self._times[at],
            self._amounts[at],
            self._sources[at],
            self._offsets[at],
        )

    def put_off(self, first: int, deadline: int) -> None:
        """Let the slots from a number on wait until a deadline; what was kept of them is old."""
        start = bisect.bisect_left(self.numbers, first)
        if start < len(self):
            self.part = LastingPart(self.pack)
        for at in range(start, len(self)):
            self._deadlines[at] = deadline

    def end(self, at: int, status: int) -> None:
        """Let a slot wait no longer; its content is dropped."""
        self.status[at] = status
        self.contents[at] = None
        self.waiting -= 1

    def oldest(self) -> int:
        """Return where the first slot that waits is; there must be one."""
        self._oldest = self.status.index(WAITING, self._oldest)
        return self._oldest

    def remembered(self) -> Iterator[tuple[str, int]]:
        """Yield the id and number of each slot that is known by its id.

        A label that waited in vain is not: its features may still come.
        """
        for at, (name, number) in enumerate(zip(self.ids, self.numbers, strict=True)):
            if self.kinds[at] == FEATURES or self.status[at] != GONE:
                yield name, number

    def bitmap(self) -> NDArray[np.uint8]:
        """Return which slots met (row 0) and which waited in vain (row 1), eight to a byte."""
        status = np.frombuffer(self.status, np.uint8)
        return np.packbits([status == MET, status == GONE], axis=1)

    def pack(self) -> bytes:
        """Return all but the bitmap."""
        content = {
            "ids": self.ids,
            "contents": self.contents,
            "kinds": bytes(self.kinds),
            "amounts": np.array(self._amounts, "<f8").tobytes(),
        }
        for name, column in self._whole_numbers().items():
            content[name] = np.array(column, "<i8").tobytes()
        return msgspec.msgpack.encode(content)

    @classmethod
    def unpack(cls, data: bytes, bitmap: NDArray[np.uint8]) -> Self:
        """Return the segment that was packed."""
        content: dict[str, Any] = msgspec.msgpack.decode(data)
        segment = cls()
        segment.part.size = len(data)
        segment.ids, segment.kinds = content["ids"], bytearray(content["kinds"])
        n = len(segment.ids)
        met, gone = np.unpackbits(bitmap, axis=1)[:, :n]
        segment.status = bytearray((met * MET + gone * GONE).astype(np.uint8).tobytes())
        segment.contents = [
            None if status else held
            for status, held in zip(segment.status, content["contents"], strict=True)
        ]
        segment.waiting = segment.status.count(WAITING)
        segment._amounts = array("d", np.frombuffer(content["amounts"], "<f8").tolist())
        for column_name, column in segment._whole_numbers().items():
            column.extend(np.frombuffer(content[column_name], "<i8").tolist())
        return segment

    def _whole_numbers(self) -> dict[str, array[int]]:
        return {
            "numbers": self.numbers,
            "deadlines": self._deadlines,
            "times": self._times,
            "sources": self._sources,
            "offsets": self._offsets,
        }


def merged(segments: list[Segment]) -> Segment:
    """Return a segment of the slots that still wait."""
    whole = Segment()
    for segment in segments:
        for at, number in enumerate(segment.numbers):
            if segment.status[at] == WAITING:
                whole.add(number, segment.slot(at), WAITING, segment.contents[at])
    return whole
