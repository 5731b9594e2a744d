"""The shards that one instance holds: those of the partitions that the group has given to it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Self

from stream.app import new_shard
from stream.config import Config
from stream.errors import FencedError, PartitionsRevokedError
from stream.log import Log, Place
from stream.session import Session, Stop, Watch
from stream.shard import Shard
from stream.share import Hub
from stream.store_kinds import open_store
from stream.tuning import tuned

IDLE = 0.25
"""Seconds after which each shard gets a turn, though nothing came for it."""
LOOK = 0.02
SETTLE, GRACE, FENCES = 3.0, 45.0, 15
"""Seconds after which one who was fenced asks the group again what it holds; those without a
fence after which all is well; and the fences after which, if it never is, this one gives up."""

logger = logging.getLogger(__name__)


class Held:
    """Gives a turn to the shard whose records have come; a context manager that lets go of all.

    Parameters
    ----------
    config
        Of the service.
    accept_gap
        See `Service`.
    logs
        Acquired; each is shared out among the shards.
    known
        How many partitions there were when the service began; a later one is read from its start.
    stop
        Asked between blocks.
    clock
        Seconds, rising.

    Attributes
    ----------
    shards
        By their partitions.
    """

    def __init__(
        self,
        config: Config,
        accept_gap: bool,
        logs: Sequence[Log],
        known: int,
        stop: Stop,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._accept_gap = config, accept_gap
        self._logs, self._known, self._stop, self._clock = logs, known, stop, clock
        self._fences, self._fenced = 0, 0.0
        self.shards: dict[int, Shard] = {}

    def __enter__(self) -> Self:
        self.shards = {}
        self._hubs = [Hub(log) for log in self._logs]
        self._turns: dict[int, Generator[None]] = {}
        self._settled: float | None = None
        self._open = contextlib.ExitStack()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def open(
        self, partitions: Sequence[int], watch: Watch, ends: Mapping[Place, int] | None
    ) -> None:
        """Claim the model of each partition, and take what was taken before once more.

        Parameters
        ----------
        partitions
            Their numbers.
        watch
            Called between the blocks of each shard.
        ends
            See `Service.run`.
        """
        for partition in partitions:
            # What went away meanwhile must not be claimed: it would fence its new owner.
            self._hubs[0].fetch(0.0)
            config = self._config.of_partition(partition)
            store = open_store(config)
            self._open.callback(store.close)
            shard = self.shards[partition] = new_shard(config)
            shares = [hub.share(partition) for hub in self._hubs]
            session = Session(config, shard, shares, store, self._stop, accept_gap=self._accept_gap)
            start, mine = self._starts(partition), self._ends(partition, ends)
            turns = session.turns(watch, start, mine, lambda phase: None)
            self._turns[partition] = self._open.enter_context(contextlib.closing(turns))
            self._turn(partition)

    def _starts(self, partition: int) -> dict[Place, int] | None:
        """Return where a partition begins that came later than the service; None for others."""
        if partition < self._known:
            return None
        return {(hub.log.topic, partition): 0 for hub in self._hubs if partition in hub.bounds}

    def _ends(self, partition: int, ends: Mapping[Place, int] | None) -> dict[Place, int] | None:
        """Return where a partition ends; one that came later than the ends ends at once."""
        if ends is None:
            return None
        mine = {place: end for place, end in ends.items() if place[1] == partition}
        return mine or {(self._logs[0].topic, partition): 0}

    def run(self) -> None:
        """Take records until `stop()` or the ends.

        Raises
        ------
        PartitionsRevokedError
            The group shares the partitions out anew, or is to be asked; all shards are saved.
        FencedError
            Again and again another instance claims a model whose partition the group leaves here.
        """
        with tuned():
            try:
                self._take()
            except PartitionsRevokedError as error:
                for turns in self._turns.values():
                    # In a rebalance another instance may have claimed the model by now.
                    with contextlib.suppress(PartitionsRevokedError, FencedError):
                        turns.throw(error)
                raise

    def _take(self) -> None:
        idle = self._clock()
        while self._turns or (self._settled is not None and not self._stop()):
            partitions = set() if self._stop() else self._fetched()
            if self._stop() or self._clock() - idle >= IDLE:
                idle = self._clock()
                partitions = set(self._turns)
            for partition in sorted(partitions):
                self._advance(partition)
            if self._settled is not None and self._clock() > self._settled:
                raise PartitionsRevokedError(
                    f"wanted the model of each partition of {self._logs[0].topic} that is held, "
                    "got one that another instance has claimed: ask the group what is held"
                )

    def _fetched(self) -> set[int]:
        """Fetch a run of each log, or wait a moment for one; return the partitions they are of."""
        first, *others = self._hubs
        found = {hub.fetch(0.0) for hub in others}
        wait = 0.0 if found - {None} else (LOOK if others else IDLE)
        found.add(first.fetch(wait))
        return {partition for partition in found if partition is not None}

    def _advance(self, partition: int) -> None:
        """Let a shard take all that was fetched for it."""
        shard, taken = self.shards[partition], -1
        while partition in self._turns and (shard.sequence > taken or self._holds(partition)):
            taken = shard.sequence
            self._turn(partition)
        if partition not in self._turns:
            for hub in self._hubs:
                hub.drop(partition)

    def _holds(self, partition: int) -> bool:
        return any(hub.holds(partition) for hub in self._hubs)

    def _turn(self, partition: int) -> None:
        """Let a shard take a block."""
        try:
            next(self._turns[partition])
        except StopIteration:
            del self._turns[partition]
        except FencedError as error:
            # In a rebalance another instance may have it before the group told this one; or it
            # had it for a moment, and this one is its owner still.
            logger.warning("partition %s was claimed by another instance: %s", partition, error)
            del self._turns[partition]
            self._endure(error)

    def _endure(self, error: FencedError) -> None:
        """Note a fence, once until the group is asked; raise it where there were too many."""
        now = self._clock()
        if self._settled is None:
            self._fences = self._fences + 1 if now - self._fenced < GRACE else 1
        if self._fences > FENCES:
            raise error
        self._settled, self._fenced = now + SETTLE, now
