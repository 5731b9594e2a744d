"""The kinds of log that a configuration may name."""

from __future__ import annotations

from stream.config import Config
from stream.log import Appender, Log
from stream.log_embedded import EmbeddedAppender, EmbeddedLog
from stream.log_kafka import KafkaAppender, KafkaLog
from stream.log_process import ProcessLog


def open_log(config: Config, group: str | None) -> Log:
    """Connect to the configured log, as a member of a group or as a plain reader."""
    log = config.log
    if log.kind == "kafka":
        # A member of the group must live on while a learner holds the interpreter; who only looks
        # needs no process of its own.
        kafka = KafkaLog if group is None else ProcessLog
        return kafka(log.servers, log.topic, group, log.options)
    return EmbeddedLog(log.path, log.topic, group)


def open_appender(config: Config) -> Appender:
    """Connect to the producing side of the configured topic."""
    log = config.log
    if log.kind == "kafka":
        return KafkaAppender(log.servers, log.topic, log.options)
    return EmbeddedAppender(log.path, log.topic)
