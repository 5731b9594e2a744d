"""The kinds of log that a configuration may name."""

from __future__ import annotations

from collections.abc import Iterator

from stream import kafka_topics, log_database
from stream.config import Config
from stream.confluent_options import CONFLUENT, chosen
from stream.log import Appender, Log, Message
from stream.log_embedded import EmbeddedAppender, EmbeddedLog
from stream.log_kafka import KafkaAppender, KafkaLog
from stream.log_process import ProcessLog
from stream.producer import Producer
from stream.producer_embedded import EmbeddedProducer
from stream.producer_kafka import TransactionalProducer


def described(config: Config) -> str:
    """Return the kind of log in words: on Kafka also what reads it, and why not confluent-kafka.

    Raises
    ------
    LogError
        That is to read it, and cannot.
    """
    log = config.log
    if log.kind != "kafka":
        return log.kind
    client, why = chosen(log.client, log.options)
    if client == CONFLUENT:
        return "kafka, read with confluent-kafka"
    return f"kafka, read with kafka-python{f': confluent-kafka met {why}' if why else ''}"


def open_log(config: Config, group: str | None, topic: str | None = None) -> Log:
    """Connect to a topic, the service's own if none is named, as a group's member or a reader."""
    log, topic = config.log, config.log.topic if topic is None else topic
    if log.kind == "kafka":
        client = chosen(log.client, log.options).client
        if group is None:
            return KafkaLog(
                log.servers, topic, None, log.options, client=client, describes=log.group
            )
        # A member of the group must live on while a learner holds the interpreter; who only looks
        # needs no process of its own.
        shared = config.scope == "partition"
        return ProcessLog(log.servers, topic, group, log.options, shared=shared, client=client)
    return EmbeddedLog(log.path, topic, group)


def open_appender(config: Config, topic: str | None = None) -> Appender:
    """Connect to the producing side of a topic, the service's own if none is named."""
    log, topic = config.log, config.log.topic if topic is None else topic
    if log.kind == "kafka":
        return KafkaAppender(log.servers, topic, log.options)
    return EmbeddedAppender(log.path, topic)


def open_producer(config: Config) -> Producer:
    """Return the producer of what a service owes; it has yet to begin."""
    log, name = config.log, f"alluvia-{config.owner}"
    if log.kind == "kafka":
        return TransactionalProducer(log.servers, name, log.group, log.options)
    return EmbeddedProducer(log.path, name, log.group)


def read_topic(config: Config, topic: str) -> Iterator[tuple[int, int, Message]]:
    """Yield partition, offset and message of all that a topic holds now."""
    log = config.log
    if log.kind == "kafka":
        return kafka_topics.read_topic(log.servers, topic, log.options)
    return log_database.read_topic(log.path, topic)
