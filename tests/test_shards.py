"""A model for each partition, all in one instance, on the embedded log."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from learners.digests import digest
from stream import held, loop
from stream.app import Service, new_shard
from stream.cli import invoke
from stream.config import Config
from stream.errors import ConfigError, EmptyStretchError, FencedError, LogError
from stream.log import Message
from stream.log_kinds import open_appender, read_topic
from stream.loop import Loop
from stream.replay import replay
from stream.shard import Shard
from stream.sharded import ShardedService
from stream.store_kinds import open_store
from stream.vault_kinds import checkpoints_of
from tests import partitioned
from tests.partitioned import PARTITIONS, RECORDS, Crash, feed, grow, messages

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(loop, "USUAL", 40)
    monkeypatch.setattr(loop, "LARGEST", 40)
    return partitioned.written(tmp_path, 'scope = "partition"\npredictions.topic = "answers"\n')


def digests(shards: dict[int, Shard]) -> dict[int, str]:
    return {p: digest(shard.learner.estimator) for p, shard in shards.items()}


def crash_at(config: Config, sequence: int) -> None:
    taken: dict[int | None, int] = {}

    def watch(running: Loop) -> None:
        taken[running.shard.partition] = running.shard.sequence
        if sum(taken.values()) >= sequence:
            raise Crash

    with pytest.raises(Crash):
        ShardedService(config).run(until_end=True, watch=watch)


def alone(config: Config, folder: Path, partition: int) -> str:
    """The digest of a service that has only what went to one partition, in one of its own."""
    folder.mkdir()
    one = partitioned.written(folder)
    mine = [message for p, _, message in read_topic(config, config.log.topic) if p == partition]
    feed(one, mine, 1)
    return digest(Service(one).run(until_end=True).learner.estimator)


def test_each_partition_has_the_model_of_its_own_records(config: Config, tmp_path: Path) -> None:
    feed(config, messages())
    shards = ShardedService(config).run(until_end=True)
    assert sum(shard.sequence for shard in shards.values()) == RECORDS
    assert digests(shards) == {
        p: alone(config, tmp_path / f"alone-{p}", p) for p in range(PARTITIONS)
    }


def test_after_crashes_each_model_is_the_same(config: Config, tmp_path: Path) -> None:
    feed(config, messages())
    for at in (200, 500, 800):
        crash_at(config, at)
    shards = ShardedService(config).run(until_end=True)
    assert sum(shard.sequence for shard in shards.values()) == RECORDS
    assert digests(shards)[1] == alone(config, tmp_path / "alone", 1)


def claim(config: Config) -> None:
    """Claim a model as another instance does that holds its partition for a moment."""
    checkpoints = checkpoints_of(config)
    checkpoints.claim(new_shard(config).snapshot())
    with closing(open_store(config)) as store:
        store.claim(checkpoints.epoch)


def test_who_is_fenced_and_holds_the_partition_claims_it_again(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "SETTLE", 0.1)
    feed(config, messages())
    left = [200, 400]

    def watch(running: Loop) -> None:
        if running.shard.partition == 1 and left and running.shard.sequence >= left[0]:
            del left[0]
            claim(config.of_partition(1))

    shards = ShardedService(config).run(until_end=True, watch=watch)
    assert not left
    assert sum(shard.sequence for shard in shards.values()) == RECORDS
    assert digests(shards)[1] == alone(config, tmp_path / "alone", 1)


def test_who_is_fenced_again_and_again_gives_up(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "SETTLE", 0.01)
    monkeypatch.setattr(held, "FENCES", 2)
    feed(config, messages())
    claims: list[int] = []

    def watch(running: Loop) -> None:
        claim(config.of_partition(1))
        claims.append(running.shard.sequence)

    with pytest.raises(FencedError):
        ShardedService(config).run(stop=lambda: len(claims) > 1_000, watch=watch)


def test_the_commands_tell_of_each(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    feed(config, [*messages(), Message(b"k", b"not JSON", 0)])
    path = str(config.folder / "parts.toml")
    assert invoke(["run", path, "--until-end"]) == 0
    out = capsys.readouterr().out
    assert out.count("; digest ") == PARTITIONS
    kept = config.checkpoint.path
    (kept / "partition-0.bak").mkdir()
    assert invoke(["state", path]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(told["partitions"]) == ["0", "1", "2"]
    assert all(one["digest"] in out for one in told["partitions"].values())
    assert invoke(["dead", path]) == 0
    assert "not JSON" in capsys.readouterr().out
    assert invoke(["lookup", path, "7"]) == 0
    assert json.loads(capsys.readouterr().out)["key"] == "7"
    assert invoke(["check", path]) == 0
    assert invoke(["replay", path, "--log", "--as", "again"]) == 0
    replayed = capsys.readouterr().out
    assert all(one["digest"] in replayed for one in told["partitions"].values())


def test_one_model_of_all_is_for_another_class(config: Config) -> None:
    with pytest.raises(ConfigError, match="ShardedService"):
        Service(config).run()


def test_labels_in_other_partitions_are_refused(tmp_path: Path) -> None:
    tables = 'scope = "partition"\nrecord.id = "id"\nlabel.topic = "late"\nlabel.within = "1h"\n'
    config = partitioned.written(tmp_path, tables)
    feed(config, messages()[:10])
    late = open_appender(config, "late")
    late.create(PARTITIONS + 1)
    late.close()
    with pytest.raises(LogError, match="wanted 3 partitions of 'late'"):
        ShardedService(config).run(until_end=True)


def test_a_partition_that_is_new_is_read_from_its_start_and_told_of(tmp_path: Path) -> None:
    """Wherever a new model begins, and whatever other shards have sent by then."""
    tables = 'scope = "partition"\nrecord.start = "latest"\npredictions.topic = "answers"\n'
    config = partitioned.written(tmp_path, tables)
    feed(config, messages()[:9], 2)
    ShardedService(config).run(until_end=True)
    feed(config, messages()[:200])
    ShardedService(config).run(until_end=True)
    grow(config, 2)
    feed(config, messages()[200:500])
    shards = ShardedService(config).run(until_end=True)
    assert sum(shard.sequence for shard in shards.values()) == 500
    told = [json.loads(message.value or b"") for _, _, message in read_topic(config, "answers")]
    assert shards[2].sequence == sum(answer["partition"] == 2 for answer in told) > 0


def test_bounds_by_offset_are_refused_for_models_of_partitions(config: Config) -> None:
    feed(config, messages()[:9])
    with pytest.raises(ConfigError, match="wanted a time for history in several partitions"):
        replay(config.folder / "parts.toml", "again", [], "1", None)


def test_a_partition_without_a_record_in_a_stretch_of_history_gets_no_model(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(config, messages()[:9], 2)
    grow(config, 2)
    path = config.folder / "parts.toml"
    replay(path, "all", [], None, "1970-01-01T00:00:00.001Z")
    assert capsys.readouterr().out.count("digest") == 1
    with pytest.raises(EmptyStretchError, match="in any partition of 'parts'"):
        replay(path, "none", [], None, "1970-01-01T00:00:00Z")
