"""What a service needs is taken away in mid-stream, and given back: nothing differs in the end."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest
from redis import Redis

from tests import streams
from tests.faults.grounds import grounds
from tests.faults.outage import KINDS, Course
from tests.faults.watchman import Watchman
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow]
RECORDS = 3_000


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    with grounds(tmp_path_factory.mktemp("outage")) as place:
        yield Course(place, "A", "sgd", streams.drifting(RECORDS, seed=3), seed=3)


# Kafka's client leaves the socket of each refused attempt to the collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("kind", ["redis forgets", "redis stalls", "broker killed"])
def test_an_outage_changes_nothing(
    course: Course, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "kafka")  # or what is captured would hold its sockets
    figures = course.hold(kind, 1, 0.5)
    gc.collect()
    assert set(figures["equal"].values()) == {True}
    assert set(figures["checks"].values()) == {True}
    assert figures["passed"], figures
    assert figures["restarts_counted"] == KINDS[kind].restarts
    assert not any("WARNING" in line for line in figures["said"])


def test_the_watchman_sees_a_key_go_backwards(redis_url: str, topic_name: str) -> None:
    key = f"alluvia:{{{topic_name}}}:prediction:k"
    with Redis.from_url(redis_url) as redis, Watchman(redis_url, topic_name) as watchman:
        for lineage, sequence in ((1, 5), (1, 6), (2, 3), (2, 2)):
            assert not watchman.backwards
            looks = watchman.looks
            redis.hset(key, mapping={"lineage": lineage, "sequence": sequence})
            until(lambda looks=looks: watchman.looks > looks + 1)  # type: ignore[misc]
        redis.delete(key)
    assert watchman.backwards == [(key, (2, 3), (2, 2))]
