"""Streams whose labels come later, and what a plain loop with river makes of them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from learners.base import PREDICT
from stream.app import new_shard
from stream.block import Block, DeadLetter
from stream.checkpoint import Checkpoints
from stream.config import Config
from stream.folder import Folder
from stream.journal import Tick
from stream.lateness import COUNTS
from stream.log import Run

TOPIC, LABELS = "records", "labels"
WITHIN = 20


class Event(NamedTuple):
    """One record, or time that goes on: "features", "label", "whole", "bad" or "tick"."""

    kind: str
    id: int
    step: int
    x: float = 0.0
    y: Any = "a"
    weight: int = 1


@dataclasses.dataclass(frozen=True)
class Delayed:
    """Events as records at offsets of their topics, and at times.

    Labels have a topic of their own if they are `apart`; the weight is in a field if `weighted`.
    """

    events: list[Event]
    apart: bool = False
    weighted: bool = False

    @property
    def timed(self) -> Iterator[tuple[int, Event, int]]:
        """The events with their numbers and times."""
        time = 1_000
        for i, event in enumerate(self.events):
            time += event.step
            yield i, event, time

    def runs(self, cuts: Collection[int] = ()) -> Iterator[Run | Tick]:
        """The records in order, cut where the topic changes and before the numbers in `cuts`."""
        part: Run | None = None
        for i, (time, topic, offset, value) in enumerate(self._records()):
            if part is not None and (part.topic != topic or i in cuts):
                yield part
                part = None
            if value is None:
                yield Tick(time)
                continue
            part = part or Run(topic, 0, [], [], [], [])
            part.offsets.append(offset)
            part.times.append(time)
            part.keys.append(b"k%d" % i)
            part.values.append(value)
        if part is not None:
            yield part

    def _records(self) -> Iterator[tuple[int, str, int, bytes | None]]:
        offsets = {TOPIC: 100, LABELS: 7_000, "": 0}
        for _, event, time in self.timed:
            topic = LABELS if self.apart and event.kind == "label" else TOPIC
            topic = "" if event.kind == "tick" else topic
            yield time, topic, offsets[topic], self._value(event)
            offsets[topic] += 1

    def _value(self, event: Event) -> bytes | None:
        record: dict[str, Any] = {"id": event.id}
        if event.kind == "tick":
            return None
        if event.kind == "bad":
            return b"{"
        if event.kind != "label":
            record |= {"x": event.x, "z": event.x * 2}
            if self.weighted:
                record["w"] = event.weight
        if event.kind != "features":
            record["y"] = event.y
        return json.dumps(record).encode()


def configured(folder: Path, task: str, model: Any, apart: bool, **given: Any) -> Config:
    """The configuration of such a stream."""
    record = given.pop("record", {})
    label = {"within": f"{WITHIN}ms", **given} | ({"topic": LABELS} if apart else {})
    values = {
        "name": TOPIC,
        "task": task,
        "record": {"id": "id", "label": "y", **record},
        "label": {name: value for name, value in label.items() if value is not None},
        "model": model,
        "score": {"window": 10_000},
    }
    return Config.of(values, folder)


class Taken:
    """A shard that takes runs, and what it said."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.shard = new_shard(config)
        self.predicted: dict[str, tuple[float | None, list[float]]] = {}
        self.dead: list[DeadLetter] = []

    def take(self, came: Run | Tick) -> Block:
        block, answers = self.shard.take(came)
        self.dead += block.dead
        for i, row in enumerate(block.rows()):
            if row.op & PREDICT and i not in answers.refused:
                assert row.key is not None
                proba = [] if answers.proba is None else answers.proba[i].tolist()
                while proba and proba[-1] == 0.0:
                    proba.pop()  # of classes that came later in the block
                value = float(answers.value[i])
                self.predicted[row.key] = (None if math.isnan(value) else value, proba)
        return block

    def resume(self) -> None:
        """Go on as another process would, from a checkpoint of this one."""
        first, second = self.place(), self.place()
        first.claim(self.shard.snapshot())
        first.publish(self.shard.snapshot())
        self.shard = new_shard(self.config)
        self.shard.restore(second.claim(self.shard.snapshot()), second.state)

    def place(self) -> Checkpoints:
        return Checkpoints(Folder(self.config.checkpoint.path), "name", {}, "")

    @property
    def labels(self) -> dict[str, Any]:
        assert self.shard.join is not None
        return self.shard.join.report()


