"""The share of one shard in a log that several shards read together."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Mapping
from typing import TypeVar

from stream.log import Bounds, Log, Run

T = TypeVar("T")

LARGEST = 5_000


class Hub:
    """A log of which each partition is a shard's own.

    Parameters
    ----------
    log
        It is acquired; from here on only the hub and its shares call it.
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self._runs: dict[int, deque[Run]] = {}

    @functools.cached_property
    def bounds(self) -> dict[int, Bounds]:
        """Those of all partitions when the first share asked: each asks once, at its start."""
        return self.log.bounds()

    @functools.cached_property
    def committed(self) -> dict[int, tuple[int, str]]:
        """What the group had committed when the first share asked."""
        return self.log.committed()

    def share(self, partition: int) -> Share:
        """Return one partition as a log of its own."""
        return Share(self, partition)

    def fetch(self, timeout: float) -> int | None:
        """Fetch a run, waiting up to `timeout` seconds; return the partition it is of.

        Raises
        ------
        LogError
            As `Log.poll`.
        """
        run = self.log.poll(LARGEST, timeout)
        if run is None:
            return None
        self._runs.setdefault(run.partition, deque()).append(run)
        return run.partition

    def take(self, partition: int, limit: int) -> Run | None:
        """Return up to `limit` records that were fetched of a partition."""
        runs = self._runs.get(partition)
        if not runs:
            return None
        run = runs.popleft()
        if len(run) > limit:
            runs.appendleft(run[limit:])
        return run[:limit]

    def drop(self, partition: int) -> None:
        """Forget what was fetched of a partition."""
        self._runs.pop(partition, None)

    def holds(self, partition: int) -> bool:
        """Return whether something was fetched of a partition and not taken."""
        return bool(self._runs.get(partition))

    def lag(self) -> int | None:
        """Return how many records of all partitions are still to be taken, None if unknown."""
        lag = self.log.lag()
        fetched = sum(len(run) for runs in self._runs.values() for run in runs)
        return None if lag is None else lag + fetched


class Share:
    """One partition of a hub's log; what it polls, somebody else has fetched."""

    ended = False

    def __init__(self, hub: Hub, partition: int) -> None:
        self.topic = hub.log.topic
        self._hub = hub
        self._partition = partition

    def bounds(self) -> dict[int, Bounds]:
        """See `Log.bounds` and `Hub.bounds`; empty where the topic lacks the partition."""
        return self._mine(self._hub.bounds)

    def offsets_at(self, time: int) -> dict[int, int]:
        """See `Log.offsets_at`."""
        return self._mine(self._hub.log.offsets_at(time))

    def committed(self) -> dict[int, tuple[int, str]]:
        """See `Log.committed`."""
        return self._mine(self._hub.committed)

    def acquire(self, timeout: float) -> frozenset[int]:
        """Return the partition: who made the hub has acquired it."""
        return frozenset([self._partition])

    def seek(self, positions: Mapping[int, int]) -> None:
        """See `Log.seek`; other partitions stay where they are."""
        self._hub.drop(self._partition)
        self._hub.log.seek(self._mine(positions))

    def poll(self, limit: int, timeout: float) -> Run | None:
        """Return up to `limit` records, without a wait."""
        return self._hub.take(self._partition, limit)

    def commit(self, positions: Mapping[int, int], metadata: str) -> None:
        """See `Log.commit`."""
        self._hub.log.commit(positions, metadata)

    def lag(self) -> int | None:
        """Return the lag of all partitions together: a log tells no other."""
        return self._hub.lag()

    def close(self) -> None:
        """Nothing: the log is its owner's to close."""

    def _mine(self, values: Mapping[int, T]) -> dict[int, T]:
        return {p: value for p, value in values.items() if p == self._partition}
