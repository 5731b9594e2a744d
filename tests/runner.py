"""Runs a service from a test, and reads what it left: model, scores, dead letters, predictions."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from learners.digests import digest
from stream.app import Service
from stream.block import DeadLetter
from stream.config import Config
from stream.dead import open_dead
from stream.log import Message
from stream.log_kinds import open_appender
from stream.shard import Shard
from stream.store import Entry
from stream.store_kinds import open_store

ROOT = Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run left behind."""

    sequence: int
    digest: str
    report: dict[str, Any]
    counts: dict[str, int]
    decoder: dict[str, Any]
    dead: list[DeadLetter]


def embedded(folder: Path, name: str, **tables: Any) -> Config:
    """A configuration with all of its files in one folder."""
    tables.setdefault("log", {"path": "log.db"})
    tables.setdefault("store", {"path": "store.db"})
    return Config.of({"name": name, **tables}, folder)


def on_services(folder: Path, name: str, servers: str, redis: str, **tables: Any) -> Config:
    """The same with the log and the store on servers."""
    log = {"kind": "kafka", "servers": servers, "options": {"group_instance_id": name}}
    return embedded(folder, name, log=log, store={"kind": "redis", "url": redis}, **tables)


def feed(config: Config, messages: Iterable[Message]) -> int:
    """Make the topic with one partition and append to it."""
    with contextlib.closing(open_appender(config)) as appender:
        appender.create(1)
        return appender.append(messages)


def run(config: Config) -> Outcome:
    """Run the service to the end of what its log holds."""
    return outcome(Service(config).run(until_end=True), config)


def outcome(shard: Shard, config: Config) -> Outcome:
    """What a shard holds, and the dead letters beside its checkpoints."""
    return Outcome(
        shard.sequence,
        digest(shard.learner.estimator),
        shard.scores.report(),
        shard.counts,
        shard.decoder.state(),
        dead_letters(config),
    )


def dead_letters(config: Config) -> list[DeadLetter]:
    """The records that were set aside, in order."""
    with contextlib.closing(open_dead(config)) as dead:
        return list(dead.letters())


def stored(config: Config, keys: Sequence[str]) -> list[Entry | None]:
    """What the store holds for each key."""
    with contextlib.closing(open_store(config)) as store:
        return store.get(keys)
