"""The store: the newest prediction of each key, replaced only by a newer one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


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
