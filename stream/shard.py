"""The shard: one learner, what the stream has shown it, its scores and its place in the log."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from learners.base import LEARN, PREDICT, Learner, Predictions, State
from stream.block import Block
from stream.checkpoint import Snapshot
from stream.decode import Decoder
from stream.log import Run
from stream.manifest import Manifest, Position
from stream.score import Scores

COUNTS = ("records", "predicted", "learned", "set_aside", "removed", "unkeyed")


class Shard:
    """Everything a checkpoint keeps; equal records in equal order give equal shards.

    Attributes
    ----------
    lineage, sequence
        The model version.
    positions
        Where to go on in each (topic, partition).
    counts
        Records by what became of them.
    """

    def __init__(self, learner: Learner, decoder: Decoder, scores: Scores) -> None:
        self.learner = learner
        self.decoder = decoder
        self.scores = scores
        self.lineage = 0
        self.sequence = 0
        self.positions: dict[tuple[str, int], Position] = {}
        self.counts = dict.fromkeys(COUNTS, 0)

    def take(self, run: Run) -> tuple[Block, Predictions]:
        """Decode a run, answer and learn its rows, score the answers, and move on past it."""
        block = self.decoder.decode(run, self.sequence)
        answers = self.learner.predict_learn(block.examples)
        for row, reason in answers.refused.items():
            block.set_aside(block.places[row], reason)
        self.scores.update(block.examples, answers)
        self._count(block, answers)
        self._move(run)
        return block, answers

    def begun(self, topic: str) -> bool:
        """Return whether a topic has been begun."""
        return any(position.topic == topic for position in self.positions.values())

    def begin(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Set where to start in each partition of a topic."""
        for partition, offset in offsets.items():
            self.positions[topic, partition] = Position(topic, partition, offset, "")

    def offsets(self, topic: str) -> dict[int, int]:
        """Return the next offset to take in each partition of a topic."""
        return {p.partition: p.offset for p in self.positions.values() if p.topic == topic}

    def snapshot(self) -> Snapshot:
        """Return a copy of the whole state; nothing is changed by it."""
        states = {
            "learner": self.learner.state(),
            "decoder": State(meta=self.decoder.state()),
            "scores": self.scores.state(),
        }
        positions = tuple(self.positions.values())
        return Snapshot(self.lineage, self.sequence, positions, dict(self.counts), states)

    def restore(self, saved: Manifest, state: Callable[[Manifest, str], State]) -> None:
        """Become the shard that a checkpoint keeps; `state` reads one of its components."""
        self.learner.restore(state(saved, "learner"))
        self.decoder.restore(state(saved, "decoder").meta)
        self.scores.restore(state(saved, "scores"))
        self.lineage, self.sequence = saved.lineage, saved.sequence
        self.positions = {(p.topic, p.partition): p for p in saved.positions}
        self.counts = dict.fromkeys(COUNTS, 0) | saved.counts

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
        counts["removed"] += len(block.removed)
        counts["unkeyed"] += block.keys.count(None)

    def _move(self, run: Run) -> None:
        last = hashlib.sha256(b"%d " % run.offsets[-1])
        last.update(b"%d " % (-1 if run.keys[-1] is None else len(run.keys[-1])))
        last.update(run.keys[-1] or b"")
        last.update(run.values[-1] or b"")
        place = (run.topic, run.partition)
        self.positions[place] = Position(*place, run.offsets[-1] + 1, last.hexdigest())
        self.sequence += len(run)
