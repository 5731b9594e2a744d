"""The application: the one place where the parts of a service are wired together."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from ensembles.pool import Shares
from learners.base import Classes
from stream.config import Config, load
from stream.decode import Decoder
from stream.errors import ConfigError, PartitionsRevokedError
from stream.join import Join
from stream.log import Bounds, Log, Place
from stream.model import build
from stream.phase import Phase
from stream.processes import Processes
from stream.score import Scores
from stream.score_metrics import named_metrics
from stream.session import Enter, Order, Session, Stop, Watch
from stream.shard import Shard
from stream.sources import open_logs
from stream.store_kinds import open_store

WINDOWS = 32
"""Windows that each process of a pool is given at once."""
JOIN_TIMEOUT = 0.5
QUIET_TRIES = 10

logger = logging.getLogger(__name__)


class Service:
    """One service: takes records from its log, predicts, learns, stores, and survives.

    Parameters
    ----------
    config
        What it does.
    logs
        Where records come from instead of the configured topics, to replay history.
    order
        Returns them in an order of its own; None takes them as they come.
    accept_gap
        Whether to go on where the log no longer holds the next record; the model's lineage ends
        there, and another begins.
    pool
        Where the windows of a rolling ensemble are learned side by side.

    Examples
    --------
    >>> service = Service.from_file("alluvia.toml")  # doctest: +SKIP
    >>> service.run(until_end=True).scores.report()["overall"]["accuracy"]  # doctest: +SKIP
    0.8762
    """

    def __init__(
        self,
        config: Config,
        logs: Sequence[Log] = (),
        order: Order | None = None,
        accept_gap: bool = False,
        pool: Processes | None = None,
    ) -> None:
        self.config = config
        self._given = logs
        self._order = order
        self._accept_gap = accept_gap
        self._pool = pool

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Return the service that a TOML file describes."""
        return cls(load(Path(path)))

    def run(
        self,
        until_end: bool = False,
        stop: Stop = lambda: False,
        watch: Watch = lambda loop: None,
        start: Mapping[Place, int] | None = None,
        until: Mapping[Place, int] | None = None,
        enter: Enter = lambda phase: None,
    ) -> Shard:
        """Take records until `stop()` or an end; return the shard as its last checkpoint has it.

        Parameters
        ----------
        until_end
            End where each partition ends now.
        stop
            Asked between blocks.
        watch
            Called between blocks.
        start, until
            Offsets by partition; None starts where the configuration says and goes on for ever.
        enter
            Told of each phase when it begins.

        Raises
        ------
        StreamError
            Something cannot be reached, or another instance has claimed the model; or each
            partition is to have a model of its own, which is for a `ShardedService`.
        """
        if self.config.scope == "partition" and not self._given:
            raise ConfigError(
                'wanted scope = "topic" for one model of all partitions, got "partition": run a '
                "stream.sharded.ShardedService, as `alluvia run` does"
            )
        with contextlib.ExitStack() as stack:
            logs = self._given or open_logs(self.config)
            for log in logs:
                stack.callback(log.close)
            store = open_store(self.config)
            stack.callback(store.close)
            if until_end:
                until = ends_in({log.topic: log.bounds() for log in logs})
            shard = self._shard()
            while assigned(logs, stop, enter):
                shard = self._shard()
                session = Session(
                    self.config, shard, logs, store, stop, self._order, self._accept_gap
                )
                with contextlib.suppress(PartitionsRevokedError):
                    session.run(watch, start, until, enter)
                    break
            return shard

    def _shard(self) -> Shard:
        shard = new_shard(self.config)
        if self._pool is not None:
            spread(shard, self.config, self._pool)
        return shard


def spread(shard: Shard, config: Config, pool: Processes) -> None:
    """Have a shard's windows learned in a pool.

    Raises
    ------
    ConfigError
        Its learner has no windows, or none that are learned by themselves.
    """
    window = config.model.window
    if window is None or window.on_close != "freeze" or not isinstance(shard.learner, Shares):
        raise ConfigError(
            "wanted members that learn their windows by themselves, to learn them in several "
            'processes, got others: set [model.window] with on_close = "freeze", or replay in one '
            "process"
        )
    shard.learner.share(pool)
    shard.least = WINDOWS * pool.count * window.records


def new_shard(config: Config) -> Shard:
    """Return an untrained shard."""
    learner = build(config)
    named = config.record.positive
    # A class that is named is known from the first record on, wherever a block is cut.
    classes = Classes(config.record.classes or ([] if named is None else [named]))
    decoder = Decoder(
        config.record,
        config.task,
        classes,
        learner.two_classes,
        config.label,
        learner.columnar,
    )
    join = None if config.label is None else Join(config.label, config.task, decoder.default)
    window, positive = config.score.window, config.record.positive
    scores = Scores(config.task, window, positive, named_metrics(config))
    return Shard(learner, decoder, scores, join, config.partition)


def ends_in(bounds: Mapping[str, Mapping[int, Bounds]]) -> dict[Place, int]:
    """Return where each partition of some topics ends."""
    return {(topic, p): at.end for topic, held in bounds.items() for p, at in held.items()}


def assigned(logs: Sequence[Log], stop: Stop, enter: Enter) -> frozenset[int]:
    """Wait for the group to give this consumer partitions; none if it is to stop before that."""
    enter(Phase.STANDBY)
    first, *others = logs
    tries = 0
    while not stop():
        if partitions := first.acquire(JOIN_TIMEOUT):
            for log in others:
                log.acquire(JOIN_TIMEOUT)
            return partitions
        tries += 1
        if tries == QUIET_TRIES:
            logger.warning("standing by: other instances hold the partitions of %s", first.topic)
    return frozenset()
