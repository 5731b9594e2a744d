"""The session: one ownership of the model, from the claim to the end of the stream or of it."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

from stream.checkpoint import Checkpoints
from stream.config import Config
from stream.courier import Courier
from stream.dead import FILE, DeadLetters, open_dead
from stream.errors import FencedError, PartitionsRevokedError
from stream.file_log import FileLog
from stream.idle import Idle
from stream.intake import History, Intake, Live
from stream.journal import Entry, Journal, Mark
from stream.log import Bounds, Log, Place
from stream.log_errors import expired, missing_partition
from stream.log_kinds import open_log, open_producer
from stream.loop import Loop
from stream.manifest import Position
from stream.outbox import Outbox
from stream.patience import is_away, outlast
from stream.phase import Phase
from stream.rescue import Rescue
from stream.shard import Shard
from stream.sources import open_files, refuse_lost, start_of
from stream.store import Store
from stream.tuning import tuned
from stream.vault_kinds import checkpoints_of, open_journal
from stream.writer import Writer

logger = logging.getLogger(__name__)

Stop = Callable[[], bool]
Watch = Callable[[Loop], None]
Enter = Callable[[Phase], None]
Order = Callable[[Iterable[Position], Callable[[str], Log]], Intake]


class Session:
    """Claims the model and takes records until the stream ends, or another claims it.

    Parameters
    ----------
    config
        What the service does.
    shard
        Untrained; the model's as soon as it is claimed.
    logs
        Where records come from, acquired.
    store
        Where predictions go.
    stop
        Asked between blocks, and wherever something is waited for.
    order
        Returns the records of the logs in an order of its own; None takes them as they come.
    accept_gap
        Whether to go on, in a new lineage, where the log no longer holds the next record.
    """

    def __init__(
        self,
        config: Config,
        shard: Shard,
        logs: Sequence[Log],
        store: Store,
        stop: Stop,
        order: Order | None = None,
        accept_gap: bool = False,
    ) -> None:
        self._config = config
        self._shard = shard
        self._logs = logs
        self._store = store
        self._stop = stop
        self._order = order
        self._accept_gap = accept_gap
        self._checkpoints = checkpoints_of(config, stop)
        self._files = {log.topic: log for log in logs if isinstance(log, FileLog)}
        self._replays = order is not None or bool(self._files)

    def run(
        self,
        watch: Watch,
        start: Mapping[Place, int] | None,
        ends: Mapping[Place, int] | None,
        enter: Enter,
    ) -> None:
        """Take records to the last of the `turns`."""
        with contextlib.closing(self.turns(watch, start, ends, enter)) as turns:
            next(turns, None)
            with tuned():
                for _ in turns:
                    pass

    def turns(
        self,
        watch: Watch,
        start: Mapping[Place, int] | None,
        ends: Mapping[Place, int] | None,
        enter: Enter,
    ) -> Generator[None]:
        """Take records until `stop()` or the ends; see `Service.run` and `Loop.turns`.

        The first turn only claims the model, and takes what was taken before once more.

        Raises
        ------
        PartitionsRevokedError
            The group gave the partitions to another instance; what was taken is saved.
        FencedError
            Another instance has claimed the model.
        """
        enter(Phase.CLAIMING)
        with contextlib.ExitStack() as stack:
            journal = stack.enter_context(contextlib.closing(self._claim()))
            dead = None
            if self._config.dead.topic is None:
                dead = stack.enter_context(contextlib.closing(open_dead(self._config, self._stop)))
                self._miss(dead)
            courier = open_courier(self._config, self._checkpoints, self._logs, self._stop)
            if courier is not None:
                stack.enter_context(contextlib.closing(courier)).resume()
            writer = stack.enter_context(contextlib.closing(Writer(self._store, self._stop)))
            rescue = Rescue(self._open_reader, self._config.dead.skip_share)

            def loop_over(intake: Intake, ordered: bool = False) -> Loop:
                every = self._config.checkpoint.every / 1000
                records = self._config.checkpoint.records
                return Loop(
                    self._shard, intake, writer, dead, self._checkpoints, every, records,
                    journal=journal, ordered=ordered, rescue=rescue, courier=courier,
                )  # fmt: skip

            enter(Phase.CATCHING_UP)
            if not self._warm_up(loop_over, watch):
                return  # stopped in the middle of the file: the next start goes on in it
            if not self._follow(journal.tail(), loop_over, watch):
                return
            known = len(self._shard.positions)
            count = self._begin(start)
            idle = self._idle()
            intake = stack.enter_context(contextlib.closing(self._intake(idle)))
            loop = loop_over(intake, (count > 1 and self._order is None) or idle is not None)
            if len(self._shard.positions) > known:
                loop.publish()  # a start at the end must hold, though nothing has come yet
            enter(Phase.READY)
            try:
                yield
                yield from loop.turns(self._stop, ends, watch)
            except PartitionsRevokedError:
                # Refused where another instance has claimed the model: this one says so, and ends.
                loop.save()
                self._leave()
                raise
            self._leave()

    def _idle(self) -> Idle | None:
        """Return what lets time go on when nothing comes; in history what was journalled does."""
        label, join = self._config.label, self._shard.join
        if label is None or label.idle is None or join is None or self._replays:
            return None
        return Idle(label.idle, lambda: join.reached, time.monotonic)

    def _intake(self, idle: Idle | None) -> Intake:
        """Return what comes after the shard's positions."""
        positions = self._shard.positions.values()
        if self._order is not None:
            return self._order(positions, self._open_reader)
        live = Live(self._logs, idle)
        live.seek(positions)
        return live

    def _claim(self) -> Journal:
        """Become the owner, in the checkpoints, in the store and in the journal."""
        config, checkpoints = self._config, self._checkpoints
        refuse_lost(checkpoints, self._logs[0], config)
        claimed = checkpoints.claim(self._shard.snapshot())
        self._shard.restore(claimed, checkpoints.state)
        try:
            claim = functools.partial(self._store.claim, checkpoints.epoch)
            outlast(claim, is_away, self._stop, "the store")
        except FencedError as error:
            raise FencedError(
                f"{error}; or, if {checkpoints.place} was emptied on purpose, give the "
                "service another name, since its predictions in the store are newer than a new "
                "model's"
            ) from error
        mark = None if claimed.journal is None else Mark(**claimed.journal)
        if config.checkpoint.url is not None and not checkpoints.left(claimed.parent):
            self._begin_anew()
        return open_journal(config, checkpoints.epoch, mark, self._stop)

    def _leave(self) -> None:
        """Note a clean end where the journal does not tell of what came behind a checkpoint."""
        if self._config.checkpoint.url is not None:
            self._checkpoints.leave()

    def _begin_anew(self) -> None:
        """Begin a new lineage where the order of what was taken since the checkpoint is lost."""
        ordered = len(self._shard.positions) > 1 or self._idle() is not None
        if self._shard.sequence and ordered:
            self._shard.lineage = self._checkpoints.new_lineage()
            logger.warning(
                "the last run did not end by itself: what it took behind its last checkpoint is "
                "taken anew, in lineage %s",
                self._shard.lineage,
            )

    def _miss(self, dead: DeadLetters) -> None:
        """Say which letters were lost with their file, or moved away with it."""
        wanted, held = self._shard.counts["set_aside"], dead.count()
        if held < wanted:
            logger.warning(
                "of %s dead letters that were set aside %s has %s: bring it back from a copy if "
                "they are wanted",
                wanted, self._config.checkpoint.path / FILE, held,
            )  # fmt: skip

    def _warm_up(self, loop_over: Callable[[Intake], Loop], watch: Watch) -> bool:
        """Learn the file to warm up with, if there is one; return whether it has ended."""
        path = self._config.record.warm_up
        if path is None or self._shard.begun(self._logs[0].topic):
            return True
        file = open_files(self._config, [path], f"warm-up {path.name}")
        self._files[file.topic] = file
        if not self._shard.begun(file.topic):
            self._shard.begin(file.topic, {0: 0})
        live = Live([file])
        live.seek(self._shard.positions.values())
        loop_over(live).run(self._stop, None, watch)
        return file.ended

    def _follow(self, tail: list[Entry], loop_over: Callable[[Intake], Loop], watch: Watch) -> bool:
        """Take what was journalled since the checkpoint in that order; return whether all was."""
        history = History(tail, self._shard.positions.values(), self._open_reader)
        with contextlib.closing(history):
            if not history.ended:
                logger.info("following the journal: %s records", history.lag())
                loop_over(history).run(self._stop, None, watch)
            return history.ended

    def _begin(self, start: Mapping[Place, int] | None) -> int:
        """Begin topics and partitions that are new; return how many partitions there are."""
        shard, count = self._shard, 0
        for log in self._logs:
            if not shard.begun(log.topic):
                given = {p: at for (topic, p), at in (start or {}).items() if topic == log.topic}
                shard.begin(log.topic, given or start_of(self._config, log))
                count += 1 if isinstance(log, FileLog) else len(log.bounds())
                continue
            bounds = log.bounds()
            count += len(bounds)
            mine = [p for p in shard.positions.values() if p.topic == log.topic]
            missing = {p.partition for p in mine} - bounds.keys()
            if missing:
                raise missing_partition(log.topic, min(missing))
            for grown in bounds.keys() - {p.partition for p in mine}:
                logger.warning("%s has a new partition %s; it is read from 0", log.topic, grown)
                shard.begin(log.topic, {grown: 0})
            self._pass_gaps([p for p in mine if p.offset < bounds[p.partition].first], bounds)
        return count

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

    def _open_reader(self, topic: str) -> Log:
        """Return a reader of a topic or file that this session takes records from."""
        file = self._files.get(topic)
        return open_log(self._config, None, topic) if file is None else file.anew()


def open_courier(
    config: Config, checkpoints: Checkpoints, logs: Sequence[Log], stop: Stop
) -> Courier | None:
    """Return who sends what is owed to topics, which are made if they are missing.

    None where nothing is sent to topics, and nothing is left of a time when it was.
    """
    dead, predictions = config.dead.topic, config.predictions.topic
    _, owed = checkpoints.outbox(checkpoints.held)
    if dead is None and predictions is None and owed is None:
        return None
    producer = open_producer(config)
    if dead is not None:
        producer.create(dead, 1)
    if predictions is not None and config.partition is None:
        producer.create(predictions, len(logs[0].bounds()))
    outbox = Outbox(config.owner, dead, predictions)
    return Courier(outbox, producer, checkpoints, [log.topic for log in logs], stop)