class Slot:
    """What waits in a plain loop."""

    def __init__(self, name: str, kind: str, time: int, deadline: int, **held: Any) -> None:
        self.name, self.kind, self.time, self.deadline = name, kind, time, deadline
        self.held = held
        self.status = "waits"


class Plain:
    """Test, wait for the label, then train: one record at a time around a river model."""

    def __init__(self, model: Any, keep: int, default: Any, proba: bool = True) -> None:
        self.model, self.keep, self.default, self.proba = model, keep, default, proba
        self.slots: list[Slot] = []
        self.known: dict[str, Slot] = {}
        self.counts = dict.fromkeys(COUNTS, 0)
        self.lags: list[int] = []
        self.graded: list[tuple[Any, Any, dict[Any, float]]] = []
        self.predicted: dict[str, tuple[Any, dict[Any, float]]] = {}
        self.now = -math.inf

    def take(self, i: int, event: Event, time: int) -> None:
        if event.kind == "bad":
            return
        self.now = max(self.now, time)
        for slot in self.slots:
            if slot.status == "waits" and slot.deadline < self.now:
                self._end(slot, "expired")
        if event.kind == "tick":
            return
        new = str(event.id) not in self.known
        if event.kind == "whole" and new:
            self._whole(i, event, time)
            return
        if new and len(self.waiting) >= self.keep:
            self._end(self.waiting[0], "evicted")
        if event.kind in ("features", "whole"):
            self._features(i, event, time)
        if event.kind in ("label", "whole"):
            self._label(event, time)

    @property
    def waiting(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.status == "waits"]

    def _whole(self, i: int, event: Event, time: int) -> None:
        x, served = self._predict(i, event)
        self._learn(x, event.y, served, event.weight)
        slot = Slot(str(event.id), "features", time, 0)
        slot.status = "met"
        self.known[slot.name] = slot

    def _features(self, i: int, event: Event, time: int) -> None:
        x, served = self._predict(i, event)
        slot = self.known.get(str(event.id))
        if slot is None:
            self._wait("features", event, time, x=x, served=served, weight=event.weight)
        elif slot.status == "waits" and slot.kind == "label":
            self._match(slot, slot.time - time)
            self._learn(x, slot.held["y"], served, event.weight)
        else:
            self.counts["repeated_ids"] += 1

    def _label(self, event: Event, time: int) -> None:
        slot = self.known.get(str(event.id))
        self.counts["labels"] += 1
        if slot is None:
            self.counts["early"] += 1
            self._wait("label", event, time, y=event.y)
        elif slot.status == "waits" and slot.kind == "features":
            self._match(slot, time - slot.time)
            self._learn(slot.held["x"], event.y, slot.held["served"], slot.held["weight"])
        else:
            self.counts["unmatched" if slot.status == "gone" else "repeated_labels"] += 1

    def _wait(self, kind: str, event: Event, time: int, **held: Any) -> None:
        slot = Slot(str(event.id), kind, time, int(self.now) + WITHIN, **held)
        self.slots.append(slot)
        self.known[slot.name] = slot

    def _end(self, slot: Slot, why: str) -> None:
        slot.status = "gone"
        if slot.kind == "label":
            self.counts["unmatched"] += 1
            del self.known[slot.name]
            return
        self.counts[why] += 1
        if self.default is not None:
            self.counts["defaulted"] += 1
            held = slot.held
            self._learn(held["x"], self.default, held["served"], held["weight"])

    def _match(self, slot: Slot, lag: int) -> None:
        slot.status = "met"
        self.counts["matched"] += 1
        self.lags.append(lag)

    def _predict(self, i: int, event: Event) -> tuple[dict[str, float], Any]:
        x = {"x": event.x, "z": event.x * 2}
        if self.proba:
            proba = dict(self.model.predict_proba_one(x))
            served = (max(proba, key=lambda label: proba[label]) if proba else None), proba
        else:
            served = self.model.predict_one(x), {}
        self.predicted[f"k{i}"] = served
        return x, served

    def _learn(self, x: Any, y: Any, served: Any, weight: int) -> None:
        self.graded.append((y, *served))
        if weight:
            options = {} if weight == 1 else {"w": float(weight)}
            self.model.learn_one(x, y, **options)
