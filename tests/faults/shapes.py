"""What a trial runs: the learners, and the shapes in which records and labels come."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
from collections.abc import Sequence
from typing import Any

from stream.config import Config
from stream.log import Message
from stream.log_kinds import open_appender
from tests.faults.moments import ALONE, MOMENTS, ORDERED
from tests.streams import LABEL, Stream

LEARNERS: dict[str, dict[str, Any]] = {
    "river": {
        "pipeline": [
            "river.preprocessing.StandardScaler",
            "river.linear_model.LogisticRegression",
        ]
    },
    "sgd": {"learner": "sklearn.linear_model.SGDClassifier"},
    "rolling": {
        "learner": "river.naive_bayes.GaussianNB",
        "window": {"records": 500, "keep": 5},
    },
    "compiled": {
        "pipeline": [
            "river.preprocessing.StandardScaler",
            "river.linear_model.LogisticRegression",
        ],
        "compile": "auto",
    },
    "forest": {
        "learner": "learners.compiled.forest.AdaptiveRandomForestClassifier",
        "params": {"n_models": 3, "seed": 1},
    },
}
BROKEN = 0.01
"""The share of records that are broken, or remove their key."""
UNLABELLED = 0.02
"""The share of labels that never come, where they come late."""
LATEST_MS = 300_000
EVERY, OFTEN = 500, "30ms"
"""Records, or time, between checkpoints."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """How records come.

    Attributes
    ----------
    partitions
        How many each topic has.
    late
        Whether labels come late, in a topic of their own; dead letters are sent to a topic then.
    moments
        Those at which a service may be killed.
    topics
        Whether predictions are sent to a topic too; else checkpoints are written by the clock,
        while the loop goes on.
    """

    partitions: int
    late: bool
    moments: tuple[str, ...]
    topics: bool = True

    @property
    def checkpoint(self) -> dict[str, Any]:
        """Return when checkpoints come."""
        return {"records": EVERY} if self.topics else {"every": OFTEN}

    def tables(self, name: str, run: str, learner: str) -> dict[str, Any]:
        """Return what a run's configuration says of records, model and topics."""
        record = {"label": LABEL, "classes": ["UP", "DOWN"], "positive": "UP"}
        tables: dict[str, Any] = {
            "task": "classification",
            "record": record,
            "model": LEARNERS[learner],
        }
        if self.topics:
            tables["predictions"] = {"topic": f"{name}-{run}-predictions"}
        if self.late:
            record["id"] = "id"
            label = {"topic": f"{name}-labels", "within": "1h", "default": "DOWN"}
            tables |= {"label": label, "dead": {"topic": f"{name}-{run}-dead"}}
        return tables

    def feed(self, config: Config, stream: Stream, seed: int) -> int:
        """Make the topics and append the stream; return how many records that are."""
        draw = random.Random(seed)
        fed = {config.log.topic: _records(stream, self.late, draw)}
        if config.label is not None:
            fed[str(config.label.topic)] = _labels(stream, draw)
        count = 0
        for topic, messages in fed.items():
            with contextlib.closing(open_appender(config, topic)) as appender:
                appender.create(self.partitions)
                count += appender.append([_broken(message, draw) for message in messages])
        return count


SHAPES = {
    "A": Shape(1, False, MOMENTS),
    "B": Shape(4, True, MOMENTS + ORDERED),
    "C": Shape(1, False, ALONE, topics=False),
}


def _records(stream: Stream, late: bool, draw: random.Random) -> list[Message]:
    """Return a record a second; every fourth is under a shared key."""
    return [
        Message(
            b"shared%d" % draw.randrange(97) if i % 4 == 0 else b"%d" % i,
            json.dumps({**x, "id": i} if late else {**x, LABEL: y}).encode(),
            1_000 * i,
        )
        for i, (x, y) in enumerate(stream)
    ]


def _labels(stream: Stream, draw: random.Random) -> list[Message]:
    """Return the labels in the order in which they come, some before their features."""
    labels = [
        Message(
            b"%d" % i,
            json.dumps({"id": i, LABEL: y}).encode(),
            max(0, 1_000 * i + draw.randrange(-LATEST_MS // 10, LATEST_MS)),
        )
        for i, y in enumerate(stream.labels)
        if draw.random() >= UNLABELLED
    ]
    return sorted(labels, key=lambda label: label.time)


def _broken(message: Message, draw: random.Random) -> Message:
    if draw.random() >= BROKEN or message.value is None:
        return message
    values: Sequence[bytes | None] = (message.value[:-1], b"\xff" + message.value, b"null", None)
    return message._replace(value=draw.choice(values))
