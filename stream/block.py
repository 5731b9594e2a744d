"""The block: what the loop moves, and the records it sets aside."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from learners.base import LEARN, PREDICT, Classes, Examples, Features
from stream.columns import Columns
from stream.log import Run


class DeadLetter(NamedTuple):
    """A record set aside: where it lies, its bytes as they came, and why.

    `reason` is a sentence; `error` is "malformed" for a record that is none, "refused" for one
    that the learner cannot take, "raised" for one that made it raise. `sequence` is that of the
    record at which it was set aside.
    """

    topic: str
    partition: int
    offset: int
    time: int
    key: bytes | None
    value: bytes | None
    reason: str
    error: str = "malformed"
    sequence: int = 0


class Origin(NamedTuple):
    """Where a record lies that was taken before, and its event time."""

    topic: str
    partition: int
    offset: int
    time: int


class Late(NamedTuple):
    """Why features are learned that came before.

    Attributes
    ----------
    origin
        Where they came from.
    labelled
        Whether a label came for them; else their wait is over.
    told
        Whether they were set aside when they came.
    """

    origin: Origin
    labelled: bool
    told: bool = False


class Tombstone(NamedTuple):
    """A record without a value: its key's prediction is to be removed."""

    key: str
    place: int


Cells = tuple[Features, int, float, float, int, int, str | None, str | None]
"""A row's parts in the order of `Row`: a plain tuple is made in a third of the time."""


class Row(NamedTuple):
    """One row of a block; see `Examples` and `Block` for what its parts are."""

    features: Features
    op: int
    y: float
    weight: float
    time: int
    place: int
    key: str | None
    id: str | None


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
    ids
        For each row, the id under which features and labels meet; None: it meets nothing.
    late
        The rows of features that came before; at their place lies the label, or the record that
        time went on with.
    """

    run: Run
    start: int
    examples: Examples
    places: list[int]
    keys: list[str | None]
    removed: list[Tombstone]
    dead: list[DeadLetter]
    ids: list[str | None] = dataclasses.field(default_factory=list)
    late: dict[int, Late] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, start: int, classes: Classes) -> Block:
        """Return a block without rows yet."""
        return cls(run, start, Examples.of([], np.empty(0), classes), [], [], [], [])

    @property
    def end(self) -> int:
        """The shard's sequence after the run."""
        return self.start + len(self.run)

    def rows(self) -> list[Row]:
        """Return the rows one by one."""
        rows = self.examples
        columns = (rows.op.tolist(), rows.y.tolist(), rows.weight.tolist(), rows.time.tolist())
        cells = zip(rows.rows, *columns, self.places, self.keys, self.ids, strict=True)
        return [Row._make(row) for row in cells]

    def fill(self, rows: Sequence[Cells]) -> None:
        """Take these rows for those that can be predicted or learned."""
        columns = map(list, zip(*rows, strict=True)) if rows else ([] for _ in Row._fields)
        features, op, y, weight, time, self.places, self.keys, self.ids = columns
        self.examples = Examples(
            features,
            np.array(op, np.uint8),
            np.array(y, np.float64),
            np.array(weight, np.float64),
            np.array(time, np.int64),
            self.examples.classes,
        )

    def fill_columns(self, columns: Columns, others: Sequence[Cells], alone: int) -> None:
        """Take records read at once and, in the order of the run, rows read one by one.

        `alone` is the operation of features without a label.
        """
        places, _, keys, times, weight, y, table = columns
        op = np.where(np.isnan(y), alone, PREDICT | LEARN).astype(np.uint8)
        op[weight == 0.0] &= PREDICT
        if others:
            self.fill(others)
            odd = self.examples
            order = np.argsort(places + self.places, kind="stable").tolist()
            table = table.joined(odd.table())[order]
            op, y = np.append(op, odd.op)[order], np.append(y, odd.y)[order]
            weight, times = np.append(weight, odd.weight)[order], np.append(times, odd.time)[order]
            places, keys = sorted(places + self.places), keys + self.keys
            keys = [keys[row] for row in order]
        self.places, self.keys, self.ids = places, keys, [None] * len(places)
        self.examples = Examples(table, op, y, weight, times, self.examples.classes)

    def set_aside(self, place: int, reason: str, error: str = "malformed") -> None:
        """Add the record at a place of the run to the dead letters."""
        self.dead.append(letter_of(self.run, place, reason, error, self.start + place + 1))

    def refuse(self, refused: dict[int, str]) -> None:
        """Add the records of rows to the dead letters, by the reason for each row."""
        last = -1
        for row, reason in refused.items():
            late = self.late.get(row)
            if late is None or late.labelled:
                # Features and a label in one record may be two rows.
                if self.places[row] != last:
                    last = self.places[row]
                    self.set_aside(last, reason, "refused")
            elif not late.told:
                features = self.examples.rows[row]
                self.set_features_aside(late.origin, features, self.places[row], reason, "refused")

    def set_features_aside(
        self, origin: Origin, features: Features, place: int, reason: str, error: str
    ) -> None:
        """Add features that came before to the dead letters; of their record no more is known."""
        value, sequence = msgspec.json.encode(features), self.start + place + 1
        self.dead.append(DeadLetter(*origin, None, value, reason, error, sequence))

    def record(self, row: int) -> tuple[str, int, int]:
        """Return topic, partition and offset of the record that a row's features are of."""
        if row in self.late:
            return self.late[row].origin[:3]
        return self.run.topic, self.run.partition, self.run.offsets[self.places[row]]


def letter_of(run: Run, place: int, reason: str, error: str, sequence: int) -> DeadLetter:
    """Return the record at a place of a run as a dead letter."""
    return DeadLetter(
        run.topic,
        run.partition,
        run.offsets[place],
        run.times[place],
        run.keys[place],
        run.values[place],
        reason,
        error,
        sequence,
    )
