"""Where a topic may live, so that one contract runs on every log."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from kafka import KafkaAdminClient, TopicPartition

from stream.confluent_options import KAFKA_PYTHON, Client
from stream.log import Appender, Log, Message
from stream.log_embedded import EmbeddedAppender, EmbeddedLog
from stream.log_kafka import KafkaAppender, KafkaLog
from stream.log_process import ProcessLog

PATIENCE = 20.0


class Place:
    """Where one test's topic lives: makes logs and appenders, and closes them afterwards."""

    def __init__(
        self,
        topic: str,
        log: Callable[[str | None], Log],
        appender: Callable[[], Appender],
        delete_before: Callable[[int], None],
    ) -> None:
        self.topic = topic
        self._log, self._appender = log, appender
        self.delete_before = delete_before
        self._open = contextlib.ExitStack()

    def log(self, group: str | None = None) -> Log:
        return self._open.enter_context(contextlib.closing(self._log(group)))

    def appender(self) -> Appender:
        return self._open.enter_context(contextlib.closing(self._appender()))

    def holding(self, *messages: Message, partitions: int = 1) -> Appender:
        appender = self.appender()
        assert appender.create(partitions)
        assert appender.append(messages) == len(messages)
        return appender

    def reading(self, group: str | None = None) -> Log:
        """Return a log that reads every partition from its first record."""
        log = self.log(group)
        assert log.acquire(PATIENCE) == frozenset(log.bounds())
        log.seek({partition: at.first for partition, at in log.bounds().items()})
        return log

    def close(self) -> None:
        self._open.close()


def embedded(folder: Path, topic: str) -> Place:
    path = folder / "log.db"

    def delete_before(offset: int) -> None:
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("DELETE FROM record WHERE offset < ?", (offset,))

    return Place(
        topic,
        lambda group: EmbeddedLog(path, topic, group),
        lambda: EmbeddedAppender(path, topic),
        delete_before,
    )


def kafka(
    servers: str, topic: str, log: type[KafkaLog | ProcessLog], client: Client = KAFKA_PYTHON
) -> Place:
    def delete_before(offset: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=servers)
        admin.delete_records({TopicPartition(topic, 0): offset})
        admin.close()

    return Place(
        topic,
        lambda group: log(servers, topic, group, client=client),
        lambda: KafkaAppender(servers, topic),
        delete_before,
    )
