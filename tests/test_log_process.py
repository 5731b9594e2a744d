"""What only a log in a process of its own can do: lose its reader, or leave it behind."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.confluent_options import Client
from stream.errors import LogError, MissingTopicError, OffsetsExpiredError, PartitionsRevokedError
from stream.log import Message
from stream.log_kafka import KafkaAppender, KafkaLog
from stream.log_process import ProcessLog
from tests.waiting import alive, until

PATIENCE = 20.0
ONLY = frozenset({0})
ROOT = Path(__file__).parents[1]


class Topic:
    """One test's topic on the broker; closes what it opened."""

    def __init__(self, servers: str, name: str, client: Client) -> None:
        self.servers, self.name, self._client = servers, name, client
        self._open = contextlib.ExitStack()

    def feed(self, *values: bytes, partitions: int = 1) -> None:
        with contextlib.closing(KafkaAppender(self.servers, self.name)) as appender:
            appender.create(partitions)
            appender.append(Message(None, value, 1) for value in values)

    def log(self, group: str | None = None, **options: str) -> ProcessLog:
        log = ProcessLog(self.servers, self.name, group, options, client=self._client)
        return self._open.enter_context(contextlib.closing(log))

    def sharing(self) -> ProcessLog:
        """A member of the group "group", which shares out the partitions."""
        log = ProcessLog(self.servers, self.name, "group", shared=True, client=self._client)
        return self._open.enter_context(contextlib.closing(log))

    def reading(self, group: str | None = None) -> ProcessLog:
        log = self.log(group)
        assert log.acquire(PATIENCE) == ONLY
        log.seek({0: 0})
        return log

    def plain_member(self) -> KafkaLog:
        """A member of the group "group" that lives in this process."""
        log = KafkaLog(self.servers, self.name, "group", client=self._client)
        return self._open.enter_context(contextlib.closing(log))

    def member(self, silence: float) -> tuple[subprocess.Popen[str], int]:
        """Start `tests.log_member`; return it and the process that reads for it."""
        command = [
            *(sys.executable, "-m", "tests.log_member", self.servers, self.name, "group"),
            self._client,
        ]
        member = subprocess.Popen(
            [*command, str(silence)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        self._open.callback(end, member)
        return member, int(said(member))

    def close(self) -> None:
        self._open.close()


def said(member: subprocess.Popen[str]) -> str:
    assert member.stdout is not None
    return member.stdout.readline().strip()


def end(member: subprocess.Popen[str]) -> None:
    with member:
        member.kill()


@pytest.fixture
def topic(kafka_servers: str, topic_name: str, client: Client) -> Iterator[Topic]:
    made = Topic(kafka_servers, topic_name, client)
    yield made
    made.close()


@pytest.mark.services
def test_nothing_fetched_before_a_seek_is_handed_over_after_it(topic: Topic) -> None:
    topic.feed(*(b"%d" % i for i in range(40_000)))
    log = topic.reading()
    for offset in (0, 30_000, 5, 39_999, 20_000):
        log.seek({0: offset})
        run = log.poll(3, PATIENCE)
        assert run is not None
        assert run.offsets == list(range(offset, min(offset + 3, 40_000)))


@pytest.mark.services
def test_more_comes_than_may_be_ahead(topic: Topic) -> None:
    topic.feed(*([bytes(1_500_000)] * 50), b"last")  # twice the 32 MB that may be ahead
    log = topic.reading()
    sizes: list[int] = []
    while len(sizes) < 51:
        run = log.poll(1, PATIENCE)
        assert run is not None
        sizes += [len(value or b"") for value in run.values]
    assert sizes == [1_500_000] * 50 + [4]
    assert log.lag() == 0


@pytest.mark.services
def test_lag_counts_what_is_fetched_and_not_taken(topic: Topic) -> None:
    topic.feed(*(b"%d" % i for i in range(30_000)))
    log = topic.reading()
    run = log.poll(10, PATIENCE)
    assert run is not None and len(run) == 10
    until(lambda: log.lag() == 29_990)


@pytest.mark.services
def test_a_reader_that_dies_is_told_in_one_sentence_by_every_call(topic: Topic) -> None:
    topic.feed(b"0")
    log = topic.reading()
    assert log.poll(1, PATIENCE) is not None
    os.kill(log.pid, signal.SIGKILL)
    for call in (lambda: log.poll(1, PATIENCE), log.bounds, lambda: log.seek({0: 0}), log.lag):
        with pytest.raises(LogError, match=r"process that reads.*code -9.*checkpoint holds"):
            call()
    log.commit({0: 1}, "goes nowhere")


@pytest.mark.services
def test_signals_meant_for_its_owner_do_not_end_a_reader(topic: Topic) -> None:
    topic.feed(b"0", b"1")
    log = topic.reading()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(log.pid, number)
    assert log.bounds()[0].end == 2
    assert log.poll(1, PATIENCE) is not None


@pytest.mark.services
def test_closing_leaves_no_process_and_no_member(topic: Topic) -> None:
    topic.feed(b"0")
    log = topic.reading("group")
    pid = log.pid
    log.commit({0: 1}, "said last")
    log.close()
    log.close()
    assert not Path(f"/proc/{pid}").exists()
    successor = topic.plain_member()
    assert successor.committed() == {0: (1, "said last")}
    assert successor.acquire(PATIENCE) == ONLY


@pytest.mark.services
def test_a_killed_owner_takes_its_reader_along_and_frees_its_partitions(topic: Topic) -> None:
    topic.feed(b"0")
    member, reader = topic.member(silence=45)
    waiting = topic.plain_member()
    assert waiting.acquire(0.5) is None
    member.kill()
    assert waiting.acquire(PATIENCE) == ONLY
    until(lambda: not alive(reader))


@pytest.mark.services
def test_who_has_not_asked_for_records_yet_is_told_that_partitions_went(topic: Topic) -> None:
    topic.feed(partitions=2)
    first = topic.sharing()
    assert first.acquire(PATIENCE) == frozenset({0, 1})
    second = topic.sharing()
    with pytest.raises(PartitionsRevokedError):
        for _ in range(100):
            second.acquire(0.1)
            first.poll(1, 0.1)
    held = [log.acquire(PATIENCE) for log in (first, second)]
    assert sorted(map(sorted, filter(None, held))) == [[0], [1]]


@pytest.mark.services
def test_an_owner_that_stands_still_loses_its_partitions_and_is_told(topic: Topic) -> None:
    topic.feed(b"0")
    member, reader = topic.member(silence=3)
    waiting = topic.plain_member()
    assert waiting.acquire(5) is None  # for longer than the silence: one that lives keeps them
    member.send_signal(signal.SIGSTOP)
    assert waiting.acquire(PATIENCE) == ONLY
    member.send_signal(signal.SIGCONT)
    assert said(member).startswith(PartitionsRevokedError.__name__)
    waiting.close()
    assert said(member) == "acquired"
    assert member.wait(PATIENCE) == 0
    assert not alive(reader)


@pytest.mark.services
def test_errors_keep_their_type_and_their_words(topic: Topic) -> None:
    missing, beside = topic.log(), KafkaLog(topic.servers, topic.name, None)
    with contextlib.closing(beside), pytest.raises(MissingTopicError) as here:
        beside.bounds()
    with pytest.raises(MissingTopicError) as there:
        missing.bounds()
    assert str(there.value) == str(here.value)
    topic.feed(b"0")
    log = topic.reading()
    log.seek({0: 7})
    with pytest.raises(OffsetsExpiredError, match="holds 0 to 0"):
        log.poll(1, PATIENCE)


@pytest.mark.services
def test_what_the_reader_logs_is_logged_under_the_same_name(
    topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    topic.feed(b"0")
    member = topic.reading("group")
    with caplog.at_level(logging.WARNING, "stream"):
        member.commit({9: 1}, "no such partition")
        until(lambda: any(r.name == "stream.kafka_poller" for r in caplog.records))
    assert all(r.levelno >= logging.WARNING for r in caplog.records)


def test_an_option_that_is_wrong_is_refused_in_the_same_words() -> None:
    wrong = {"sesion_timeout_ms": 1}
    with pytest.raises(LogError) as here:
        KafkaLog("127.0.0.1:1", "t", "group", wrong)
    with pytest.raises(LogError) as there:
        ProcessLog("127.0.0.1:1", "t", "group", wrong)
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("sesion_timeout_ms", "did you mean 'session_timeout_ms'?"),
        ("foo_bar", "got 'foo_bar': leave it out"),
    ],
)
def test_only_a_near_option_is_suggested(option: str, hint: str) -> None:
    with pytest.raises(LogError) as caught:
        KafkaLog("127.0.0.1:1", "t", None, {option: 1})
    assert str(caught.value).endswith(hint)


def test_a_host_that_is_no_name_is_not_reached() -> None:
    with pytest.raises(LogError, match=r"wanted a Kafka broker at a\.\.b:1"):
        KafkaLog("a..b:1", "t", None, {"bootstrap_timeout_ms": 1})


def test_an_option_that_no_other_process_can_have_is_refused() -> None:
    with socket.socket() as unsendable, pytest.raises(LogError, match="text, numbers"):
        ProcessLog("127.0.0.1:1", "t", None, {"ssl_context": unsendable})


@pytest.mark.services
def test_secrets_are_on_no_command_line_and_in_no_environment(topic: Topic) -> None:
    log = topic.log(None, sasl_plain_password="hunter2")
    for name in ("cmdline", "environ"):
        shown = Path(f"/proc/{log.pid}/{name}").read_bytes()
        assert shown
        assert b"hunter2" not in shown
