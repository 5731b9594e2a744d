"""A stream over several partitions, and services that crash on it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stream.app import Service
from stream.config import Config, load
from stream.log import Message
from stream.log_kinds import open_appender
from stream.loop import Loop
from stream.replay import replay
from tests import streams

PARTITIONS = 3
RECORDS = 1_250
TEXT = """
    name = "parts"
    task = "classification"
    log.path = "log.db"
    store.path = "store.db"
    record.label = "label"
    checkpoint.records = 300
    [model]
    pipeline = ["river.preprocessing.StandardScaler", "river.linear_model.LogisticRegression"]
"""


class Crash(Exception):
    """Stands for a death between two blocks: nothing is saved, nothing is told."""


def written(folder: Path, more: str = "") -> Config:
    """A configuration in its file, with more tables before it."""
    (folder / "parts.toml").write_text(more + TEXT, "utf-8")
    return load(folder / "parts.toml")


def feed(config: Config, messages: list[Message], partitions: int = PARTITIONS) -> None:
    appender = open_appender(config)
    appender.create(partitions)
    appender.append(messages)
    appender.close()


def grow(config: Config, number: int) -> None:
    """Give the topic one more partition, as an administrator would."""
    with closing(sqlite3.connect(config.log.path)) as log, log:
        log.execute(
            "INSERT INTO partition (topic, number, next) VALUES (?, ?, 0)",
            (config.log.topic, number),
        )


def messages() -> list[Message]:
    return [
        Message(b"%d" % (i % 97), json.dumps(row | {"label": label}).encode(), 1_000 * i)
        for i, (row, label) in enumerate(streams.phishing())
    ]


def crash_at(config: Config, sequence: int) -> None:
    def watch(running: Loop) -> None:
        if running.shard.sequence >= sequence:
            raise Crash

    with pytest.raises(Crash):
        Service(config).run(until_end=True, watch=watch)


def stop_behind_one_block(config: Config) -> None:
    blocks: list[Loop] = []
    Service(config).run(stop=lambda: bool(blocks), watch=blocks.append)


def replayed(config: Config, name: str, capsys: pytest.CaptureFixture[str], **how: bool) -> str:
    capsys.readouterr()
    replay(config.folder / "parts.toml", name, [], None, None, **how)
    return capsys.readouterr().out.split()[-1]
