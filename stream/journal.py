"""The journal: the order in which a shard took its records, where no log alone can tell it.

Several partitions, or two topics, arrive as fetching happens to mix them. What is journalled is
taken in the same order once more, after a crash and in a replay.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Taken(NamedTuple):
    """A run of records of one partition: `records` of them, at offsets from `first` to `last`."""

    topic: str
    partition: int
    first: int
    last: int
    records: int


class Tick(NamedTuple):
    """Event time that went on to `time`, in milliseconds, without a record."""

    time: int


class Skip(NamedTuple):
    """A record that is passed over wherever it comes, since it made the learner raise.

    One that is `late` made it raise after it had waited for a label, and is passed over then.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    late: bool = False


class Mark(NamedTuple):
    """A place in the journal: the owner whose segment it is in, and how many bytes of it."""

    segment: int
    at: int


Entry = Taken | Tick | Skip


class Journal(Protocol):
    """The order a shard's records were taken in."""

    lost: bool
    """Whether what was taken behind the checkpoint to go on from may be lost, and its order."""

    def tail(self) -> list[Entry]:
        """Return the entries behind the checkpoint to go on from, when it was opened."""
        ...

    def append(self, entry: Entry) -> None:
        """Add an entry.

        Raises
        ------
        JournalError
            The journal cannot be written.
        """
        ...

    def took(self) -> None:
        """Note that all that was appended has been taken: no later checkpoint needs it."""
        ...

    def cut(self, number: int) -> Mark | None:
        """Return where the checkpoint of this number stands: behind all that was taken."""
        ...

    def leave(self, number: int) -> None:
        """Note that nothing was taken behind the checkpoint of this number, the newest."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
