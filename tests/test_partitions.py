"""Several partitions, taken in an order that is written down and can be taken once more."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from learners.digests import digest
from stream import loop
from stream.app import Service
from stream.cli import invoke
from stream.config import Config
from stream.errors import ConfigError, OffsetsExpiredError
from stream.journal import Taken
from stream.journal_segment import chain
from stream.merge import Merge
from stream.replay import replay
from stream.vault_kinds import checkpoints_of, journal_end, open_vault
from tests import partitioned, runner
from tests.partitioned import (
    RECORDS,
    crash_at,
    feed,
    grow,
    messages,
    replayed,
    stop_behind_one_block,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(loop, "USUAL", 40)
    monkeypatch.setattr(loop, "LARGEST", 40)
    return partitioned.written(tmp_path)


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
    for entry in chain(open_vault(config), None, journal_end(config)):
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


def test_whoever_follows_the_journal_may_stop_at_any_moment(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its blocks are smaller than those that were journalled."""
    every = config.checkpoint.model_copy(update={"records": None})
    config = config.model_copy(update={"checkpoint": every})
    feed(config, messages())
    crash_at(config, 200)
    monkeypatch.setattr(loop, "USUAL", 7)
    monkeypatch.setattr(loop, "LARGEST", 7)
    for _ in range(3):
        stop_behind_one_block(config)
    left = runner.outcome(Service(config).run(until_end=True), config)
    assert left.sequence == left.counts["learned"] == RECORDS
    assert replayed(config, "again", capsys, journal=True) == left.digest


def test_without_a_journal_the_merge_rule_gives_the_order(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times rise from record to record here, so that the rule gives the order they came in."""
    feed(config, messages())
    closed: list[Merge] = []
    close = Merge.close

    def noted(merge: Merge) -> None:
        closed.append(merge)
        close(merge)

    monkeypatch.setattr(Merge, "close", noted)
    digests = [replayed(config, "a", capsys)]
    assert len(closed) == 1
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
    assert journal_end(config) is None
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
    grow(config, 1)
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


def test_a_topic_that_was_made_anew_with_fewer_partitions_is_refused(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(config, messages())
    crash_at(config, RECORDS // 2)
    with closing(sqlite3.connect(config.log.path)) as database, database:
        database.execute("DELETE FROM partition WHERE number = 2")
    path = str(config.folder / "parts.toml")
    ways = (["run"], ["check"], ["replay", "--journal", "--as", "again"])
    for command, *options in ways:
        assert invoke([command, path, *options]) == 2
        told = capsys.readouterr().err
        assert "got a topic without 2: it was made anew; bring it back" in told
