"""The session: one ownership of the model, from the claim to the end of the stream or of it."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

from stream.config import Config
from stream.courier import open_courier
from stream.dead import FILE, DeadLetters, open_dead
from stream.errors import FencedError, PartitionsRevokedError
from stream.file_log import FileLog
from stream.idle import Idle
from stream.intake import History, Intake, Live
from stream.journal import Entry, Journal
from stream.log import Log, Place
from stream.log_kinds import open_log
from stream.loop import Loop
from stream.manifest import Position
from stream.outset import Outset
from stream.patience import is_away, outlast
from stream.phase import Phase
from stream.rescue import Rescue
from stream.shard import Shard
from stream.sources import open_files, refuse_lost
from stream.store import Store
from stream.tuning import tuned
from stream.vault_kinds import checkpoints_of, open_journal
from stream.writer import Writer

SKEW = 10
"""A backlog's partitions are taken no further apart in time than one in so many of the wait for
a label, or features would have waited in vain before their labels are read.
"""

logger = logging.getLogger(__name__)

Stop = Callable[[], bool]
Watch = Callable[[Loop], None]
Enter = Callable[[Phase], None]
Order = Callable[[Iterable[Position], Callable[[str], Log]], Intake]
LoopOver = Callable[[Intake, bool], Loop]
"""Returns the loop over an intake, whose order is to be journalled or not."""


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
        self._checkpoints = checkpoints_of(config, stop)
        self._outset = Outset(config, shard, self._checkpoints, accept_gap)
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
            loop_over = self._equipped(journal, stack)
            enter(Phase.CATCHING_UP)
            if not self._catch_up(journal, loop_over, watch):
                journal.leave(self._checkpoints.number)
                return  # stopped in the middle of it: the next start goes on there
            loop = self._live(loop_over, start or {}, stack)
            enter(Phase.READY)
            try:
                yield
                yield from loop.turns(self._stop, ends, watch)
            except PartitionsRevokedError:
                # Refused where another instance has claimed the model: this one says so, and ends.
                loop.save()
                journal.leave(self._checkpoints.number)
                raise
            except GeneratorExit:
                if loop.saved:  # the group took the partitions away before anything came
                    journal.leave(self._checkpoints.number)
                raise
            journal.leave(self._checkpoints.number)

    def _claim(self) -> Journal:
        """Become the owner, in the checkpoints, in the store and in the journal."""
        checkpoints = self._checkpoints
        refuse_lost(checkpoints, self._logs[0], self._config)
        claimed = checkpoints.claim(self._shard.snapshot())
        self._shard.restore(claimed, checkpoints.state)
        try:
            claim = functools.partial(self._store.claim, checkpoints.epoch)
            outlast(claim, is_away, self._stop, "the store")
        except FencedError as error:
            raise FencedError(
                f"{error}; or, if {checkpoints.vault.place} was emptied on purpose, give the "
                "service another name, since its predictions in the store are newer than a new "
                "model's"
            ) from error
        journal = open_journal(self._config, checkpoints)
        if journal.lost:
            self._begin_anew()
        return journal

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

    def _equipped(self, journal: Journal, stack: contextlib.ExitStack) -> LoopOver:
        """Open what a loop needs besides its intake; return what makes one of both."""
        config, checkpoints = self._config, self._checkpoints
        dead = None
        if config.dead.topic is None:
            dead = stack.enter_context(contextlib.closing(open_dead(config, self._stop)))
            self._miss(dead)
        courier = open_courier(config, checkpoints, self._logs, self._stop)
        if courier is not None:
            stack.enter_context(contextlib.closing(courier)).resume()
        writer = stack.enter_context(contextlib.closing(Writer(self._store, self._stop)))
        rescue = Rescue(self._open_reader, config.dead.skip_share)
        every, records = config.checkpoint.every / 1000, config.checkpoint.records

        def loop_over(intake: Intake, ordered: bool) -> Loop:
            return Loop(
                self._shard, intake, writer, dead, checkpoints, every, records,
                journal=journal, ordered=ordered, rescue=rescue, courier=courier,
            )  # fmt: skip

        return loop_over

    def _miss(self, dead: DeadLetters) -> None:
        """Say which letters were lost with their file, or moved away with it."""
        wanted, held = self._shard.counts["set_aside"], dead.count()
        if held < wanted:
            logger.warning(
                "of %s dead letters that were set aside %s has %s: bring it back from a copy if "
                "they are wanted",
                wanted, self._config.checkpoint.path / FILE, held,
            )  # fmt: skip

    def _catch_up(self, journal: Journal, loop_over: LoopOver, watch: Watch) -> bool:
        """Take what comes before the logs go on; return whether all of it was taken."""
        return self._warm_up(loop_over, watch) and self._follow(journal.tail(), loop_over, watch)

    def _warm_up(self, loop_over: LoopOver, watch: Watch) -> bool:
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
        loop_over(live, False).run(self._stop, None, watch)
        return file.ended

    def _follow(self, tail: list[Entry], loop_over: LoopOver, watch: Watch) -> bool:
        """Take what was journalled since the checkpoint in that order; return whether all was."""
        history = History(tail, self._shard.positions.values(), self._open_reader)
        with contextlib.closing(history):
            if not history.ended:
                logger.info("following the journal: %s records", history.lag())
                loop_over(history, False).run(self._stop, None, watch)
            return history.ended

    def _live(
        self, loop_over: LoopOver, start: Mapping[Place, int], stack: contextlib.ExitStack
    ) -> Loop:
        """Return the loop over what comes from here on."""
        known = len(self._shard.positions)
        partitions = sum(self._outset.begin(log, start) for log in self._logs)
        idle = self._idle()
        intake = stack.enter_context(contextlib.closing(self._intake(idle)))
        loop = loop_over(intake, (partitions > 1 and self._order is None) or idle is not None)
        if len(self._shard.positions) > known:
            loop.publish()  # a start at the end must hold, though nothing has come yet
        return loop

    def _intake(self, idle: Idle | None) -> Intake:
        """Return what comes after the shard's positions."""
        positions = self._shard.positions.values()
        if self._order is not None:
            return self._order(positions, self._open_reader)
        label = self._config.label
        slack = None if label is None else label.within // SKEW
        live = Live(self._logs, idle, slack, patient=self._config.partition is None)
        live.seek(positions)
        return live

    def _idle(self) -> Idle | None:
        """Return what lets time go on when nothing comes; in history what was journalled does."""
        label, join = self._config.label, self._shard.join
        if label is None or label.idle is None or join is None or self._replays:
            return None
        return Idle(label.idle, lambda: join.reached, time.monotonic)

    def _open_reader(self, topic: str) -> Log:
        """Return a reader of a topic or file that this session takes records from."""
        file = self._files.get(topic)
        return open_log(self._config, None, topic) if file is None else file.anew()
