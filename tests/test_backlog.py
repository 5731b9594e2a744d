"""A backlog over several partitions: labels meet their features as if they came in time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stream.app import Service
from stream.config import Config
from stream.log import Message
from stream.log_kinds import open_appender
from tests import runner

SECOND = 1_000
ORDERS, WITHIN = 2_400, 600 * SECOND
"""An order each second: a partition's share of them is longer than the wait for a label."""


def order(i: int) -> Message:
    value = json.dumps({"id": str(i), "x": float(i % 7)}).encode()
    return Message(b"%d" % (i % 40), value, i * SECOND)


def label(i: int) -> Message:
    """It comes late in every fourth case, and just in time in the others."""
    delay = WITHIN * (5 if i % 4 == 0 else 3) // 4
    value = json.dumps({"id": str(i), "label": i % 7 > 3}).encode()
    return Message(b"%d" % (i % 40), value, i * SECOND + delay)


def feed(config: Config, topic: str, messages: Sequence[Message], partitions: int) -> None:
    appender = open_appender(config, topic)
    appender.create(partitions)
    appender.append(sorted(messages, key=lambda message: message.time))
    appender.close()


def check(config: Config, partitions: int) -> None:
    assert config.label is not None and config.label.topic is not None
    feed(config, config.log.topic, [order(i) for i in range(ORDERS)], partitions)
    feed(config, config.label.topic, [label(i) for i in range(ORDERS)], partitions)
    shard = Service(config).run(until_end=True)
    assert shard.join is not None
    told = shard.join.report()
    assert shard.sequence == 2 * ORDERS
    assert told["matched"] == ORDERS * 3 // 4
    assert told["expired"] + told["waiting"] == ORDERS // 4


def tables(labels: str) -> dict[str, Any]:
    return {
        "task": "classification",
        "record": {"id": "id", "label": "label"},
        "label": {"topic": labels, "within": f"{WITHIN}ms"},
        "model": {"learner": "river.linear_model.LogisticRegression"},
    }


@pytest.mark.slow
@pytest.mark.parametrize("partitions", [1, 3])
def test_as_many_labels_meet_their_features_as_came_in_time(
    partitions: int, tmp_path: Path
) -> None:
    check(runner.embedded(tmp_path, "orders", **tables("outcomes")), partitions)


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("partitions", [1, 3])
def test_on_kafka_too(
    partitions: int, tmp_path: Path, kafka_servers: str, redis_url: str, topic_name: str
) -> None:
    given = tables(f"{topic_name}-labels")
    config = runner.on_services(tmp_path, topic_name, kafka_servers, redis_url, **given)
    check(config, partitions)
