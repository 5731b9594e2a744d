"""Lives of a service whose every record is a dead letter, and the world that they leave."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learners.base import Classes, Predictions, Task
from stream import kafka_topics, log_database
from stream.block import Block
from stream.checkpoint import Checkpoints, Snapshot
from stream.courier import Courier
from stream.dead_topic import letters_in
from stream.folder import Folder
from stream.log import Message, Place, Run
from stream.log_embedded import EmbeddedAppender
from stream.log_kafka import KafkaAppender
from stream.manifest import Position
from stream.outbox import Outbox
from stream.producer import Producer
from stream.producer_embedded import EmbeddedProducer
from stream.producer_kafka import TransactionalProducer

NO_ANSWERS = Predictions(np.empty(0))
STEPS = ("unsent", "sending", "positions", "sent", "unsettled")


class Cut(Exception):
    """The end of a process, as far as one process can have it."""


class Cutting:
    """A producer during whose next sending its process ends, at a step."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self.step: str | None = None
        self.begun = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def begin(self, places: Iterable[Place]) -> list[str]:
        self.begun += 1
        return self._producer.begin(places)

    def send(
        self,
        messages: Iterable[tuple[str, Message]],
        positions: Mapping[Place, int],
        metadata: str,
    ) -> None:
        self._cut("unsent")
        listed = list(messages)
        half = itertools.chain(listed[: len(listed) // 2], self._cutting("sending"))
        cut = _Positions(positions, lambda: self._cut("positions"))
        self._producer.send(itertools.chain(half, listed[len(listed) // 2 :]), cut, metadata)
        self._cut("sent")

    def _cutting(self, step: str) -> Iterator[tuple[str, Message]]:
        self._cut(step)
        yield from ()

    def _cut(self, step: str) -> None:
        if self.step == step:
            raise Cut


class _Positions(dict[Place, int]):
    def __init__(self, positions: Mapping[Place, int], before: Callable[[], None]) -> None:
        super().__init__(positions)
        self._before = before

    def items(self) -> Any:
        self._before()
        return super().items()


class Life:
    """One life of a service of which each record is a dead letter, from its claim on."""

    def __init__(self, world: World, stop: Callable[[], bool] = lambda: False) -> None:
        self._world = world
        self.checkpoints = Checkpoints(Folder(world.folder), "name", {}, "", keep=2)
        self.reads = world.topic
        self.lineage, self.sequence = 0, 0
        saved = self.checkpoints.claim(self._snapshot())
        self.lineage, self.sequence = saved.lineage, saved.sequence
        self.producer = Cutting(world.producer())
        self.outbox = Outbox("name", world.to, None)
        self.courier = Courier(self.outbox, self.producer, self.checkpoints, [world.topic], stop)

    def resume(self) -> Life:
        self.courier.resume()
        return self

    def take(self, records: int) -> None:
        run = Run(self._world.topic, 0, *([*range(self.sequence, self.sequence + records)],) * 2,
                  [b"k%d" % (self.sequence + i) for i in range(records)],
                  [b"v"] * records)  # fmt: skip
        block = Block.of(run, self.sequence, Classes())
        for place in range(records):
            block.set_aside(place, f"record {self.sequence + place}")
        self.outbox.add(block, NO_ANSWERS, Task.CLASSIFICATION, self.lineage)
        self.sequence += records

    def cut_at(self, step: str | None) -> None:
        """Let the process end at a step of what it does next."""
        self.producer.step = step
        if step == "unsettled":
            vars(self.checkpoints)["settle"] = _end

    def publish(self) -> None:
        snapshot = self._snapshot()
        snapshot.outbox = self.outbox.pack()
        self.checkpoints.publish(snapshot)

    def save(self, step: str | None = None) -> None:
        """Publish and deliver; the process ends at a step, if one is given."""
        self.publish()
        self.cut_at(step)
        self.courier.deliver()

    def _snapshot(self) -> Snapshot:
        at = Position(self.reads, 0, self.sequence, "")
        return Snapshot(self.lineage, self.sequence, (at,), {}, {})


def _end() -> None:
    raise Cut


class World:
    """The folder of a service and its topics."""

    def __init__(
        self,
        folder: Path,
        topic: str,
        producer: Callable[[], Producer],
        read: Callable[[], Iterable[tuple[int, int, Message]]],
    ) -> None:
        self.folder, self.topic, self.to = folder, topic, f"{topic}-to"
        self._producer, self._read = producer, read
        self._open = contextlib.ExitStack()

    def producer(self) -> Producer:
        return self._open.enter_context(contextlib.closing(self._producer()))

    def sent(self) -> list[int]:
        """The offsets told of, in the order of the topic."""
        return [letter.offset for letter in letters_in(self._read, "name")]

    def receipt(self) -> str:
        [receipt] = self.producer().begin([(self.topic, 0)])
        return receipt

    def close(self) -> None:
        self._open.close()


def embedded(folder: Path, topic: str) -> World:
    path = folder / "log.db"
    for name in (topic, f"{topic}-to"):
        with contextlib.closing(EmbeddedAppender(path, name)) as appender:
            appender.create(1)
    return World(
        folder / "checkpoints",
        topic,
        lambda: EmbeddedProducer(path, "alluvia-name", "group"),
        lambda: log_database.read_topic(path, f"{topic}-to"),
    )


def kafka(folder: Path, topic: str, servers: str) -> World:
    for name in (topic, f"{topic}-to"):
        with contextlib.closing(KafkaAppender(servers, name)) as appender:
            appender.create(1)
    return World(
        folder / "checkpoints",
        topic,
        lambda: TransactionalProducer(servers, f"alluvia-{topic}", topic, {}),
        lambda: kafka_topics.read_topic(servers, f"{topic}-to", {}),
    )


def world_of(request: pytest.FixtureRequest, folder: Path, topic: str) -> World:
    """The world that a fixture's parameter names."""
    if request.param == "embedded":
        return embedded(folder, topic)
    return kafka(folder, topic, request.getfixturevalue("kafka_servers"))
