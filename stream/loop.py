"""The loop: the whole path of a record on one screen."""

from __future__ import annotations

import bisect
import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Set

from stream.answers import entries_of
from stream.checkpoint import Checkpoints
from stream.courier import Courier
from stream.dead import DeadLetters
from stream.errors import RecordFailedError
from stream.intake import Came, Intake
from stream.journal import Entry, Journal, Skip, Taken, Tick
from stream.log import Place, Run
from stream.manifest import Manifest
from stream.outbox import Outbox
from stream.publication import Publication
from stream.receipt import Receipt
from stream.rescue import Rescue
from stream.shard import Shard
from stream.tuning import tuned
from stream.writer import Writer

SMALLEST, USUAL, LARGEST = 1, 500, 65_536
SHORT, LONG, TOO_LONG = 0.25, 1.0, 4.0
PATIENCE = 0.2
STALL_SHARE = 50
TIDY = 1.0


class Loop:
    """Takes records from the log through the shard to the store, and publishes checkpoints.

    Parameters
    ----------
    shard, intake, writer, dead, checkpoints
        The parts it moves records between; the shard is restored and the model claimed.
    every
        Seconds between checkpoints, stretched to 50 times the last one's stall.
    records
        Publish also at each multiple of this many records; blocks are cut there.
    clock
        Seconds, rising.
    journal
        Where to write down records to pass over, and the order in which records are taken.
    ordered
        Whether that order is to be written down: no log alone tells it.
    rescue
        Goes on behind a record that makes the learner raise.
    courier
        Sends what is owed to topics with the positions; None: nothing is, and the log's group is
        told of the positions. Without `dead` dead letters are among it.

    Attributes
    ----------
    stall
        Seconds for which records waited for the last checkpoint.
    saved_at
        When that was published.
    """

    def __init__(
        self,
        shard: Shard,
        intake: Intake,
        writer: Writer,
        dead: DeadLetters | None,
        checkpoints: Checkpoints,
        every: float,
        records: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        journal: Journal,
        ordered: bool,
        rescue: Rescue,
        courier: Courier | None = None,
    ) -> None:
        self.shard = shard
        self._intake = intake
        self._writer = writer
        self._dead = dead
        self._checkpoints = checkpoints
        self._every = every
        self._records = records
        self._clock = clock
        self._block = max(USUAL, min(shard.least, LARGEST))
        self.stall = 0.0
        self.saved_at = self._begun = self._tidied = clock()
        self._journal, self._ordered, self._rescue = journal, ordered, rescue
        self._since: list[Entry] = []
        self._saved = self._taken()
        self._publication: Publication | None = None
        self._settled = False
        self._courier = courier
        self._outbox = Outbox("", None, None) if courier is None else courier.outbox

    def step(self, came: Came) -> None:
        """Take what came: write down that it is next, and pass over what the learner cannot."""
        begun = self._clock()
        if isinstance(came, Skip):
            self.shard.pass_over(came)
            return
        if self._ordered:
            self._journal.append(entry_of(came))
        try:
            self.take(came)
        except RecordFailedError:
            self._rescue.take(self, came)
        if self._ordered:
            self._journal.took()
        self._size(self._clock() - begun)

    def take(self, came: Run | Tick) -> None:
        """Predict, learn, score, set aside what is bad, hand on the predictions."""
        block, answers = self.shard.take(came)
        task, lineage = self.shard.learner.task, self.shard.lineage
        if block.dead and self._dead is not None:
            self._dead.add(block.dead, lineage)
        self._outbox.add(block, answers, task, lineage)
        self._writer.put(entries_of(block, answers, task, lineage))
        self._since.append(entry_of(came))

    def back(self) -> list[Entry]:
        """Return to the last checkpoint; return what was taken since."""
        self._finish()
        since, self._since = self._since, []
        self._writer.drain()
        self._outbox.back()
        self.shard.restore(self._checkpoints.held, self._checkpoints.state)
        return since

    def skip(self, skip: Skip) -> None:
        """Pass over a record from now on, after a crash as well."""
        self._journal.append(skip)
        self.shard.pass_over(skip)

    def run(
        self,
        stop: Callable[[], bool],
        until: Mapping[Place, int] | None = None,
        watch: Callable[[Loop], None] = lambda loop: None,
    ) -> None:
        """Take records to the last of the `turns`."""
        with tuned():
            for _ in self.turns(stop, until, watch):
                pass

    def turns(
        self,
        stop: Callable[[], bool],
        until: Mapping[Place, int] | None = None,
        watch: Callable[[Loop], None] = lambda loop: None,
    ) -> Iterator[None]:
        """Take records until `stop()`, the intake's end or the ends in `until`, and save.

        Each turn takes one block at most.

        Parameters
        ----------
        stop
            Asked between blocks.
        until
            The offset of each partition at which to end; None goes on for ever.
        watch
            Called between blocks, also when no record came.
        """
        ends, done = until or {}, set[Place]()
        while not stop() and not (until and self._reached(ends, done)):
            came = self._intake.poll(self._limit(), PATIENCE)
            part = _cut(came, ends)
            if part:
                self.step(part)
                self._tidy()
            elif came:
                assert isinstance(came, Run)
                done.add(came.place)  # only gaps lay before the end: compacted records, markers
            elif self._intake.ended or (until and self._intake.lag() == 0):
                break
            self._save_if_due()
            watch(self)
            yield
        self.save()

    def save(self) -> None:
        """Publish a checkpoint, if anything was taken since the last, and tell the log of it."""
        self._finish()
        if not self.saved:
            self.publish()

    def publish(self) -> None:
        """Publish a checkpoint, and tell the log of it."""
        self._begin()
        self._finish()

    def _begin(self) -> None:
        """Let a checkpoint of what was taken so far be published, once the store has all of it."""
        self._finish()
        self._begun = begun = self._clock()
        snapshot = self.shard.snapshot()
        snapshot.journal = self._journal.cut(self._checkpoints.number + 1)
        snapshot.outbox = self._outbox.pack()
        ticket = self._writer.ticket

        def publish() -> Manifest:
            self._writer.drain(ticket)
            return self._checkpoints.publish(snapshot)

        self._publication = Publication(publish, *self._taken())
        self.stall = self._clock() - begun
        # What waits for labels and what is owed to topics must not change meanwhile.
        if self.shard.join is not None or self._courier is not None:
            self._finish()

    def _finish(self) -> None:
        """Wait for the checkpoint that is on its way, if one is, and tell the log of it."""
        publication, self._publication = self._publication, None
        if publication is None:
            return
        begun = self._clock()
        saved = publication.result()
        self._since = self._since[publication.entries :]
        self._saved = (0, publication.positions)
        if self._courier is not None:
            self._courier.deliver()
        else:
            receipt = Receipt(saved.lineage, saved.sequence, saved.number)
            self._intake.commit({p.place: p.offset for p in saved.positions}, str(receipt))
        self.saved_at = self._clock()
        self.stall += self.saved_at - begun

    def lag(self) -> int | None:
        """Return how many records are still to come, None if unknown."""
        return self._intake.lag()

    @property
    def saved(self) -> bool:
        """Whether the newest checkpoint has all that was taken."""
        return self._taken() == self._saved

    @property
    def restarts(self) -> int:
        """How often the store was found to be another server than the one claimed."""
        return self._writer.store.restarts

    def _taken(self) -> tuple[int, int]:
        return len(self._since), len(self.shard.positions)

    def _save_if_due(self) -> None:
        """Save at a place that is asked for, and let the loop go on where only time has passed."""
        if self._outbox.full or (self._records and self.shard.sequence % self._records == 0):
            self.save()
        elif self._publication is not None:
            if self._publication.done:
                self._finish()
        elif not self.saved:
            waited = self._clock() - self._begun
            if waited >= max(self._every, STALL_SHARE * self.stall):
                self._begin()

    def _size(self, seconds: float) -> None:
        """Keep blocks as large as lets the loop stop and show itself in time.

        They shrink below the usual only where nothing else helps: frozen members predict in
        tiles, so small blocks cost them dear.
        """
        if seconds < SHORT:
            self._block = min(2 * self._block, LARGEST)
        elif seconds > TOO_LONG or (seconds > LONG and self._block > USUAL):
            self._block = max(self._block // 2, SMALLEST, min(self.shard.least, LARGEST))

    def _tidy(self) -> None:
        """Look for garbage once a second: it goes over all that the blocks at hand hold.

        After each checkpoint, not before it, also among what has lived long. What the first blocks
        brought to life, kernels above all, lives as long as the loop.
        """
        if self._clock() - self._tidied > TIDY:
            gc.collect(2 if self.saved_at > self._tidied or not self._settled else 1)
            if not self._settled:
                gc.freeze()
                self._settled = True
            self._tidied = self._clock()

    def _limit(self) -> int:
        if self._records is None:
            return self._block
        return min(self._block, self._records - self.shard.sequence % self._records)

    def _reached(self, ends: Mapping[Place, int], done: Set[Place]) -> bool:
        taken = self.shard.offsets
        return all(place in done or taken[place] >= end for place, end in ends.items())


def entry_of(came: Run | Tick) -> Entry:
    """Return how what came is written down."""
    if isinstance(came, Tick):
        return came
    return Taken(came.topic, came.partition, came.offsets[0], came.offsets[-1], len(came))


def _cut(came: Came | None, ends: Mapping[Place, int]) -> Came | None:
    """Leave out records at or past the offset to end at."""
    if not isinstance(came, Run) or came.offsets[-1] < ends.get(came.place, sys.maxsize):
        return came
    return came[: bisect.bisect_left(came.offsets, ends[came.place])]
