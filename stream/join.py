"""The join: labels that come later meet their features, and are learned where they come."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from learners.base import LEARN, PREDICT, Classes, Features, Predictions, State, Task
from stream.block import Block, Late, Origin, Row
from stream.label_section import LabelConfig
from stream.lateness import Lateness
from stream.log import Place, Run
from stream.parts import LastingPart
from stream.segment import FEATURES, GONE, LABEL, MET, WAITING, Slot
from stream.served import as_served, pack, put, unpack
from stream.waiting import Waiting
from stream.watermark import Watermark

BOTH = PREDICT | LEARN
LATEST = 2**63 - 1
NAME = "labels"
Passed = Mapping[tuple[str, int, int], str]
NOTHING: Passed = {}


@dataclasses.dataclass(slots=True)
class Admitted:
    """What the rows of the block at hand are to the join.

    Attributes
    ----------
    block
        Which.
    passed
        Features that are not to be learned, by topic, partition and offset, with the reason.
    source
        The number of the topic and partition it is of.
    rows
        Its rows so far.
    waits
        The rows of this block's features that wait, by the numbers of their slots.
    served
        By a row that a late label made, the prediction served for its features: the row it is
        the answer to, or what was kept of it.
    """

    block: Block
    passed: Passed
    source: int = -1
    rows: list[Row] = dataclasses.field(default_factory=list)
    waits: dict[int, int] = dataclasses.field(default_factory=dict)
    served: dict[int, int | bytes] = dataclasses.field(default_factory=dict)


class Join:
    """Lets features wait for labels that come later, and learns and scores them when they come.

    It decides row by row, before anything is predicted or learned, and so as if the rows came
    one at a time. What is scored is the prediction as it was served. Time is that of the
    watermark, which the rows taken so far have moved, or `tick`.

    Parameters
    ----------
    config
        How long what waits is kept.
    task
        What looks for anomalies learned the features when they came: their label only scores.
    default
        The target of features that no label came for; None: they are not learned.

    Attributes
    ----------
    waiting
        What waits.
    lateness
        What became of what waited.
    """

    _now: Admitted

    def __init__(self, config: LabelConfig, task: Task, default: float | None) -> None:
        self._within, self._keep, self._default = config.within, config.keep, default
        self._teaches = task is not Task.ANOMALY
        self._watermark = Watermark(config.leap)
        self._sources: list[Place] = []
        self.waiting = Waiting()
        self.lateness = Lateness()

    @property
    def reached(self) -> int | None:
        """The event time reached, in ms; None while nothing waits for it to go on."""
        return self._watermark.time if self.waiting.count else None

    def admit(self, block: Block, passed: Passed = NOTHING) -> None:
        """Give each row of a block its operation, and labels the features they belong to.

        Features in `passed` are not learned when their label comes, but set aside.
        """
        if block.run.place not in self._sources:
            self._sources.append(block.run.place)
        self._now = Admitted(block, passed, self._sources.index(block.run.place))
        for row in block.rows():
            self._pass(row.time, row.place)
            if row.id is None:
                self._now.rows.append(row)
            elif row.op == LEARN:
                self._label(row.id, row)
            elif math.isnan(row.y):
                self._features(row.id, row)
            else:
                self._whole(row.id, row)
        block.fill(self._now.rows)

    def tick(self, time: int, start: int, classes: Classes, passed: Passed = NOTHING) -> Block:
        """Let time go on without a record; return the block of what is learned by that."""
        block = empty_block(start, classes)
        self._now = Admitted(block, passed)
        self._watermark.tick(time)
        self._expire(-1)
        block.fill(self._now.rows)
        return block

    def serve(self, answers: Predictions) -> tuple[Predictions, list[int]]:
        """Take the answers to the block's rows; return them as they are to be scored.

        Also return the rows that late labels made: they are scored with the predictions that
        were served for their features.
        """
        now = self._now
        if not now.served and not now.waits:
            return answers, []
        served = as_served(answers)
        scored = Predictions(answers.value.copy(), answers.proba, answers.refused)
        if scored.proba is not None:
            scored.proba = scored.proba.copy()
        for row, source in now.served.items():
            given = served[source] if isinstance(source, int) else source
            if not given:
                now.block.late[row] = now.block.late[row]._replace(told=True)
            put(scored, row, given)
        for number, row in now.waits.items():
            self.waiting.put(number, pack(now.rows[row].features, served[row]))
        return scored, list(now.served)

    def report(self) -> dict[str, Any]:
        """Return what waits and what became of what waited."""
        return {"waiting": self.waiting.count, **self.lateness.report()}

    def state(self) -> tuple[dict[str, State], dict[str, LastingPart]]:
        """Return the states and lasting parts that keep all this."""
        states, parts = self.waiting.state(f"{NAME}/waiting")
        meta = {
            "watermark": self._watermark.state(),
            "sources": [list(place) for place in self._sources],
            "lateness": self.lateness.state(),
        }
        return {NAME: State(meta=meta), **states}, parts

    def restore(self, names: Mapping[str, str], state: Callable[[str], State]) -> None:
        """Go on from a checkpoint; see `Waiting.restore`."""
        meta = state(NAME).meta
        self._watermark.restore(meta["watermark"])
        self._sources = [(topic, partition) for topic, partition in meta["sources"]]
        self.lateness.restore(meta["lateness"])
        self.waiting.restore(f"{NAME}/waiting", names, state)

    def _pass(self, time: int, place: int) -> None:
        """Let time go on to that of a record, and end what waited until before."""
        since = self._watermark.see(time, self.waiting.next)
        if since is not None:
            self.waiting.put_off(since, self._deadline)
        self.lateness.counts["ahead"] += time > self._time
        self._expire(place)

    def _expire(self, place: int) -> None:
        """End what waited until before the time reached."""
        now = self._time
        while now > self.waiting.due:
            number = self.waiting.overdue(now)
            if number is not None:
                self._end(number, "expired", place)

    def _features(self, name: str, row: Row) -> None:
        number = self.waiting.find(name)
        if number is None:
            number = self._wait(name, FEATURES, row)
            self._now.waits[number] = len(self._now.rows)
        else:
            slot, status = self.waiting.slot(number)
            if slot.kind == LABEL and status == WAITING:
                self.waiting.end(number, MET)
                self.lateness.match(row.time, slot.time)
                row = row._replace(op=BOTH if row.weight else PREDICT, y=slot.amount)
            else:
                self.lateness.counts["repeated_ids"] += 1
                row = row._replace(op=PREDICT)
        self._now.rows.append(row)

    def _label(self, name: str, row: Row) -> None:
        counts = self.lateness.counts
        counts["labels"] += 1
        number = self.waiting.find(name)
        if number is None:
            counts["early"] += 1
            self._wait(name, LABEL, row)
            return
        slot, status = self.waiting.slot(number)
        if slot.kind == FEATURES and status == WAITING:
            self._meet(number, slot, row.y, row.time, row.place)
            self._leave(number, MET)
            self.lateness.match(slot.time, row.time)
        else:
            counts["unmatched" if status == GONE else "repeated_labels"] += 1

    def _whole(self, name: str, row: Row) -> None:
        """Take features and their label in one record, as the one and then the other."""
        if self.waiting.find(name) is None:
            self.waiting.add(self._slot(name, FEATURES, row), MET)
            self._now.rows.append(row)
        else:
            self._features(name, row._replace(y=math.nan))
            self._label(name, row)

    def _wait(self, name: str, kind: int, row: Row) -> int:
        """Let features or a label wait; the oldest gives way where too many do."""
        if self.waiting.count >= self._keep:
            oldest = self.waiting.oldest()
            assert oldest is not None
            self._end(oldest, "evicted", row.place)
        return self.waiting.add(self._slot(name, kind, row))

    def _slot(self, name: str, kind: int, row: Row) -> Slot:
        now = self._now
        amount = row.weight if kind == FEATURES else row.y
        offset = now.block.run.offsets[row.place]
        return Slot(name, kind, self._deadline, row.time, amount, now.source, offset)

    @property
    def _time(self) -> int:
        assert self._watermark.time is not None
        return self._watermark.time

    @property
    def _deadline(self) -> int:
        """Until when waits what comes now."""
        return min(self._time + self._within, LATEST)

    def _end(self, number: int, why: str, place: int) -> None:
        """End a wait in vain, which may be what the features are learned by."""
        slot, _ = self.waiting.slot(number)
        counts = self.lateness.counts
        if slot.kind == LABEL:
            counts["unmatched"] += 1
        else:
            counts[why] += 1
            if self._default is not None:
                self._meet(number, slot, self._default, self._time, place, labelled=False)
        self._leave(number, GONE)

    def _leave(self, number: int, status: int) -> None:
        self._now.waits.pop(number, None)
        self.waiting.end(number, status)

    def _meet(
        self, number: int, slot: Slot, y: float, time: int, place: int, labelled: bool = True
    ) -> None:
        """Add the row of features that wait and their label."""
        now = self._now
        asked = now.waits.get(number)
        features: Features
        source: int | bytes
        if asked is None:
            features, source = unpack(self.waiting.content(number))
        else:
            features, source = now.rows[asked].features, asked
        origin = Origin(*self._sources[slot.source], slot.offset, slot.time)
        if (reason := now.passed.get(origin[:3])) is not None:
            now.block.set_features_aside(origin, features, place, reason, "raised")
            return
        self.lateness.counts["defaulted"] += not labelled
        op = LEARN if self._teaches and slot.amount else 0
        now.block.late[len(now.rows)] = Late(origin, labelled)
        now.served[len(now.rows)] = source
        now.rows.append(Row(features, op, y, slot.amount, time, place, None, None))


def empty_block(start: int, classes: Classes) -> Block:
    """Return a block without records."""
    return Block.of(Run("", 0, [], [], [], []), start, classes)
