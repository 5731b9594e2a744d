"""The block: what the loop moves, and the records it sets aside."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from learners.base import Examples
from stream.log import Run


class DeadLetter(NamedTuple):
    """A record set aside: where it lies, its bytes as they came, and why."""

    topic: str
    partition: int
    offset: int
    time: int
    key: bytes | None
    value: bytes | None
    reason: str


class Tombstone(NamedTuple):
    """A record without a value: its key's prediction is to be removed."""

    key: str
    place: int


@dataclasses.dataclass(slots=True)
class Block:
    """A run of records, decoded.

    Attributes
    ----------
    run
        The records as they came.
    start
        The shard's sequence before the run; record `place` of the run has sequence
        start + place + 1, bad ones included.
    examples
        The rows that can be predicted or learned.
    places
        For each row of `examples`, its place in the run.
    keys
        For each row, the key its prediction is stored under; None: it is not stored.
    removed
        Tombstones.
    dead
        Records set aside.
    """

    run: Run
    start: int
    examples: Examples
    places: list[int]
    keys: list[str | None]
    removed: list[Tombstone]
    dead: list[DeadLetter]

    @property
    def end(self) -> int:
        """The shard's sequence after the run."""
        return self.start + len(self.run)

    def set_aside(self, place: int, reason: str) -> None:
        """Add the record at a place of the run to the dead letters."""
        self.dead.append(letter_of(self.run, place, reason))


def letter_of(run: Run, place: int, reason: str) -> DeadLetter:
    """Return the record at a place of a run as a dead letter."""
    return DeadLetter(
        run.topic,
        run.partition,
        run.offsets[place],
        run.times[place],
        run.keys[place],
        run.values[place],
        reason,
    )
