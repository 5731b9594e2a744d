"""The shard: one learner, what the stream has shown it, its scores and its place in the log."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Mapping

from learners.base import LEARN, PREDICT, Learner, Predictions, State
from learners.errors import LearnerFailedError
from stream.block import Block
from stream.checkpoint import Snapshot
from stream.decode import Decoder
from stream.errors import RecordFailedError
from stream.join import Join, empty_block
from stream.journal import Skip, Tick
from stream.log import Place, Run
from stream.manifest import Manifest, Position
from stream.parts import LastingPart
from stream.score import Scores

COUNTS = ("records", "predicted", "learned", "set_aside", "skipped", "removed", "unkeyed")


class Shard:
    """Everything a checkpoint keeps; equal records in equal order give equal shards.

    Attributes
    ----------
    join
        Where features and labels wait for each other; None where labels are in the record.
    partition
        The only one that feeds it; None where all do.
    lineage, sequence
        The model version.
    positions
        Where to go on in each (topic, partition).
    counts
        Records by what became of them.
    skips
        Records to be set aside unseen, each with the reason.
    late_skips
        Records to be set aside when they would be learned after they waited for a label.
    least
        The fewest records that are best taken at once, where there are as many.
    """

    def __init__(
        self,
        learner: Learner,
        decoder: Decoder,
        scores: Scores,
        join: Join | None = None,
        partition: int | None = None,
    ) -> None:
        self.learner = learner
        self.decoder = decoder
        self.scores = scores
        self.join = join
        self.partition = partition
        self.lineage = 0
        self.sequence = 0
        self.positions: dict[Place, Position] = {}
        self.counts = dict.fromkeys(COUNTS, 0)
        self.skips: dict[tuple[str, int, int], str] = {}
        self.late_skips: dict[tuple[str, int, int], str] = {}
        self.least = 0

    def take(self, came: Run | Tick) -> tuple[Block, Predictions]:
        """Decode a run, answer and learn its rows, score the answers, and move on past it."""
        if isinstance(came, Tick):
            return self.tick(came.time)
        run = came
        skips = self._skips_in(run)
        block = self.decoder.decode(run, self.sequence, skips)
        if self.join is not None:
            self.join.admit(block, self.late_skips)
        answers = self._learn(block)
        self._move(run)
        return block, answers

    def tick(self, time: int) -> tuple[Block, Predictions]:
        """Let event time go on to `time`, in ms; learn what waited for a label until before."""
        if self.join is None:
            block = empty_block(self.sequence, self.decoder.classes)
        else:
            classes, skips = self.decoder.classes, self.late_skips
            block = self.join.tick(time, self.sequence, classes, skips)
        return block, self._learn(block)

    def pass_over(self, skip: Skip) -> None:
        """Pass over a record from now on."""
        skips = self.late_skips if skip.late else self.skips
        skips[skip.topic, skip.partition, skip.offset] = skip.reason

    def begun(self, topic: str) -> bool:
        """Return whether a topic has been begun."""
        return any(position.topic == topic for position in self.positions.values())

    def begin(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Set where to start in each partition of a topic."""
        for partition, offset in offsets.items():
            self.positions[topic, partition] = Position(topic, partition, offset, "")

    @property
    def offsets(self) -> dict[Place, int]:
        """The next offset to take in each partition."""
        return {place: position.offset for place, position in self.positions.items()}

    def snapshot(self) -> Snapshot:
        """Return a copy of the whole state; nothing is changed by it."""
        states = {
            "learner": self.learner.state(),
            "decoder": State(meta=self.decoder.state()),
            "scores": self.scores.state(),
        }
        lasting: dict[str, LastingPart] = {}
        if self.join is not None:
            waiting, lasting = self.join.state()
            states |= waiting
        positions = tuple(self.positions.values())
        counts = dict(self.counts)
        return Snapshot(self.lineage, self.sequence, positions, counts, states, lasting)

    def restore(self, saved: Manifest, state: Callable[[Manifest, str], State]) -> None:
        """Become the shard that a checkpoint keeps; `state` reads one of its components."""
        self.learner.restore(state(saved, "learner"))
        self.decoder.restore(state(saved, "decoder").meta)
        self.scores.restore(state(saved, "scores"))
        if self.join is not None:
            self.join.restore(saved.parts, functools.partial(state, saved))
        self.lineage, self.sequence = saved.lineage, saved.sequence
        self.positions = {p.place: p for p in saved.positions}
        self.counts = dict.fromkeys(COUNTS, 0) | saved.counts

    def _learn(self, block: Block) -> Predictions:
        """Answer and learn the rows of a block, and score what was served for them."""
        try:
            answers = self.learner.predict_learn(block.examples)
        except LearnerFailedError as error:
            late = error.row in block.late
            raise RecordFailedError(error, block.record(error.row), late) from error
        scored, served = (answers, []) if self.join is None else self.join.serve(answers)
        block.refuse(answers.refused)
        self.scores.update(block.examples, scored, served)
        self._count(block, answers)
        return answers

    def _skips_in(self, run: Run) -> dict[int, str]:
        """Return what is to be set aside unseen, by its place in the run."""
        return {
            bisect.bisect_left(run.offsets, offset): reason
            for (topic, partition, offset), reason in self.skips.items()
            if (topic, partition) == run.place and run.offsets[0] <= offset <= run.offsets[-1]
        }

    def _count(self, block: Block, answers: Predictions) -> None:
        refused = list(answers.refused)
        ops = block.examples.op
        if refused:
            ops = ops.copy()
            ops[refused] = 0
        counts = self.counts
        counts["records"] += len(block.run)
        counts["predicted"] += int(((ops & PREDICT) != 0).sum())
        counts["learned"] += int(((ops & LEARN) != 0).sum())
        counts["set_aside"] += len(block.dead)
        counts["skipped"] += sum(letter.error == "raised" for letter in block.dead)
        counts["removed"] += len(block.removed)
        # What a late label teaches has no key and asks for none.
        asked = (block.examples.op & PREDICT) != 0
        counts["unkeyed"] += block.keys.count(None) - int((~asked).sum())

    def _move(self, run: Run) -> None:
        before = self.positions.get(run.place)
        time = max(0 if before is None else before.time, max(run.times))
        self.positions[run.place] = Position(*run.place, run.offsets[-1] + 1, run.digest(-1), time)
        self.sequence += len(run)
