"""The sharded service: a model for each partition, which moves with it between instances."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from stream.app import assigned, ends_in
from stream.config import Config
from stream.errors import CheckpointError, LogError, PartitionsRevokedError
from stream.held import Held
from stream.log import Bounds
from stream.log_kinds import open_appender
from stream.phase import Phase
from stream.session import Enter, Stop, Watch
from stream.shard import Shard
from stream.sources import open_logs
from stream.vault_kinds import open_vault

BEGUN = "partitions"
"""The file that says how many partitions there were when the service began."""


class ShardedService:
    """A service with `scope = "partition"`: the group shares the partitions out, each has a model.

    A partition's model, its dead letters, its journal and its ownership are its own. When the
    group shares out anew, all are saved, and each goes on where its partition goes.

    Parameters
    ----------
    config
        What it does.
    accept_gap
        See `Service`.
    """

    def __init__(self, config: Config, accept_gap: bool = False) -> None:
        self.config = config
        self._accept_gap = accept_gap

    def run(
        self,
        until_end: bool = False,
        stop: Stop = lambda: False,
        watch: Watch = lambda loop: None,
        enter: Enter = lambda phase: None,
    ) -> dict[int, Shard]:
        """Take records until `stop()` or the end; return the shards that were held last.

        Parameters are those of `Service.run`; `watch` is called with each shard's loop in turn.

        Raises
        ------
        StreamError
            Something cannot be reached, or another instance has claimed a model of this one.
        """
        with contextlib.ExitStack() as stack:
            logs = open_logs(self.config)
            for log in logs:
                stack.callback(log.close)
            bounds = {log.topic: log.bounds() for log in logs}
            _refuse_unlike(bounds)
            partitions = len(bounds[self.config.log.topic])
            self._make_predictions(partitions)
            ends = ends_in(bounds) if until_end else None
            held = Held(self.config, self._accept_gap, logs, self._known(partitions), stop)
            while mine := assigned(logs, stop, enter):
                with contextlib.suppress(PartitionsRevokedError), held:
                    enter(Phase.CATCHING_UP)
                    held.open(sorted(mine), watch, ends)
                    enter(Phase.READY)
                    held.run()
                    break
            return held.shards

    def _make_predictions(self, partitions: int) -> None:
        """Make the topic of predictions, if one is wanted: a shard knows of one partition only."""
        topic = self.config.predictions.topic
        if topic is not None:
            with contextlib.closing(open_appender(self.config, topic)) as appender:
                appender.create(partitions)

    def _known(self, partitions: int) -> int:
        """Return how many partitions there were when the service began, which is noted once."""
        vault = open_vault(self.config)
        try:
            vault.create(BEGUN, b"%d" % partitions)
            return int(vault.read(BEGUN))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"wanted the number of partitions that the service began with in {vault.place}/"
                f"{BEGUN}, got: {error}: see that it can be written, or remove it to note "
                f"{partitions} there"
            ) from error


def _refuse_unlike(bounds: Mapping[str, Mapping[int, Bounds]]) -> None:
    """Refuse labels that are not partitioned as the records are: they would miss each other."""
    (records, wanted), *others = bounds.items()
    for topic, partitions in others:
        if partitions.keys() != wanted.keys():
            raise LogError(
                f"wanted {len(wanted)} partitions of {topic!r}, as {records!r} has, for "
                f'scope = "partition", got {len(partitions)}: partition labels and records by the '
                'same key, or set scope = "topic"'
            )
