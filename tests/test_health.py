"""Health over HTTP: what is told of a running service, and when it is live and ready."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from pathlib import Path

import pytest

from stream.app import Service
from stream.config import Config
from stream.health import BOUND, Address, Health
from stream.log import Message
from stream.log_kinds import open_appender, open_log
from stream.loop import Loop
from stream.phase import Phase
from stream.report import Pace
from tests import runner
from tests.pages import Samples, get, metrics, samples
from tests.waiting import until

pytestmark = pytest.mark.slow

RECORDS = 900
WALL = 5_000.0
ANY = Address("127.0.0.1", 0)


class Clock:
    """Seconds that pass with each look, or when a test says so."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 0.0
        self._step = step

    def __call__(self) -> float:
        self.now += self._step
        return self.now


@pytest.fixture
def ensemble(tmp_path: Path) -> Config:
    """A service with 900 records, a second apart, and a bad one before it."""
    config = runner.embedded(
        tmp_path,
        "health",
        task="classification",
        record={"label": "y"},
        model={"learner": "river.naive_bayes.GaussianNB", "window": {"records": 250, "keep": 3}},
        score={"metrics": ["river.metrics.MicroF1"]},
        checkpoint={"records": 100},
    )
    rows = [{"x": i % 10 / 10, "y": "ab"[i % 10 > 4]} for i in range(RECORDS)]
    runner.feed(
        config, [Message(None, json.dumps(r).encode(), 1_000 * i) for i, r in enumerate(rows, 1)]
    )
    put_one(config, b"oops")
    return config


def put_one(config: Config, value: bytes) -> None:
    with contextlib.closing(open_appender(config)) as appender:
        appender.append([Message(None, value, 1_000 * RECORDS)])


def looked_at(config: Config, clock: Clock, wall: float = WALL) -> list[Samples]:
    """Run to the end, and return what was told after each block."""
    told: list[Samples] = []
    with Health(ANY, Pace(clock, lambda: wall), clock) as health:

        def watch(loop: Loop) -> None:
            health(loop)
            told.append(metrics(health.address))

        Service(config).run(True, watch=watch, enter=health.enter)
    return told


def test_the_metrics_are_those_of_the_model(ensemble: Config) -> None:
    first, *_, last = looked_at(ensemble, Clock(1.0))
    assert first["alluvia_records_total"] == 100
    assert first["alluvia_lag_records"] == RECORDS + 1 - 100
    assert last["alluvia_records_total"] == RECORDS + 1
    assert last["alluvia_predictions_total"] == last["alluvia_learned_total"] == RECORDS
    assert last["alluvia_dead_letters_total"] == 1
    assert last["alluvia_lag_records"] == 0
    assert last["alluvia_members"] == 4
    assert last["alluvia_store_restarts_total"] == 0
    assert last["alluvia_scored_total"] == RECORDS
    assert last["alluvia_ready"] == 1
    for span in ("overall", "recent"):
        score = last[f"alluvia_score accuracy model {span}"]
        assert 1.0 >= score > last[f"alluvia_score accuracy majority {span}"] > 0.0
    assert last["alluvia_score MicroF1 model overall"] > 0.5
    assert not any(name.startswith("alluvia_labels") for name in last)


def test_counts_go_on_when_a_service_is_started_again(ensemble: Config) -> None:
    looked_at(ensemble, Clock(1.0))
    put_one(ensemble, b"oops again")
    told = looked_at(ensemble, Clock(1.0))
    assert [one["alluvia_records_total"] for one in told[:1]] == [RECORDS + 2]
    assert told[-1]["alluvia_dead_letters_total"] == 2


def test_a_service_is_behind_as_long_as_there_is_more(ensemble: Config) -> None:
    clock = Clock()
    pace, told = Pace(clock, lambda: WALL), list[float | None]()

    def watch(loop: Loop) -> None:
        told.append(pace.look(loop).behind)

    Service(ensemble).run(True, watch=watch)
    wanted = [WALL - taken for taken in range(100, RECORDS + 1, 100)]
    assert told[: len(wanted)] == wanted
    assert told[-1] == 0.0


def test_what_is_old_grows_older_between_two_looks(ensemble: Config) -> None:
    clock = Clock()
    with Health(ANY, Pace(clock, lambda: WALL), clock) as health:
        Service(ensemble).run(watch=health, stop=lambda: health_has_looked(health))
        before = metrics(health.address)
        clock.now += 30.0
        after = metrics(health.address)
    for name in ("behind", "checkpoint_age"):
        name = f"alluvia_{name}_seconds"
        assert after[name] == before[name] + 30.0
    assert after["alluvia_records_total"] == before["alluvia_records_total"]


def health_has_looked(health: Health) -> bool:
    return "alluvia_records_total" in metrics(health.address)


@pytest.mark.parametrize(("step", "seen"), [(0.0, 100), (0.001, 100), (1.0, RECORDS + 1)])
def test_a_run_is_looked_at_once_a_second_at_most(ensemble: Config, step: float, seen: int) -> None:
    clock = Clock()
    with Health(ANY, Pace(clock), clock) as health:

        def watch(loop: Loop) -> None:
            clock.now += step
            health(loop)

        Service(ensemble).run(True, watch=watch)
        assert metrics(health.address)["alluvia_records_total"] == seen


