"""The loop: the whole path of a record on one screen."""

from __future__ import annotations

import bisect
import contextlib
import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from learners.errors import LearnerFailedError
from stream.answers import entries_of
from stream.checkpoint import Checkpoints
from stream.dead import DeadLetters
from stream.errors import StreamError
from stream.log import Log, Run
from stream.shard import Shard
from stream.writer import Writer

SMALLEST, USUAL, LARGEST = 1, 500, 5_000
SHORT, LONG, TOO_LONG = 0.25, 1.0, 4.0
PATIENCE = 0.2
STALL_SHARE = 50
SWITCH = 0.00005


class Loop:
    """Takes records from the log through the shard to the store, and publishes checkpoints.

    Parameters
    ----------
    shard, log, writer, dead, checkpoints
        The parts it moves records between; the shard is restored and the model claimed.
    every
        Seconds between checkpoints, stretched to 50 times the last one's stall.
    records
        Publish also at each multiple of this many records; blocks are cut there.
    clock
        Seconds, rising.
    """

    def __init__(
        self,
        shard: Shard,
        log: Log,
        writer: Writer,
        dead: DeadLetters,
        checkpoints: Checkpoints,
        every: float,
        records: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shard = shard
        self._log = log
        self._writer = writer
        self._dead = dead
        self._checkpoints = checkpoints
        self._every = every
        self._records = records
        self._clock = clock
        self._block = USUAL
        self.stall = 0.0
        self.saved_at = clock()
        self._saved = self._taken()

    def step(self, run: Run) -> None:
        """Take one run: predict, learn, score, set aside what is bad, hand on the predictions."""
        begun = self._clock()
        try:
            block, answers = self.shard.take(run)
        except LearnerFailedError as error:
            raise self._failure(run, error) from error
        if block.dead:
            self._dead.add(block.dead, self.shard.lineage)
        self._writer.put(entries_of(block, answers, self.shard.learner.task, self.shard.lineage))
        self._size(self._clock() - begun)

    def run(
        self,
        stop: Callable[[], bool],
        until: Mapping[int, int] | None = None,
        watch: Callable[[Loop], None] = lambda loop: None,
    ) -> None:
        """Take records until `stop()` or the ends in `until` are reached, and save.

        Parameters
        ----------
        stop
            Asked between blocks.
        until
            The offset of each partition at which to end; None goes on for ever.
        watch
            Called between blocks, also when no record came.
        """
        with _tuned():
            while not stop() and not self._reached(until):
                run = self._log.poll(self._limit(), PATIENCE)
                part = None if run is None else _cut(run, until)
                if part:
                    self.step(part)
                    gc.collect(1)
                elif until is not None and (run or self._log.lag() == 0):
                    break  # only gaps lie before the end: compacted records, transaction markers
                if self._due():
                    self.save()
                watch(self)
            self.save()

    def save(self) -> None:
        """Publish a checkpoint, if anything was taken since the last, and tell the log's group."""
        if self._taken() == self._saved:
            return
        begun = self._clock()
        self._writer.drain()
        gc.collect()
        saved = self._checkpoints.publish(self.shard.snapshot())
        self._saved = self._taken()
        offsets = self.shard.offsets(self._log.topic)
        self._log.commit(offsets, f"{saved.lineage}:{saved.number}")
        self.saved_at = self._clock()
        self.stall = self.saved_at - begun

    def _taken(self) -> tuple[int, int]:
        return self.shard.sequence, len(self.shard.positions)

    def _due(self) -> bool:
        if self._records and self.shard.sequence % self._records == 0:
            return True
        waited = self._clock() - self.saved_at
        return waited >= max(self._every, STALL_SHARE * self.stall)

    def _size(self, seconds: float) -> None:
        """Keep blocks as large as lets the loop stop and show itself in time.

        They shrink below the usual only where nothing else helps: frozen members predict in
        tiles, so small blocks cost them dear.
        """
        if seconds < SHORT:
            self._block = min(2 * self._block, LARGEST)
        elif seconds > TOO_LONG or (seconds > LONG and self._block > USUAL):
            self._block = max(self._block // 2, SMALLEST)

    def _limit(self) -> int:
        if self._records is None:
            return self._block
        return min(self._block, self._records - self.shard.sequence % self._records)

    def _reached(self, until: Mapping[int, int] | None) -> bool:
        if until is None:
            return False
        taken = self.shard.offsets(self._log.topic)
        return all(taken[partition] >= end for partition, end in until.items())

    def _failure(self, run: Run, error: LearnerFailedError) -> StreamError:
        return StreamError(
            f"{error} in {run.topic}/{run.partition} between offsets {run.offsets[0]} and "
            f"{run.offsets[-1]}: the last checkpoint holds; mend the learner, or begin another "
            "model with the field that it cannot take in [record] leave_out"
        )


def _cut(run: Run, until: Mapping[int, int] | None) -> Run:
    """Leave out records at or past the offset to end at."""
    if until is None or run.offsets[-1] < until[run.partition]:
        return run
    n = bisect.bisect_left(run.offsets, until[run.partition])
    return Run(
        run.topic, run.partition, run.offsets[:n], run.times[:n], run.keys[:n], run.values[:n]
    )


@contextlib.contextmanager
def _tuned() -> Iterator[None]:
    """Set the interpreter for one busy thread beside threads that mostly wait.

    Garbage is looked for between blocks only: while records flow it costs a third of the speed.
    A thread that has an answer from the store gets the interpreter at once, not 5 ms later: it
    asks some hundred times for a block.
    """
    interval = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.enable()
        gc.unfreeze()
