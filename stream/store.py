"""The store: the newest prediction of each key, replaced only by a newer one."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, overload


class Entry(NamedTuple):
    """A prediction as it is stored.

    Attributes
    ----------
    key
        The record's key.
    prediction
        JSON text of the predicted label, number or score; "" removes the key (a tombstone);
        "null" when the model had no answer yet.
    probabilities
        JSON text of the classes with a probability above 0; "" if the learner gives none.
    lineage, sequence
        The model version that answered; only a higher pair replaces a stored one.
    topic, partition, offset
        Where the record lies in the log.
    time
        The record's event time in milliseconds.
    """

    key: str
    prediction: str
    probabilities: str
    lineage: int
    sequence: int
    topic: str
    partition: int
    offset: int
    time: int


_SOURCE = operator.itemgetter(*map(Entry._fields.index, ("lineage", "topic", "partition")))


class Entries(Sequence[Entry]):
    """Entries of one model and one partition by column: many are made and sent at once.

    Parameters
    ----------
    lineage, topic, partition
        Of all; the parameters that follow are lists, see `Entry`.
    top
        The sequence up to which each is the last of its key; None where that is not known.
    """

    def __init__(
        self,
        lineage: int,
        topic: str,
        partition: int,
        keys: list[str],
        predictions: list[str],
        probabilities: list[str],
        sequences: list[int],
        offsets: list[int],
        times: list[int],
        top: int | None = None,
    ) -> None:
        self.top = top
        self.lineage, self.topic, self.partition = lineage, topic, partition
        self.keys, self.predictions, self.probabilities = keys, predictions, probabilities
        self.sequences, self.offsets, self.times = sequences, offsets, times

    @classmethod
    def grouped(cls, entries: Sequence[Entry]) -> Iterator[Entries]:
        """Yield entries by column, those of one model and partition that are side by side."""
        if isinstance(entries, Entries):
            yield entries
            return
        for (lineage, topic, partition), alike in itertools.groupby(entries, _SOURCE):
            columns = [list(column) for column in zip(*alike, strict=True)]
            keys, predictions, probabilities, _, sequences, _, _, offsets, times = columns
            source = (lineage, topic, partition)
            yield cls(*source, keys, predictions, probabilities, sequences, offsets, times)

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Entry]:
        return map(
            Entry,
            self.keys,
            self.predictions,
            self.probabilities,
            itertools.repeat(self.lineage),
            self.sequences,
            itertools.repeat(self.topic),
            itertools.repeat(self.partition),
            self.offsets,
            self.times,
        )

    @overload
    def __getitem__(self, part: int) -> Entry: ...

    @overload
    def __getitem__(self, part: slice) -> Entries: ...

    def __getitem__(self, part: int | slice) -> Entry | Entries:
        """Return one entry, or some by column."""
        if isinstance(part, int):
            return next(iter(self[part : part + 1 or None]))
        return Entries(
            self.lineage,
            self.topic,
            self.partition,
            self.keys[part],
            self.predictions[part],
            self.probabilities[part],
            self.sequences[part],
            self.offsets[part],
            self.times[part],
            self.top,
        )


class Store(Protocol):
    """Predictions by key, under one service's name.

    Safe to use from two threads at once: one that writes, one that reads.

    Attributes
    ----------
    restarts
        How often another server was found in the place of the one claimed: what that had not
        kept is gone until it is written again.
    """

    restarts: int

    def claim(self, epoch: int) -> None:
        """Become the owner; an owner of a lower epoch can write no more.

        Raises
        ------
        FencedError
            A higher epoch has been claimed.
        StoreAwayError
            The store was there before, and takes no writes for now.
        StoreError
            The store cannot be reached.
        """
        ...

    def put(self, entries: Sequence[Entry]) -> int:
        """Write entries whose keys differ; return how many were newer than what was stored.

        Raises
        ------
        FencedError
            Another owner claimed a higher epoch.
        StoreAwayError
            The store takes no writes for now; put the same entries again.
        StoreError
            The store cannot be reached, or refuses the write.
        """
        ...

    def get(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the stored entry of each key, None where there is none."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
