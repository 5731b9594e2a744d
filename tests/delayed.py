"""Streams whose labels come later, and a shard that takes them."""

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
from stream.log import Run

TOPIC, LABELS = "records", "labels"
WITHIN = 20
NAIVE_BAYES = {"learner": "river.naive_bayes.GaussianNB"}
SCALER = "river.preprocessing.StandardScaler"
LINEAR = {"pipeline": [SCALER, "river.linear_model.LinearRegression"]}


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


def run_of(*records: dict[str, Any], times: list[int] | None = None, topic: str = TOPIC) -> Run:
    """Records as JSON at offsets from 0."""
    n = len(records)
    values: list[bytes | None] = [json.dumps(record).encode() for record in records]
    return Run(topic, 0, list(range(n)), times or list(range(n)), [b"k"] * n, values)
