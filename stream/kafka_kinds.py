"""What a configuration with Kafka opens; `stream.log_kinds` imports it for such ones alone."""

from __future__ import annotations

from stream.config import Config
from stream.confluent_options import CONFLUENT, chosen
from stream.kafka_topics import read_topic
from stream.log import Appender, Log
from stream.log_kafka import KafkaAppender, KafkaLog
from stream.log_process import ProcessLog
from stream.producer import Producer
from stream.producer_kafka import TransactionalProducer

__all__ = ["described", "open_appender", "open_log", "open_producer", "read_topic"]


def described(config: Config) -> str:
    """See `stream.log_kinds.described`."""
    log = config.log
    client, why = chosen(log.client, log.options)
    if client == CONFLUENT:
        return "kafka, read with confluent-kafka"
    return f"kafka, read with kafka-python{f': confluent-kafka met {why}' if why else ''}"


def open_log(config: Config, group: str | None, topic: str) -> Log:
    """See `stream.log_kinds.open_log`."""
    log = config.log
    client = chosen(log.client, log.options).client
    if group is None:
        return KafkaLog(log.servers, topic, None, log.options, client=client, describes=log.group)
    # A member of the group must live on while a learner holds the interpreter; who only looks
    # needs no process of its own.
    shared = config.scope == "partition"
    return ProcessLog(log.servers, topic, group, log.options, shared=shared, client=client)


def open_appender(config: Config, topic: str) -> Appender:
    """See `stream.log_kinds.open_appender`."""
    return KafkaAppender(config.log.servers, topic, config.log.options)


def open_producer(config: Config, name: str) -> Producer:
    """See `stream.log_kinds.open_producer`."""
    log = config.log
    return TransactionalProducer(log.servers, name, log.group, log.options)
