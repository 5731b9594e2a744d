"""Several partitions, taken in an order that is written down and can be taken once more."""

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from learners.digests import digest
from stream import loop
from stream.app import Service
from stream.cli import invoke
from stream.config import Config, load
from stream.errors import ConfigError, OffsetsExpiredError
from stream.journal import Taken, chain, last_mark
from stream.log import Message
from stream.log_kinds import open_appender
from stream.loop import Loop
from stream.replay import replay
from stream.session import checkpoints_of
from tests import runner, streams

pytestmark = pytest.mark.slow

PARTITIONS = 3
RECORDS = 1_250


class Crash(Exception):
    """Stands for a death between two blocks: nothing is saved, nothing is told."""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(loop, "USUAL", 40)
    monkeypatch.setattr(loop, "LARGEST", 40)
    text = """
        name = "parts"
        task = "classification"
        log.path = "log.db"
        store.path = "store.db"
        record.label = "label"
        checkpoint.records = 300
        [model]
        pipeline = ["river.preprocessing.StandardScaler", "river.linear_model.LogisticRegression"]
    """
    (tmp_path / "parts.toml").write_text(text, "utf-8")
    return load(tmp_path / "parts.toml")


def feed(config: Config, messages: list[Message], partitions: int = PARTITIONS) -> None:
    appender = open_appender(config)
    appender.create(partitions)
    appender.append(messages)
    appender.close()


def messages() -> list[Message]:
    return [
        Message(b"%d" % (i % 97), json.dumps(row | {"label": label}).encode(), 1_000 * i)
        for i, (row, label) in enumerate(streams.phishing())
    ]


def crash_at(config: Config, sequence: int) -> None:
    def watch(running: Loop) -> None:
        if running.shard.sequence >= sequence:
            raise Crash

    with pytest.raises(Crash):
        Service(config).run(until_end=True, watch=watch)


def replayed(config: Config, name: str, capsys: pytest.CaptureFixture[str], **how: bool) -> str:
    capsys.readouterr()
    replay(config.folder / "parts.toml", name, [], None, None, **how)
    return capsys.readouterr().out.split()[-1]


@pytest.mark.parametrize("seed", range(3))
def test_after_crashes_every_record_was_taken_once_and_the_journal_tells_when(
    config: Config, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    feed(config, messages())
    draw = random.Random(seed)
    resumed = []
    for at in sorted(draw.sample(range(1, RECORDS - 100), 5)):
        crash_at(config, at)
        newest = checkpoints_of(config).newest()
        assert newest is not None
        resumed.append(newest.sequence)
    assert sum(sequence > 0 for sequence in resumed) >= 3
    left = runner.outcome(Service(config).run(until_end=True), config)
    assert left.sequence == left.counts["learned"] == RECORDS
    taken: list[tuple[int, int]] = []
    for entry in chain(config.checkpoint.path, None, last_mark(config.checkpoint.path)):
        assert isinstance(entry, Taken)
        taken += [(entry.partition, at) for at in range(entry.first, entry.last + 1)]
        assert entry.records == entry.last + 1 - entry.first
    assert len(taken) == len(set(taken)) == RECORDS
    assert replayed(config, "again", capsys, journal=True) == left.digest
    keys = [b"%d" % i for i in range(97)]
    entries = runner.stored(config, [key.decode() for key in keys])
    newest_of_each = {message.key: i for i, message in enumerate(messages())}
    assert [entry and entry.time for entry in entries] == [
        1_000 * newest_of_each[key] for key in keys
    ]


def test_without_a_journal_the_merge_rule_gives_the_order(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times rise from record to record here, so that the rule gives the order they came in."""
    feed(config, messages())
    digests = [replayed(config, "a", capsys)]
    monkeypatch.setattr(loop, "USUAL", 7)
    digests.append(replayed(config, "b", capsys))
    alone = runner.embedded(config.folder, "alone", **one_partition(config))
    feed(alone, messages(), 1)
    digests.append(digest(Service(alone).run(until_end=True).learner.estimator))
    assert len(set(digests)) == 1


def one_partition(config: Config) -> dict[str, object]:
    return {
        "task": "classification",
        "record": {"label": "label"},
        "model": {"pipeline": [step["use"] for step in config.model.pipeline or ()]},
    }


def test_one_partition_has_no_journal_to_replay(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(config, messages(), 1)
    Service(config).run(until_end=True)
    assert last_mark(config.checkpoint.path) is None
    with pytest.raises(ConfigError, match="has none and needs none"):
        replayed(config, "again", capsys, journal=True)


def test_bounds_by_offset_are_refused_for_several_partitions(config: Config) -> None:
    feed(config, messages())
    with pytest.raises(ConfigError, match="wanted a time for history in several partitions"):
        replay(config.folder / "parts.toml", "again", [], "5", None)


def test_a_partition_that_is_new_is_read_from_its_start(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(config, messages()[:500], 1)
    Service(config).run(until_end=True)
    with closing(sqlite3.connect(config.log.path)) as log, log:
        log.execute("INSERT INTO partition (topic, number, next) VALUES ('parts', 1, 0)")
    feed(config, messages()[500:])
    shard = Service(config).run(until_end=True)
    assert shard.sequence == RECORDS
    assert len(shard.positions) == 2


@pytest.mark.usefixtures("handlers")
def test_a_gap_is_refused_until_it_is_accepted_and_begins_a_lineage(config: Config) -> None:
    feed(config, messages(), 2)
    Service(config).run(until={("parts", 0): 100, ("parts", 1): 100})
    with closing(sqlite3.connect(config.log.path)) as log, log:
        log.execute("DELETE FROM record WHERE partition = 1 AND offset < 150")
    with pytest.raises(OffsetsExpiredError, match="--accept-gap"):
        Service(config).run(until_end=True)
    before = checkpoints_of(config).newest()
    assert before is not None and before.sequence == 200 and before.lineage == 1
    assert invoke(["run", str(config.folder / "parts.toml"), "--until-end", "--accept-gap"]) == 0
    shard = Service(config).run(until_end=True)
    assert (shard.lineage, shard.sequence) == (2, RECORDS - 50)
    assert Service(config).run(until_end=True).lineage == 2
