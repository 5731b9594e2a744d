"""One contract for every log: the embedded one, and Kafka with either client, in a process too."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.confluent_options import CLIENTS
from stream.errors import LogError, OffsetsExpiredError
from stream.log import Bounds, Log, Message, Run
from stream.log_kafka import KafkaLog
from stream.log_process import ProcessLog
from tests.log_places import PATIENCE, Place, embedded, kafka


@pytest.fixture(
    params=[
        "embedded",
        *(
            pytest.param((log, client), marks=pytest.mark.services, id=f"{log.__name__}-{client}")
            for log in (KafkaLog, ProcessLog)
            for client in CLIENTS
        ),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path, topic_name: str) -> Iterator[Place]:
    if request.param == "embedded":
        made = embedded(tmp_path, topic_name)
    else:
        made = kafka(request.getfixturevalue("kafka_servers"), topic_name, *request.param)
    yield made
    made.close()


def numbered(start: int, stop: int) -> list[Message]:
    return [Message(b"k%d" % (i % 7), b"%d" % i, 1_000 + i) for i in range(start, stop)]


def some(log: Log, limit: int = 1_000) -> Run:
    run = log.poll(limit, PATIENCE)
    assert run is not None
    return run


def all_of(log: Log, count: int, limit: int = 1_000) -> list[tuple[int, int, Message]]:
    """Return (partition, offset, message) of the next `count` records."""
    rows: list[tuple[int, int, Message]] = []
    while len(rows) < count:
        run = some(log, limit)
        assert 1 <= len(run) <= limit
        assert len(run.offsets) == len(run.times) == len(run.keys) == len(run.values)
        rows += [
            (run.partition, offset, Message(key, value, time))
            for offset, key, value, time in zip(
                run.offsets, run.keys, run.values, run.times, strict=True
            )
        ]
    return rows


def test_records_come_in_order_as_they_were_appended(place: Place) -> None:
    messages = numbered(0, 12_345)
    place.holding(*messages)
    rows = all_of(place.reading(), len(messages))
    assert rows == [(0, i, message) for i, message in enumerate(messages)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"no key"),
        (b"no value", None),
        (b"", b""),
        ("schlüssel ✓".encode(), '{"é": "中"}'.encode()),
        (bytes(range(256)), b"\x00\xff\xfe"),
    ],
)
def test_keys_and_values_of_any_bytes_come_back(
    place: Place, key: bytes | None, value: bytes | None
) -> None:
    place.holding(Message(key, value, 0), Message(b"after", b"it", 2**41))
    rows = all_of(place.reading(), 2)
    assert [message[:3] for _, _, message in rows] == [(key, value, 0), (b"after", b"it", 2**41)]


def test_a_record_of_neither_key_nor_value_is_refused(place: Place) -> None:
    appender = place.holding()
    with pytest.raises(LogError, match="neither"):
        appender.append([Message(None, None, 0)])


def test_a_topic_takes_a_record_of_five_megabytes(place: Place) -> None:
    value = bytes(range(256)) * (5 * 4096)
    place.holding(Message(b"big", value, 1), Message(b"small", b"s", 2))
    assert [m.value for _, _, m in all_of(place.reading(), 2)] == [value, b"s"]


def test_a_key_keeps_to_one_partition_and_every_record_arrives(place: Place) -> None:
    messages = numbered(0, 3_000)
    place.holding(*messages, partitions=3)
    log = place.reading()
    rows = all_of(log, len(messages))
    homes: dict[bytes | None, set[int]] = {}
    for partition in range(3):
        mine = [row for row in rows if row[0] == partition]
        assert [offset for _, offset, _ in mine] == list(range(len(mine)))
        assert [m.time for _, _, m in mine] == sorted(m.time for _, _, m in mine)
    for partition, _, message in rows:
        homes.setdefault(message.key, set()).add(partition)
    assert sorted(m.time for _, _, m in rows) == [m.time for m in messages]
    assert all(len(home) == 1 for home in homes.values())
    assert len(set().union(*homes.values())) > 1
    assert log.bounds() == {p: Bounds(0, sum(r[0] == p for r in rows)) for p in range(3)}


def test_seek_throws_away_what_was_fetched(place: Place) -> None:
    place.holding(*numbered(0, 20_000))
    log = place.reading()
    for offset in (19_000, 3, 3, 12_000, 0):
        log.seek({0: offset})
        assert [row[1] for row in all_of(log, 100, 30)][:100] == list(range(offset, offset + 100))


def test_seek_of_one_partition_leaves_the_other_where_the_reader_stands(place: Place) -> None:
    place.holding(*(Message(b"k%d" % i, b"", 0) for i in range(2_000)), partitions=2)
    log = place.reading()
    seen: dict[int, int] = {}
    while len(seen) < 2:
        run = some(log, 10)
        seen[run.partition] = run.offsets[-1] + 1
    # The one seen first may be read to its end; of the other no more than ten records are.
    moved, other = seen
    log.seek({moved: 5})
    heads: dict[int, int] = {}
    while len(heads) < 2:
        run = some(log, 10)
        heads.setdefault(run.partition, run.offsets[0])
    assert heads == {moved: 5, other: seen[other]}


def test_nothing_is_fetched_before_seek(place: Place) -> None:
    place.holding(*numbered(0, 10))
    log = place.log("group")
    assert log.acquire(PATIENCE) == frozenset({0})
    assert log.poll(10, 0.3) is None
    log.seek({0: 7})
    assert some(log).offsets == [7, 8, 9]


def test_bounds_and_lag_follow_the_log(place: Place) -> None:
    appender = place.holding()
    log = place.reading()
    assert log.bounds() == {0: Bounds(0, 0)}
    appender.append(numbered(0, 10))
    assert log.bounds() == {0: Bounds(0, 10)}
    assert some(log, 4).offsets == [0, 1, 2, 3]
    assert log.lag() == 6
    all_of(log, 6)
    assert log.lag() == 0


def test_lag_is_unknown_before_seek(place: Place) -> None:
    place.holding(*numbered(0, 10))
    log = place.log()
    log.acquire(PATIENCE)
    assert log.lag() is None


def test_offsets_are_found_by_time(place: Place) -> None:
    place.holding(*numbered(0, 10))
    log = place.log()
    found = {time: log.offsets_at(time)[0] for time in (0, 1_000, 1_004, 1_009, 1_010, 9_999)}
    assert found == {0: 0, 1_000: 0, 1_004: 4, 1_009: 9, 1_010: 10, 9_999: 10}


def test_committed_offsets_come_back_with_their_metadata(place: Place) -> None:
    place.holding(*numbered(0, 10))
    log = place.reading("group")
    assert log.committed() == {}
    log.commit({0: 4}, '{"lineage": 1, "note": "é"}')
    log.commit({0: 6}, "second")
    assert log.committed() == {0: (6, "second")}
    log.commit({0: 7}, "é")
    log.close()
    assert place.log("group").committed() == {0: (7, "é")}
    assert place.log("another").committed() == {}


def test_a_log_in_no_group_commits_nothing(place: Place) -> None:
    place.holding(*numbered(0, 10))
    log = place.reading()
    log.commit({0: 4}, "ignored")
    assert log.committed() == {}


@pytest.mark.parametrize(
    "use",
    [
        lambda place: place.log().bounds(),
        lambda place: place.log().offsets_at(0),
        lambda place: place.log("group").acquire(1),
        lambda place: place.appender().append(numbered(0, 1)),
    ],
)
def test_a_missing_topic_is_refused_by_name(place: Place, use: Callable[[Place], Any]) -> None:
    with pytest.raises(LogError, match=f"{place.topic}.*alluvia feed"):
        use(place)


def test_a_topic_is_made_once(place: Place) -> None:
    appender = place.appender()
    assert [appender.create(2), appender.create(2), appender.create(5)] == [True, False, False]
    assert set(place.log().bounds()) == {0, 1}


@pytest.mark.parametrize("offset", [2, 11])
def test_an_offset_that_is_gone_is_refused_until_the_next_seek(place: Place, offset: int) -> None:
    place.holding(*numbered(0, 10))
    place.delete_before(5)
    log = place.log("group")
    assert log.bounds() == {0: Bounds(5, 10)}
    log.acquire(PATIENCE)
    log.seek({0: offset})
    for _ in range(2):
        with pytest.raises(OffsetsExpiredError, match=f"offset {offset}.*holds 5 to 9"):
            log.poll(10, PATIENCE)
    log.seek({0: 5})
    assert some(log).offsets == [5, 6, 7, 8, 9]


def test_the_end_of_an_emptied_log_is_no_expired_offset(place: Place) -> None:
    appender = place.holding(*numbered(0, 10))
    place.delete_before(10)
    log = place.reading()
    assert log.bounds() == {0: Bounds(10, 10)}
    assert log.poll(10, 0.3) is None
    appender.append(numbered(10, 11))
    assert some(log).offsets == [10]


def test_a_record_appended_while_polling_arrives(place: Place) -> None:
    place.holding()
    log = place.reading()
    other = place.appender()
    thread = threading.Thread(target=lambda: other.append(numbered(0, 1)))
    assert log.poll(10, 0.05) is None
    thread.start()
    assert some(log).values == [b"0"]
    thread.join()


def test_the_second_member_of_a_group_takes_over_when_the_first_leaves(place: Place) -> None:
    place.holding(*numbered(0, 10))
    first, second = place.reading("group"), place.log("group")
    assert some(first, 4).offsets == [0, 1, 2, 3]
    assert second.acquire(2) is None
    assert some(first, 4).offsets == [4, 5, 6, 7]
    first.close()
    assert second.acquire(PATIENCE) == frozenset({0})
    second.seek({0: 8})
    assert some(second).offsets == [8, 9]


def test_a_closed_log_says_so(place: Place) -> None:
    place.holding()
    log = place.log()
    log.close()
    with pytest.raises(LogError):
        log.bounds()


@given(
    batches=st.lists(st.lists(st.binary(max_size=3), max_size=5), max_size=6),
    limit=st.integers(1, 7),
    start=st.integers(0, 12),
)
def test_however_it_was_appended_and_is_cut_the_embedded_log_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[bytes]], limit: int, start: int
) -> None:
    there = embedded(tmp_path_factory.mktemp("log"), "t")
    with contextlib.closing(there):
        appender = there.holding()
        for batch in batches:
            appender.append(Message(None, value, 0) for value in batch)
        values = [value for batch in batches for value in batch]
        log = there.reading()
        log.seek({0: min(start, len(values))})
        rows = all_of(log, max(0, len(values) - start), limit)
        assert [m.value for _, _, m in rows] == values[start:]