def test_late_labels_and_matches_are_told(tmp_path: Path) -> None:
    config = runner.embedded(
        tmp_path,
        "late",
        task="classification",
        record={"id": "id", "label": "y"},
        label={"within": "1d"},
        model={"learner": "river.naive_bayes.GaussianNB"},
    )
    values = [{"id": i, "x": i % 3} for i in range(20)] + [{"id": i, "y": "a"} for i in range(15)]
    runner.feed(config, [Message(None, json.dumps(v).encode(), i) for i, v in enumerate(values, 1)])
    last = looked_at(config, Clock(1.0))[-1]
    assert last["alluvia_labels_total"] == last["alluvia_matches_total"] == 15
    assert last["alluvia_waiting"] == 5
    assert last["alluvia_label_lag_seconds"] == 0.02
    assert last["alluvia_expired_total"] == 0


def test_pages_are_found_by_their_path(ensemble: Config) -> None:
    with Health(ANY, Pace()) as health:
        Service(ensemble).run(True, watch=health)
        status, text = get(health.address, "/metrics?name=x", "application/openmetrics-text")
        assert status == 200
        assert samples(text)["alluvia_records_total"] > 0
        for path in ("/", "/metrics/", "/live/now"):
            assert get(health.address, path) == (404, "wanted /metrics, /live or /ready\n")


def test_a_client_that_says_nothing_or_rubbish_holds_nobody_up() -> None:
    with Health(ANY, Pace()) as health:
        place = health.address.host, health.address.port
        with socket.create_connection(place) as silent, socket.create_connection(place) as rubbish:
            silent.sendall(b"GET /li")
            rubbish.sendall(b"\x16\x03\x01 rubbish\r\n\r\n")
            assert b"400" in rubbish.recv(10_000)
            assert get(health.address, "/live")[0] == 200


def test_a_service_is_live_as_long_as_it_is_seen(ensemble: Config) -> None:
    clock = Clock()
    with Health(ANY, Pace(clock), clock) as health:
        stop = health.heard(lambda: False)
        health.enter(Phase.READY)
        clock.now = BOUND
        assert get(health.address, "/live") == (200, "ok\n")
        clock.now += 1.0
        status, reason = get(health.address, "/live")
        assert status == 503
        assert "last seen 601 s ago, allowed are 600 s: it was ready" in reason
        assert metrics(health.address)["alluvia_silent_seconds"] == BOUND + 1.0
        assert stop() is False
        assert get(health.address, "/live")[0] == 200


def test_a_service_that_stands_by_is_live_and_not_ready(ensemble: Config) -> None:
    clock, over = Clock(), threading.Event()
    holder = open_log(ensemble, ensemble.log.group)
    assert holder.acquire(0)
    with Health(ANY, Pace(clock), clock) as health:
        assert get(health.address, "/ready") == (503, "starting\n")
        service = threading.Thread(
            target=Service(ensemble).run,
            args=(False, health.heard(over.is_set), health),
            kwargs={"enter": health.enter},
        )
        service.start()
        try:
            until(lambda: "standing by" in get(health.address, "/ready")[1])
            # It is seen while it waits: time goes on, and it is live again.
            clock.now += 2 * BOUND
            until(lambda: get(health.address, "/live")[0] == 200)
            assert get(health.address, "/ready")[0] == 503
            told = metrics(health.address)
            assert told["alluvia_ready"] == 0
            assert "alluvia_records_total" not in told
            holder.close()
            until(lambda: get(health.address, "/ready") == (200, "ok\n"))
        finally:
            over.set()
            service.join()
        health.enter(Phase.STANDBY)
        assert "alluvia_records_total" not in metrics(health.address)


def test_a_service_that_warms_up_is_not_ready(ensemble: Config, tmp_path: Path) -> None:
    lines = [json.dumps({"x": i, "y": "a"}) for i in range(300)]
    (tmp_path / "past.jsonl").write_text("\n".join(lines), "utf-8")
    values = ensemble.model_dump()
    values["record"]["warm_up"] = tmp_path / "past.jsonl"
    warmed = Config.of(values, tmp_path)
    ready = readiness(warmed)
    assert {at: fine for at, fine in ready.items() if at <= 300} == dict.fromkeys(
        (100, 200, 300), False
    )
    assert all(ready[at] for at in ready if at > 300)
    assert max(ready) == 300 + RECORDS + 1


def test_a_service_that_follows_its_journal_is_not_ready(tmp_path: Path) -> None:
    config = runner.embedded(
        tmp_path,
        "tail",
        task="classification",
        record={"label": "y"},
        model={"learner": "river.naive_bayes.GaussianNB"},
    )
    with contextlib.closing(open_appender(config)) as appender:
        appender.create(2)
        row = b'{"x": 1, "y": "a"}'
        appender.append([Message(b"%d" % i, row, i) for i in range(4_000)])

    class DiedError(Exception):
        """Ends a run as a crash does: nothing is saved."""

    died_at = 0

    def watch(loop: Loop) -> None:
        nonlocal died_at
        died_at = loop.shard.sequence
        if died_at >= 1_000:
            raise DiedError

    with pytest.raises(DiedError):
        Service(config).run(True, watch=watch)
    ready = readiness(config)
    assert not any(fine for at, fine in ready.items() if at <= died_at)
    assert [fine for at, fine in ready.items() if at > died_at]
    assert all(fine for at, fine in ready.items() if at > died_at)


def readiness(config: Config) -> dict[int, bool]:
    """Run to the end; return whether /ready said so, by how many records were taken."""
    ready: dict[int, bool] = {}
    with Health(ANY, Pace()) as health:

        def watch(loop: Loop) -> None:
            ready.setdefault(loop.shard.sequence, get(health.address, "/ready")[0] == 200)

        Service(config).run(True, watch=watch, enter=health.enter)
    return ready
