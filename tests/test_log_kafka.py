"""What only the log on Kafka has: a group that shares partitions out, and a client to configure."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from stream.confluent_options import Client
from stream.errors import LogError
from stream.log import Message
from stream.log_kafka import KafkaAppender, KafkaLog

PATIENCE = 20.0


class Broker:
    """One test's topic on the broker; closes what it opened."""

    def __init__(self, servers: str, topic: str, client: Client) -> None:
        self.servers, self.topic, self._client = servers, topic, client
        self._open = contextlib.ExitStack()

    def log(self, group: str | None, **options: Any) -> KafkaLog:
        log = KafkaLog(self.servers, self.topic, group, options, client=self._client)
        return self._open.enter_context(contextlib.closing(log))

    def feed(self, count: int, partitions: int = 1) -> None:
        with contextlib.closing(KafkaAppender(self.servers, self.topic)) as appender:
            appender.create(partitions)
            appender.append(Message(b"%d" % i, b"%d" % i, i) for i in range(count))

    def close(self) -> None:
        self._open.close()


@pytest.fixture
def broker(kafka_servers: str, topic_name: str, client: Client) -> Iterator[Broker]:
    made = Broker(kafka_servers, topic_name, client)
    yield made
    made.close()


def acquired(log: KafkaLog) -> frozenset[int]:
    held = log.acquire(PATIENCE)
    assert held is not None
    return held


@pytest.mark.services
def test_one_member_holds_all_partitions_until_it_leaves(broker: Broker) -> None:
    broker.feed(100, partitions=3)
    first = broker.log("group")
    assert acquired(first) == frozenset({0, 1, 2})
    first.seek({0: 0, 1: 0, 2: 0})
    second, third = broker.log("group"), broker.log("group")
    taken = 0
    deadline = time.monotonic() + PATIENCE
    while taken < 100 or time.monotonic() < deadline - PATIENCE / 2:
        assert second.acquire(0.1) is None
        assert third.acquire(0.1) is None
        run = first.poll(10, 0)  # raises if the others took anything away
        taken += 0 if run is None else len(run)
        assert time.monotonic() < deadline
    first.close()
    held: list[frozenset[int]] = []
    while not held and time.monotonic() < deadline + PATIENCE:
        held = [one for log in (second, third) if (one := log.acquire(0.1))]
    assert held == [frozenset({0, 1, 2})]


@pytest.mark.services
def test_a_slow_learner_keeps_its_partitions_while_the_buffer_is_full(broker: Broker) -> None:
    broker.feed(400)
    limits = {"session_timeout_ms": 6_000, "max_poll_interval_ms": 6_000, "max_poll_records": 100}
    slow, waiting = broker.log("group", **limits), broker.log("group", **limits)
    acquired(slow)
    slow.seek({0: 0})
    seen = 0
    # The other member waits for longer than the group would allow one that does not poll.
    assert waiting.acquire(8.5) is None
    while seen < 400:
        run = slow.poll(1_000, PATIENCE)
        assert run is not None
        assert run.offsets == list(range(seen, seen + len(run)))
        seen += len(run)
    slow.commit({0: seen}, "kept")
    assert slow.committed() == {0: (400, "kept")}


@pytest.mark.services
def test_what_a_transaction_took_back_is_not_read(broker: Broker) -> None:
    broker.feed(1)
    producer = KafkaProducer(bootstrap_servers=broker.servers, transactional_id=broker.topic)
    with contextlib.closing(producer):
        producer.init_transactions()
        for value, end in (
            (b"kept", producer.commit_transaction),
            (b"taken back", producer.abort_transaction),
        ):
            producer.begin_transaction()
            producer.send(broker.topic, value=value, partition=0).get(timeout=PATIENCE)
            end()
    log = broker.log(None)
    acquired(log)
    log.seek({0: 0})
    values: list[bytes | None] = []
    deadline = time.monotonic() + PATIENCE
    while log.lag() != 0 and time.monotonic() < deadline:
        run = log.poll(10, 0.1)
        values += run.values if run is not None else []
    assert values == [b"0", b"kept"]
    assert log.lag() == 0


@pytest.mark.services
def test_a_batch_that_was_damaged_on_the_brokers_disk_ends_the_reading(
    broker: Broker, services: dict[str, Any]
) -> None:
    with contextlib.closing(KafkaAppender(broker.servers, broker.topic)) as appender:
        appender.create(1)
        for value in (b"first", b"second", b"third"):
            appender.append([Message(None, value, 0)])
    folder = Path(services["kafka"]["command"][-1]).parent
    [segment] = folder.glob(f"**/{broker.topic}-0/*.log")
    held = segment.read_bytes()
    with segment.open("r+b") as file:
        file.seek(held.index(b"second"))
        file.write(b"S")
    log = broker.log(None)
    acquired(log)
    log.seek({0: 0})
    run = log.poll(10, PATIENCE)
    assert run is not None
    assert run.values == [b"first"]
    for _ in range(2):
        with pytest.raises(LogError, match=r"(?i)wanted to read .*crc.*restart"):
            log.poll(10, PATIENCE)


@pytest.mark.services
def test_a_record_beyond_what_the_topic_allows_is_refused(broker: Broker) -> None:
    broker.feed(0)
    with contextlib.closing(KafkaAppender(broker.servers, broker.topic)) as appender:
        with pytest.raises(LogError, match="that large"):
            appender.append([Message(b"k", bytes(9 * 1024 * 1024), 0)])
        assert appender.append([Message(b"k", b"v", 0)]) == 1


def test_a_broker_that_does_not_answer_is_named(unused_port: int) -> None:
    servers = f"127.0.0.1:{unused_port}"
    with pytest.raises(LogError, match=rf"broker at {servers}.*start it"):
        KafkaLog(servers, "t", "group", {"bootstrap_timeout_ms": 500})


def test_servers_without_a_port_are_refused() -> None:
    with pytest.raises(LogError, match="write both"):
        KafkaLog("localhost", "t", "group")


@pytest.fixture
def unused_port() -> Iterator[int]:

    # Bound and never listening: nobody else can take it while the test runs.
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"sesion_timeout_ms": 1}, "'session_timeout_ms'"),
        ({"session_timeout_ms": "6000"}, "as int"),
        ({"session_timeout_ms": True}, "as int"),
        ({"group_id": "mine"}, "Alluvia sets it"),
    ],
)
def test_an_option_that_is_wrong_is_refused_before_connecting(
    options: dict[str, Any], hint: str
) -> None:
    with pytest.raises(LogError, match=hint):
        KafkaLog("127.0.0.1:1", "t", "group", options)


@pytest.mark.services
def test_options_that_contradict_each_other_are_refused(broker: Broker) -> None:
    with pytest.raises(LogError, match=r"check \[log\]"):
        broker.log("group", request_timeout_ms=50, fetch_max_wait_ms=100)
