"""What a run left: what its shard holds, what it sent and stored, and the order it took."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from redis import Redis

from stream.config import Config
from stream.journal import Taken
from stream.journal_segment import chain
from stream.log import Message
from stream.log_kinds import read_topic
from stream.sources import open_logs
from stream.vault_kinds import journal_end, open_vault
from tests import runner

Record = tuple[str, int, int]
"""Topic, partition and offset."""


@dataclasses.dataclass(frozen=True)
class Left:
    """What a run left behind.

    Attributes
    ----------
    told
        What the process said of its shard in the end.
    dead
        Its dead letters: those of its file, or the messages of their topic.
    predictions
        The messages of predictions, each with its partition.
    values
        Every stored prediction by its key, as the store shows it.
    """

    told: dict[str, Any]
    dead: list[Any]
    predictions: list[tuple[int, Message]]
    values: dict[str, Any]


def left_by(config: Config, told: dict[str, Any], values: dict[str, Any]) -> Left:
    """Return what a run left, which has ended."""
    topic = config.dead.topic
    dead: list[Any] = runner.dead_letters(config) if topic is None else sent(config, topic)
    topic = config.predictions.topic
    return Left(told, dead, [] if topic is None else sent(config, topic), values)


def sent(config: Config, topic: str) -> list[tuple[int, Message]]:
    """Return what a topic has for a `read_committed` reader, in the order of each partition."""
    found = sorted(read_topic(config, topic), key=lambda one: one[:2])
    return [(partition, message) for partition, _, message in found]


def values(url: str, name: str) -> dict[str, dict[str, str]]:
    """Return every stored prediction of a service, by the key in Redis."""
    with Redis.from_url(url, decode_responses=True, protocol=2) as redis:
        keys = sorted(redis.scan_iter(f"alluvia:{{{name}}}:prediction:*", count=1_000))
        pipeline = redis.pipeline(transaction=False)
        for key in keys:
            pipeline.hgetall(key)
        return dict(zip(keys, pipeline.execute(), strict=True))


def taken(config: Config) -> list[Record]:
    """Return the records that the journal tells of, sorted; none where nothing was journalled."""
    return sorted(
        (entry.topic, entry.partition, offset)
        for entry in chain(open_vault(config), None, journal_end(config))
        if isinstance(entry, Taken)
        for offset in range(entry.first, entry.last + 1)
    )


def held(config: Config) -> list[Record]:
    """Return the records that the topics hold, sorted."""
    with contextlib.ExitStack() as stack:
        logs = [stack.enter_context(contextlib.closing(log)) for log in open_logs(config, False)]
        return sorted(
            (log.topic, partition, offset)
            for log in logs
            for partition, at in log.bounds().items()
            for offset in range(at.first, at.end)
        )
