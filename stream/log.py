"""The log: where records come from, in order, each at an offset of a partition."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

Place = tuple[str, int]
"""A topic and the number of one of its partitions."""
Headers = tuple[tuple[str, bytes], ...]
"""What a message says beside its key and value, by name."""


class Message(NamedTuple):
    """One record to append: key, value (None removes the key) and event time in milliseconds."""

    key: bytes | None
    value: bytes | None
    time: int
    headers: Headers = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """Consecutive records of one partition, as parallel lists.

    Offsets increase, with gaps where the log was compacted or holds transaction markers.
    """

    topic: str
    partition: int
    offsets: list[int]
    times: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, part: slice) -> Run:
        """Return the records of a slice."""
        return Run(
            self.topic,
            self.partition,
            self.offsets[part],
            self.times[part],
            self.keys[part],
            self.values[part],
        )

    def __add__(self, other: Run) -> Run:
        """Return these records and those of another run of the same partition behind them."""
        return Run(
            self.topic,
            self.partition,
            self.offsets + other.offsets,
            self.times + other.times,
            self.keys + other.keys,
            self.values + other.values,
        )

    @property
    def place(self) -> Place:
        """Topic and partition."""
        return self.topic, self.partition

    def digest(self, at: int) -> str:
        """Return the SHA-256 of the offset, key and value of the record at a place of the run."""
        key, value = self.keys[at], self.values[at]
        digest = hashlib.sha256(b"%d " % self.offsets[at])
        digest.update(b"%d " % (-1 if key is None else len(key)))
        digest.update(key or b"")
        digest.update(value or b"")
        return digest.hexdigest()


class Bounds(NamedTuple):
    """The offsets a partition holds: the first, and one past the last."""

    first: int
    end: int


class Log(Protocol):
    """One consumer of one topic, in a group.

    Calls come from one thread. Errors are `LogError`s with the remedy in the sentence.
    """

    topic: str
    ended: bool
    """Whether nothing more will ever come."""

    def bounds(self) -> dict[int, Bounds]:
        """Return the bounds of every partition of the topic.

        Raises
        ------
        LogError
            The server cannot be reached or the topic does not exist.
        """
        ...

    def offsets_at(self, time: int) -> dict[int, int]:
        """Return each partition's first offset at or after a time in ms; its end if none is."""
        ...

    def committed(self) -> dict[int, tuple[int, str]]:
        """Return the group's committed offset and its metadata for each partition that has one."""
        ...

    def acquire(self, timeout: float) -> frozenset[int] | None:
        """Join the group and return the partitions assigned to this consumer, paused.

        None if none came within `timeout` seconds. Nothing is fetched before `seek`.
        """
        ...

    def seek(self, positions: Mapping[int, int]) -> None:
        """Go on from these offsets; whatever was fetched before is thrown away."""
        ...

    def poll(self, limit: int, timeout: float) -> Run | None:
        """Return up to `limit` records, waiting up to `timeout` seconds for the first.

        Raises
        ------
        PartitionsRevokedError
            The group took the partitions away.
        OffsetsExpiredError
            The offset to read is no longer in the log.
        """
        ...

    def commit(self, positions: Mapping[int, int], metadata: str) -> None:
        """Tell the group how far it got, for lag monitoring; the checkpoint holds the truth.

        A failure is logged, never raised.
        """
        ...

    def lag(self) -> int | None:
        """Return how many records lie between the last one polled and the end, None if unknown."""
        ...

    def close(self) -> None:
        """Leave the group and let go of everything."""
        ...


class Appender(Protocol):
    """The producing side of a topic."""

    def create(self, partitions: int) -> bool:
        """Make the topic if it is missing; return whether it was made."""
        ...

    def append(self, messages: Iterable[Message]) -> int:
        """Append in order, keys choosing the partition; return how many are acknowledged."""
        ...

    def close(self) -> None:
        """Flush and let go."""
        ...
