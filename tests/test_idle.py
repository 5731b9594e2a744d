"""Event time on a stream that has gone quiet: it goes on by ticks, which are written down first."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from learners.digests import digest
from stream.app import Service
from stream.config import Config, load
from stream.idle import Idle
from stream.intake import Came, Live
from stream.journal import Entry, Taken, Tick
from stream.journal_segment import chain
from stream.log import Message, Run
from stream.log_embedded import EmbeddedAppender, EmbeddedLog
from stream.log_kinds import open_appender
from stream.loop import Loop
from stream.manifest import Position
from stream.replay import replay
from stream.shard import Shard
from stream.vault_kinds import journal_end, open_vault
from tests import runner

SPAN = 1_000


class Clock:
    """Seconds that pass only when they are told to."""

    now = 50.0

    def __call__(self) -> float:
        return self.now


class Stream:
    """A live intake over one log, with a clock and an event time in reach."""

    def __init__(self, path: Path) -> None:
        self.clock, self.reached = Clock(), 7
        self._path = path
        self.add()
        self.log = EmbeddedLog(path, "t", None)
        self.log.acquire(0.0)
        idle = Idle(SPAN, lambda: self.reached or None, self.clock)
        self.live = Live([self.log], idle)
        self.live.seek([Position("t", 0, 0, "")])

    def add(self) -> None:
        with contextlib.closing(EmbeddedAppender(self._path, "t")) as appender:
            appender.create(1)
            appender.append([Message(b"k", b"{}", 7)])

    def after(self, seconds: float) -> Came | None:
        self.clock.now += seconds
        return self.live.poll(1, 0.0)


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    made = Stream(tmp_path / "log.db")
    with contextlib.closing(made.log):
        yield made


def test_a_tick_comes_for_each_span_without_a_record(stream: Stream) -> None:
    assert isinstance(stream.after(0.0), Run)
    assert stream.after(0.999) is None
    assert stream.after(0.001) == Tick(7 + SPAN)
    assert stream.after(0.999) is None
    stream.reached += SPAN
    assert stream.after(0.001) == Tick(7 + 2 * SPAN)


def test_a_record_begins_the_span_anew(stream: Stream) -> None:
    assert isinstance(stream.after(5.0), Run)
    assert stream.after(0.5) is None
    stream.add()
    assert isinstance(stream.after(0.4), Run)
    assert stream.after(0.9) is None
    assert stream.after(0.1) == Tick(7 + SPAN)


def test_a_process_that_stood_still_makes_one_tick(stream: Stream) -> None:
    assert isinstance(stream.after(0.0), Run)
    assert stream.after(3_600.0) == Tick(7 + SPAN)
    assert stream.after(0.0) is None


def test_nothing_that_waits_needs_no_tick(stream: Stream) -> None:
    assert isinstance(stream.after(0.0), Run)
    stream.reached = 0
    assert stream.after(5.0) is None


def test_time_stands_still_while_a_log_holds_more_than_it_gives(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream.log, "poll", lambda limit, timeout: None)
    assert stream.after(5.0) is None
    monkeypatch.setattr(stream.log, "lag", lambda: None)
    assert stream.after(5.0) is None
    monkeypatch.setattr(stream.log, "lag", lambda: 0)
    assert stream.after(0.0) == Tick(7 + SPAN)


class Crash(Exception):
    """Stands for a death: nothing is saved, nothing is told."""


TABLES: dict[str, Any] = {
    "task": "classification",
    "record": {"id": "id", "label": "y"},
    "label": {"within": "45ms", "idle": "50ms", "default": "no"},
    "model": {"learner": "river.naive_bayes.GaussianNB"},
}
FEATURES = [({"id": i, "x": i % 7}, 10 * i) for i in range(20)]
LABELS = [({"id": i, "y": "yes"}, 200) for i in range(0, 20, 2)]


def feed(config: Config, records: list[tuple[dict[str, Any], int]]) -> None:
    with contextlib.closing(open_appender(config)) as appender:
        appender.create(1)
        appender.append(Message(b"k", json.dumps(record).encode(), at) for record, at in records)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.services)])
def config(request: pytest.FixtureRequest, tmp_path: Path, topic_name: str) -> Config:
    """A service of one partition; twenty records wait for labels, and half of those come."""
    log, store = f'path = "{tmp_path}/log.db"', f'path = "{tmp_path}/store.db"'
    if request.param == "kafka":
        log = f'kind = "kafka"\nservers = "{request.getfixturevalue("kafka_servers")}"'
    text = f"""
        name = "{topic_name}"
        task = "classification"
        [log]
        {log}
        [store]
        {store}
        [record]
        id = "id"
        label = "y"
        [label]
        within = "250ms"
        idle = "50ms"
        default = "no"
        [model]
        learner = "river.naive_bayes.GaussianNB"
    """
    (tmp_path / "quiet.toml").write_text(text, "utf-8")
    made = load(tmp_path / "quiet.toml")
    feed(made, FEATURES + LABELS)
    return made


def expired(shard: Shard) -> int:
    assert shard.join is not None
    return int(shard.join.report()["expired"])


def run(config: Config, until: int) -> Shard:
    """Run until so many features waited in vain."""
    shards: list[Shard] = []

    def watch(loop: Loop) -> None:
        shards[:] = [loop.shard]

    return Service(config).run(
        stop=lambda: bool(shards) and expired(shards[0]) >= until, watch=watch
    )


def crash_at(config: Config, expiries: int) -> None:
    def watch(loop: Loop) -> None:
        if expired(loop.shard) >= expiries:
            raise Crash

    with pytest.raises(Crash):
        Service(config).run(watch=watch)


def journal(config: Config) -> list[Entry]:
    return list(chain(open_vault(config), None, journal_end(config)))


def told(shard: Shard) -> tuple[Any, ...]:
    assert shard.join is not None
    model = digest(shard.learner.estimator)
    return model, shard.join.report(), shard.scores.report(), shard.counts


def replayed(config: Config, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    """What is told of a replay of the journal."""
    found: list[Shard] = []
    monkeypatch.setattr("stream.replay.summarize", lambda config, shard, pace: found.append(shard))
    replay(config.folder / "quiet.toml", "again", [], None, None, journal=True)
    return told(found[0])


@pytest.mark.slow
def test_what_waits_is_learned_with_the_default_though_nothing_comes(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = run(config, 10)
    assert shard.join is not None
    report = shard.join.report()
    assert (report["matched"], report["defaulted"], report["waiting"]) == (10, 10, 0)
    model: Any = shard.learner.estimator
    assert dict(model.class_counts) == {"yes": 10.0, "no": 10.0}
    ticks = [entry.time for entry in journal(config) if isinstance(entry, Tick)]
    assert ticks == list(range(250, 250 + 50 * len(ticks), 50))
    assert told(shard) == replayed(config, monkeypatch)
    # And it is all in the checkpoint, though no record came after it.
    assert told(Service(config).run(until_end=True)) == told(shard)


@pytest.mark.slow
@pytest.mark.parametrize("expiries", [1, 7])
def test_after_a_crash_the_same_ticks_come(
    config: Config, monkeypatch: pytest.MonkeyPatch, expiries: int
) -> None:
    crash_at(config, expiries)
    before = journal(config)
    feed(config, [({"id": "new", "x": 3}, 260), ({"id": "new", "y": "yes"}, 270)])
    shard = run(config, 10)
    assert journal(config)[: len(before)] == before
    taken = [e.records for e in journal(config) if isinstance(e, Taken)]
    assert sum(taken) == shard.sequence == 32
    assert told(shard) == replayed(config, monkeypatch)


@pytest.mark.slow
def test_a_tick_is_written_down_before_anything_comes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = runner.embedded(tmp_path, "quiet", **TABLES)
    feed(config, FEATURES)
    with monkeypatch.context() as patch:
        take = Loop.take

        def die_at_a_tick(loop: Loop, came: Run | Tick) -> None:
            if isinstance(came, Tick):
                raise Crash
            take(loop, came)

        patch.setattr(Loop, "take", die_at_a_tick)
        with pytest.raises(Crash):
            Service(config).run()
    assert isinstance(journal(config)[-1], Tick)
    shard = Service(config).run(until_end=True)
    assert shard.join is not None
    assert expired(shard) == 20
    assert len(journal(config)) == 2


def test_history_has_no_clock(tmp_path: Path) -> None:
    lines = "".join(json.dumps(record) + "\n" for record, _ in FEATURES)
    (tmp_path / "past.jsonl").write_text(lines, "utf-8")
    (tmp_path / "quiet.toml").write_text(
        'name = "quiet"\ntask = "classification"\nrecord = {id = "id", label = "y"}\n'
        'label = {idle = "1ms", within = "1ms"}\nmodel.learner = "river.naive_bayes.GaussianNB"\n'
    )
    replay(tmp_path / "quiet.toml", "again", [tmp_path / "past.jsonl"], None, None)
    left = tmp_path / ".alluvia" / "again"
    assert list(left.glob("manifest-*")) and not list(left.glob("journal-*"))
