"""The outset: where a shard goes on in the topics it reads, and where it begins in new ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from stream.checkpoint import Checkpoints
from stream.config import Config
from stream.log import Bounds, Log, Place
from stream.log_errors import expired, missing_partition
from stream.manifest import Position
from stream.shard import Shard
from stream.sources import start_of

logger = logging.getLogger(__name__)


class Outset:
    """Holds a shard's positions against what the logs have, and begins what is new in them.

    Parameters
    ----------
    config
        Says where a new topic is begun.
    shard
        Restored; its positions are set.
    checkpoints
        Those of its model, which is claimed.
    accept_gap
        Whether to go on, in a new lineage, where a log no longer holds the next record.
    """

    def __init__(
        self, config: Config, shard: Shard, checkpoints: Checkpoints, accept_gap: bool
    ) -> None:
        self._config = config
        self._shard = shard
        self._checkpoints = checkpoints
        self._accept_gap = accept_gap

    def begin(self, log: Log, start: Mapping[Place, int]) -> int:
        """Begin a topic, or what is new in it; return how many partitions it has.

        Parameters
        ----------
        log
            Of the topic.
        start
            Offsets to begin at; where there is none of the topic, the configuration says.

        Raises
        ------
        OffsetsExpiredError
            The log no longer holds the next record, and no gap is accepted.
        TopicRecreatedError
            A partition that was read is not there any more.
        """
        shard, topic = self._shard, log.topic
        if not shard.begun(topic):
            given = {partition: at for (name, partition), at in start.items() if name == topic}
            given = given or start_of(self._config, log)
            shard.begin(topic, given)
            return len(given)
        bounds = log.bounds()
        mine = [p for p in shard.positions.values() if p.topic == topic]
        missing = {p.partition for p in mine} - bounds.keys()
        if missing:
            raise missing_partition(topic, min(missing))
        for grown in bounds.keys() - {p.partition for p in mine}:
            logger.warning("%s has a new partition %s; it is read from 0", topic, grown)
            shard.begin(topic, {grown: 0})
        self._pass_gaps([p for p in mine if p.offset < bounds[p.partition].first], bounds)
        return len(bounds)

    def _pass_gaps(self, behind: Sequence[Position], bounds: Mapping[int, Bounds]) -> None:
        """Go on behind records that the log no longer holds, in a new lineage, if that is asked."""
        if behind and not self._accept_gap:
            topic, partition = behind[0].place
            raise expired(topic, partition, behind[0].offset, bounds[partition])
        for position in behind:
            first, place = bounds[position.partition].first, position.place
            logger.warning("%s/%s goes on at %s, not %s", *place, first, position.offset)
            self._shard.positions[place] = Position(*place, first, "", position.time)
        if behind:
            self._shard.lineage = self._checkpoints.new_lineage()
