"""One contract for every transactional producer: Kafka's, and its embedded twin."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from stream import kafka_topics, log_database
from stream.errors import LogError, MissingTopicError, ProducerFencedError
from stream.log import Message
from stream.log_kafka import KafkaLog
from stream.log_process import ProcessLog
from stream.producer import Producer
from stream.producer_embedded import EmbeddedProducer
from stream.producer_kafka import TransactionalProducer
from tests.log_places import PATIENCE, Place, embedded, kafka

Reading = Iterable[tuple[int, int, Message]]


class Post:
    """A topic that a group reads, another one to send to, and producers that do."""

    def __init__(
        self,
        place: Place,
        producer: Callable[[str], Producer],
        read: Callable[[str], Reading],
    ) -> None:
        self.place = place
        self.to = f"{place.topic}-to"
        self._producer, self.read = producer, read
        self._open = contextlib.ExitStack()

    def producer(self, group: str = "group") -> Producer:
        return self._open.enter_context(contextlib.closing(self._producer(group)))

    def begun(self, partitions: int = 1) -> Producer:
        """A producer that may send, between a topic of ten records and one without any."""
        self.place.holding(*(Message(b"k%d" % i, b"", i) for i in range(10)), partitions=1)
        producer = self.producer()
        producer.create(self.to, partitions)
        assert producer.begin([self.home]) == []
        return producer

    @property
    def home(self) -> tuple[str, int]:
        return self.place.topic, 0

    def sent(self) -> list[Message]:
        return [message for _, _, message in self.read(self.to)]

    def close(self) -> None:
        self._open.close()
        self.place.close()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.services)])
def post(request: pytest.FixtureRequest, tmp_path: Path, topic_name: str) -> Iterator[Post]:
    if request.param == "embedded":
        path = tmp_path / "log.db"
        made = Post(
            embedded(tmp_path, topic_name),
            lambda group: EmbeddedProducer(path, topic_name, group),
            lambda topic: log_database.read_topic(path, topic),
        )
    else:
        servers = request.getfixturevalue("kafka_servers")
        made = Post(
            kafka(servers, topic_name, ProcessLog),
            lambda group: TransactionalProducer(servers, topic_name, group, {}),
            lambda topic: kafka_topics.read_topic(servers, topic, {}),
        )
    yield made
    made.close()


MESSAGES = [
    Message(b"k", b"v", 5),
    Message(None, b"no key", 2**41),
    Message(b"no value", None, 7, (("a.b", b"\xff\x00"), ("a.b", b""))),
    Message(bytes(range(256)), b"\x00\xff\xfe", 0, (("\u00e9", "\u2713".encode()),)),
]


def test_messages_come_as_they_were_sent_with_the_positions(post: Post) -> None:
    producer = post.begun()
    producer.send(((post.to, message) for message in MESSAGES), {post.home: 4}, "1:2:4")
    assert post.sent() == MESSAGES
    assert post.place.log("group").committed() == {0: (4, "1:2:4")}
    assert post.place.log("another").committed() == {}
    producer.send([], {post.home: 6}, "1:3:6")
    assert producer.begin([post.home]) == ["1:3:6"]


def test_a_group_with_a_member_is_told_while_it_reads(post: Post) -> None:
    producer = post.begun()
    member = post.place.log("group")
    assert member.acquire(PATIENCE) == frozenset({0})
    member.seek({0: 0})
    for at in (3, 6):
        run = member.poll(3, PATIENCE)
        assert run is not None and run.offsets[-1] == at - 1
        producer.send([(post.to, MESSAGES[0])], {post.home: at}, f"1:{at}:{at}")
        assert member.committed() == {0: (at, f"1:{at}:{at}")}
    assert member.acquire(PATIENCE) == frozenset({0})


def test_what_fails_on_the_way_leaves_no_trace(post: Post) -> None:
    producer = post.begun()

    def interrupted() -> Iterator[tuple[str, Message]]:
        yield from ((post.to, message) for message in MESSAGES)
        raise ZeroDivisionError

    producer.send([(post.to, MESSAGES[0])], {post.home: 1}, "first")
    with pytest.raises(ZeroDivisionError):
        producer.send(interrupted(), {post.home: 5}, "second")
    assert producer.begin([post.home]) == ["first"]
    producer.send([(post.to, MESSAGES[1])], {post.home: 6}, "third")
    assert post.sent() == MESSAGES[:2]
    assert producer.begin([post.home]) == ["third"]


def test_who_begins_last_fences_the_others(post: Post) -> None:
    first = post.begun()
    first.send([(post.to, MESSAGES[0])], {post.home: 1}, "first")
    second = post.producer()
    assert second.begin([post.home]) == ["first"]
    with pytest.raises(ProducerFencedError, match="another process"):
        first.send([(post.to, MESSAGES[1])], {post.home: 2}, "fenced")
    second.send([(post.to, MESSAGES[2])], {post.home: 2}, "second")
    assert post.sent() == [MESSAGES[0], MESSAGES[2]]
    assert first.begin([post.home]) == ["second"]
    with pytest.raises(ProducerFencedError):
        second.send([(post.to, MESSAGES[1])], {post.home: 3}, "fenced")


def test_a_key_keeps_to_one_partition_and_all_arrive(post: Post) -> None:
    producer = post.begun(partitions=3)
    keyed = [Message(b"k%d" % (i % 7), b"%d" % i, i) for i in range(100)]
    loose = [Message(None, b"%d" % i, i) for i in range(100, 110)]
    producer.send(((post.to, message) for message in keyed + loose), {post.home: 1}, "r")
    homes: dict[bytes | None, set[int]] = {}
    for number, _, message in post.read(post.to):
        homes.setdefault(message.key, set()).add(number)
    del homes[None]
    assert sorted(message.time for message in post.sent()) == list(range(110))
    assert all(len(home) == 1 for home in homes.values())
    assert len(set().union(*homes.values())) > 1


def test_a_topic_is_made_once_and_takes_the_largest_record_with_headers(post: Post) -> None:
    producer = post.begun()
    assert not producer.create(post.to, 5)
    large = Message(b"k", bytes(8 * 1024 * 1024 - 200), 1, (("reason", b"r" * 16_384),))
    producer.send([(post.to, large)], {post.home: 1}, "large")
    assert post.sent() == [large]


def test_what_is_fed_comes_with_its_headers(post: Post) -> None:
    headers = (("a", b"1"), ("a", b""), ("b", b"\xff"))
    post.place.holding(MESSAGES[0]._replace(headers=headers), MESSAGES[1])
    fed = [message for _, _, message in post.read(post.place.topic)]
    assert fed == [MESSAGES[0]._replace(headers=headers), MESSAGES[1]]


def test_an_embedded_log_of_an_earlier_release_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with contextlib.closing(sqlite3.connect(path)) as old, old:
        old.executescript(EARLIER)
    place = embedded(tmp_path, "t")
    with contextlib.closing(place):
        place.appender().append([Message(b"k", b"new", 2, (("a", b"b"),))])
        assert place.reading().bounds() == {0: (0, 2)}
    assert [message for _, _, message in log_database.read_topic(path, "t")] == [
        Message(b"k", b"old", 1),
        Message(b"k", b"new", 2, (("a", b"b"),)),
    ]


EARLIER = """
CREATE TABLE partition (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL, next INTEGER NOT NULL,
    UNIQUE (topic, number)
) STRICT;
CREATE TABLE record (
    partition INTEGER NOT NULL, offset INTEGER NOT NULL, time INTEGER NOT NULL,
    key BLOB, value BLOB, PRIMARY KEY (partition, offset)
) STRICT, WITHOUT ROWID;
INSERT INTO partition VALUES (1, 't', 0, 1);
INSERT INTO record VALUES (1, 0, 1, x'6b', x'6f6c64');
"""


def test_reading_a_missing_topic_is_refused(post: Post) -> None:
    with pytest.raises(MissingTopicError, match=post.to):
        post.sent()


def test_a_message_that_the_topic_does_not_take_is_refused(post: Post) -> None:
    producer = post.begun()
    largest = Message(b"k", bytes(20 * 1024 * 1024), 1)
    nothing = Message(None, None, 1)
    bad = nothing if isinstance(producer, EmbeddedProducer) else largest
    with pytest.raises(LogError):
        producer.send([(post.to, bad)], {post.home: 1}, "refused")
    assert producer.begin([post.home]) == []
    producer.send([(post.to, MESSAGES[0])], {post.home: 1}, "taken")
    assert post.sent() == MESSAGES[:1]


@pytest.mark.services
def test_what_is_not_ended_yet_holds_readers_up_and_is_never_seen(
    kafka_servers: str, topic_name: str
) -> None:
    """As after SIGKILL: nobody ends the transaction but who begins next."""
    place = kafka(kafka_servers, topic_name, KafkaLog)
    post = Post(
        place,
        lambda group: TransactionalProducer(kafka_servers, topic_name, group, {}),
        lambda topic: kafka_topics.read_topic(kafka_servers, topic, {}),
    )
    with contextlib.closing(post):
        dying = post.begun()
        dying.send([(post.to, MESSAGES[0])], {post.home: 1}, "whole")
        dying._producer.begin_transaction()  # type: ignore[attr-defined]  # as if cut off in it
        dying._producer.send(post.to, b"cut off").get(PATIENCE)  # type: ignore[attr-defined]
        assert post.sent() == MESSAGES[:1]
        heir = post.producer()
        assert heir.begin([post.home]) == ["whole"]
        heir.send([(post.to, MESSAGES[1])], {post.home: 2}, "next")
        assert post.sent() == MESSAGES[:2]
