"""The kinds of log that a configuration may name."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from stream import log_database
from stream.config import Config
from stream.log import Appender, Log, Message
from stream.log_embedded import EmbeddedAppender, EmbeddedLog
from stream.producer import Producer
from stream.producer_embedded import EmbeddedProducer


def described(config: Config) -> str:
    """Return the kind of log in words: on Kafka also what reads it, and why not confluent-kafka.

    Raises
    ------
    LogError
        That is to read it, and cannot.
    """
    words: str = _kafka().described(config) if config.log.kind == "kafka" else config.log.kind
    return words


def open_log(config: Config, group: str | None, topic: str | None = None) -> Log:
    """Connect to a topic, the service's own if none is named, as a group's member or a reader."""
    log, topic = config.log, config.log.topic if topic is None else topic
    if log.kind == "kafka":
        opened: Log = _kafka().open_log(config, group, topic)
        return opened
    return EmbeddedLog(log.path, topic, group)


def open_appender(config: Config, topic: str | None = None) -> Appender:
    """Connect to the producing side of a topic, the service's own if none is named."""
    log, topic = config.log, config.log.topic if topic is None else topic
    if log.kind == "kafka":
        opened: Appender = _kafka().open_appender(config, topic)
        return opened
    return EmbeddedAppender(log.path, topic)


def open_producer(config: Config) -> Producer:
    """Return the producer of what a service owes; it has yet to begin."""
    log, name = config.log, f"alluvia-{config.owner}"
    if log.kind == "kafka":
        opened: Producer = _kafka().open_producer(config, name)
        return opened
    return EmbeddedProducer(log.path, name, log.group)


def read_topic(config: Config, topic: str) -> Iterator[tuple[int, int, Message]]:
    """Yield partition, offset and message of all that a topic holds now."""
    log = config.log
    if log.kind == "kafka":
        found: Iterator[tuple[int, int, Message]] = _kafka().read_topic(
            log.servers, topic, log.options
        )
        return found
    return log_database.read_topic(log.path, topic)


def _kafka() -> Any:
    """Import what speaks with Kafka: a tenth of the time that a service takes to start."""
    return importlib.import_module("stream.kafka_kinds")
