"""The application: the one place where the parts of a service are wired together."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from learners.base import Classes
from stream.checkpoint import Checkpoints
from stream.config import Config, load
from stream.dead import open_dead
from stream.decode import Decoder
from stream.errors import CheckpointError, FencedError, LogError, PartitionsRevokedError
from stream.file_log import FileLog
from stream.files import RecordFile
from stream.folder import Folder
from stream.log import Bounds, Log
from stream.log_kinds import open_log
from stream.loop import Loop
from stream.model import build
from stream.score import Scores
from stream.score_metrics import named_metrics
from stream.shard import Shard
from stream.store import Store
from stream.store_kinds import open_store
from stream.writer import Writer

JOIN_TIMEOUT = 0.5
QUIET_TRIES = 10

logger = logging.getLogger(__name__)

Stop = Callable[[], bool]
Watch = Callable[[Loop], None]


class Service:
    """One service: takes records from its log, predicts, learns, stores, and survives.

    Parameters
    ----------
    config
        What it does.
    log
        Where records come from instead of the configured log, to replay history.

    Examples
    --------
    >>> service = Service.from_file("alluvia.toml")  # doctest: +SKIP
    >>> service.run(until_end=True).scores.report()["overall"]["accuracy"]  # doctest: +SKIP
    0.8762
    """

    def __init__(self, config: Config, log: Log | None = None) -> None:
        self.config = config
        self._replayed = log

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Return the service that a TOML file describes."""
        return cls(load(Path(path)))

    def run(
        self,
        until_end: bool = False,
        stop: Stop = lambda: False,
        watch: Watch = lambda loop: None,
        start: Mapping[int, int] | None = None,
        until: Mapping[int, int] | None = None,
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

        Raises
        ------
        StreamError
            Something cannot be reached, or another instance has claimed the model.
        """
        with contextlib.ExitStack() as stack:
            log = self._replayed or open_log(self.config, self.config.log.group)
            stack.callback(log.close)
            store = open_store(self.config)
            stack.callback(store.close)
            if until_end:
                until = {partition: at.end for partition, at in one_partition(log).items()}
            shard = new_shard(self.config)
            while _assigned(log, stop):
                shard = new_shard(self.config)
                with contextlib.suppress(PartitionsRevokedError):
                    self._own(shard, log, store, stop, watch, start, until)
                    break
            return shard

    def _own(
        self,
        shard: Shard,
        log: Log,
        store: Store,
        stop: Stop,
        watch: Watch,
        start: Mapping[int, int] | None,
        until: Mapping[int, int] | None,
    ) -> None:
        """Claim the model and run it for as long as the group leaves the partitions here."""
        checkpoints = checkpoints_of(self.config)
        refuse_lost(checkpoints, log, self.config)
        claimed = checkpoints.claim(shard.snapshot())
        shard.restore(claimed, checkpoints.state)
        _claim_store(store, checkpoints.epoch, self.config)
        with contextlib.ExitStack() as stack:
            dead = stack.enter_context(contextlib.closing(open_dead(self.config)))
            writer = stack.enter_context(contextlib.closing(Writer(store, stop)))

            def loop_over(source: Log) -> Loop:
                every, records = self.config.checkpoint.every / 1000, self.config.checkpoint.records
                return Loop(shard, source, writer, dead, checkpoints, every, records)

            loop = loop_over(log)
            if not shard.begun(log.topic):
                if not self._warm_up(shard, loop_over, stop, watch):
                    return  # stopped in the middle of the file: the next start goes on in it
                bounds = one_partition(log)
                shard.begin(log.topic, start or start_of(self.config, log, bounds))
                loop.save()
            log.seek(shard.offsets(log.topic))
            try:
                loop.run(stop, until, watch)
            except PartitionsRevokedError:
                with contextlib.suppress(FencedError):
                    loop.save()
                raise

    def _warm_up(
        self, shard: Shard, loop_over: Callable[[Log], Loop], stop: Stop, watch: Watch
    ) -> bool:
        """Learn the file to warm up with, if there is one; return whether it has ended."""
        path = self.config.record.warm_up
        if path is None:
            return True
        file = open_files(self.config, [path], f"warm-up {path.name}")
        if not shard.begun(file.topic):
            shard.begin(file.topic, {0: 0})
        file.seek(shard.offsets(file.topic))
        loop_over(file).run(lambda: stop() or file.ended, None, watch)
        return file.ended


def new_shard(config: Config) -> Shard:
    """Return an untrained shard."""
    learner = build(config)
    classes = Classes(config.record.classes)
    return Shard(
        learner,
        Decoder(config.record, config.task, classes, learner.two_classes),
        Scores(config.task, config.score.window, config.record.positive, named_metrics(config)),
    )


def checkpoints_of(config: Config) -> Checkpoints:
    """Return the service's checkpoints; the folder is made when something is written to it."""
    model = json.loads(config.model_fields_json())
    folder = Folder(config.checkpoint.path)
    return Checkpoints(folder, config.name, model, config.model_digest(), config.checkpoint.keep)


def open_files(config: Config, paths: list[Path], topic: str, now: int = 0) -> FileLog:
    """Return files as a log; records without a time of their own get `now`."""
    record = config.record
    return FileLog(lambda: [RecordFile(path, now, record) for path in paths], topic)


def one_partition(log: Log) -> dict[int, Bounds]:
    """Return the topic's bounds, refusing more partitions than one learner can repeat.

    Raises
    ------
    LogError
        The topic has several partitions: their order is not written down yet.
    """
    bounds = log.bounds()
    if len(bounds) > 1:
        raise LogError(
            f"wanted a topic of one partition, got {log.topic!r} with {len(bounds)}: the order in "
            "which they are taken is not journalled yet; feed a topic made with --partitions 1"
        )
    return bounds


def start_of(config: Config, log: Log, bounds: Mapping[int, Bounds]) -> dict[int, int]:
    """Return where a new model starts, as `[record] start` says."""
    start = config.record.start
    if start == "earliest":
        return {partition: at.first for partition, at in bounds.items()}
    if start == "latest":
        return {partition: at.end for partition, at in bounds.items()}
    return log.offsets_at(start)


def _assigned(log: Log, stop: Stop) -> bool:
    """Wait for the group to give this consumer its partitions."""
    tries = 0
    while not stop():
        if log.acquire(JOIN_TIMEOUT):
            return True
        tries += 1
        if tries == QUIET_TRIES:
            logger.warning("standing by: another instance holds the partitions of %s", log.topic)
    return False


def refuse_lost(checkpoints: Checkpoints, log: Log, config: Config) -> None:
    """Refuse a silent cold start where the group says that a checkpoint was made."""
    receipts = [metadata for _, metadata in log.committed().values() if metadata]
    if receipts and checkpoints.newest() is None:
        raise CheckpointError(
            f"the group {config.log.group!r} went on to checkpoint {receipts[0]}, which is not in "
            f"{config.checkpoint.path}: bring that folder back, or set another [log] group to "
            "begin a new model"
        )


def _claim_store(store: Store, epoch: int, config: Config) -> None:
    try:
        store.claim(epoch)
    except FencedError as error:
        raise FencedError(
            f"{error}; or, if {config.checkpoint.path} was emptied on purpose, give the service "
            "another name, since its predictions in the store are newer than a new model's"
        ) from error
