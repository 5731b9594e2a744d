"""Killed with SIGKILL around its transactions, a service sends what one sends that never was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stream.app import Service
from stream.config import Config
from stream.log import Message
from stream.log_kinds import read_topic
from tests import runner, streams
from tests.faults.sending import MOMENTS
from tests.streams import LABEL

MESSAGES = streams.corrupted(streams.drifting(3_000, seed=3), share=0.02, seed=3)
TABLES: dict[str, Any] = {
    "task": "classification",
    "record": {"label": LABEL},
    "model": {"learner": "river.naive_bayes.GaussianNB"},
    "checkpoint": {"records": 250},
    "dead": {"topic": "dead"},
    "predictions": {"topic": "predictions"},
}


def told(config: Config) -> list[list[Message]]:
    topics = config.dead.topic, config.predictions.topic
    return [[m for _, _, m in read_topic(config, topic)] for topic in topics if topic is not None]


def undisturbed(folder: Path, name: str, tables: dict[str, Any]) -> list[list[Message]]:
    """What a service of the same name sends on the embedded log."""
    config = runner.embedded(folder, name, **tables)
    runner.feed(config, MESSAGES)
    Service(config).run(until_end=True)
    return told(config)


def started(path: Path, *arguments: str) -> int:
    command = [sys.executable, "-m", "tests.faults.sending", str(path), *arguments]
    done = subprocess.run(command, cwd=runner.ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def killed(values: dict[str, Any], folder: Path) -> None:
    """Run a configuration to its end, with a kill at each moment on the way."""
    path = folder / "killed.json"
    path.write_text(json.dumps(values), "utf-8")
    for moment in MOMENTS:
        assert started(path, "--moment", moment, "--times", "2") == -signal.SIGKILL
    assert started(path) == 0


@pytest.mark.slow
def test_on_the_embedded_log(tmp_path: Path) -> None:
    values = {"name": "killed", "log": {"path": "log.db"}, "store": {"path": "store.db"}, **TABLES}
    config = Config.of(values, tmp_path)
    runner.feed(config, MESSAGES)
    killed(values, tmp_path)
    dead, predictions = told(config)
    assert [dead, predictions] == undisturbed(tmp_path / "whole", "killed", TABLES)
    assert len(dead) + len(predictions) == len(MESSAGES)


@pytest.mark.services
def test_on_kafka(tmp_path: Path, kafka_servers: str, redis_url: str, topic_name: str) -> None:
    topics = {kind: {"topic": f"{topic_name}-{kind}"} for kind in ("dead", "predictions")}
    # A static member takes over from one that died at once, without its session timeout.
    log = {
        "kind": "kafka",
        "servers": kafka_servers,
        "options": {"group_instance_id": topic_name},
    }
    store = {"kind": "redis", "url": redis_url}
    values = {**TABLES, **topics, "name": topic_name, "log": log, "store": store}
    config = Config.of(values, tmp_path)
    runner.feed(config, MESSAGES)
    killed(values, tmp_path)
    dead, predictions = told(config)
    whole = undisturbed(tmp_path / "whole", topic_name, TABLES | topics)
    assert [dead, predictions] == whole
    assert len(dead) + len(predictions) == len(MESSAGES)
