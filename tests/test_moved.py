"""A service whose checkpoints are in an object store: it may go on from any machine."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream import loop
from stream.app import Service, new_shard
from stream.bucket import Bucket
from stream.cli import invoke
from stream.config import Config, load
from stream.errors import ConfigError
from stream.journal import Taken
from stream.journal_segment import chain
from stream.label_section import LabelConfig
from stream.manifests import name_of
from stream.replay import renamed
from stream.session import Session
from stream.sharded import ShardedService
from stream.sources import open_logs
from stream.store_kinds import open_store
from stream.vault_kinds import checkpoints_of, journal_end, open_vault
from tests import object_store, partitioned, runner
from tests.partitioned import RECORDS, crash_at, feed, messages, replayed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, Any]]:
    with object_store.serving() as options:
        yield options


@pytest.fixture
def config(tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(loop, "USUAL", 40)
    monkeypatch.setattr(loop, "LARGEST", 40)
    tables = f"""
        dead.topic = "dead"
        checkpoint.url = "s3://{object_store.BUCKET}/{tmp_path.name}/parts"
        checkpoint.options.endpoint_url = "{options["endpoint_url"]}"
        checkpoint.options.key = "{options["key"]}"
        checkpoint.options.secret = "{options["secret"]}"
        checkpoint.options.client_kwargs.region_name = "eu-central-1"
    """
    return partitioned.written(tmp_path, tables)


def lineage_of(config: Config) -> int:
    newest = checkpoints_of(config).newest()
    assert newest is not None
    return newest.lineage


def test_one_partition_needs_no_journal_and_goes_on_after_a_crash(
    config: Config, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    beside = partitioned.written(plain)
    for one in (config, beside):
        feed(one, messages(), 1)
    crash_at(config, 700)
    left = runner.outcome(Service(config).run(until_end=True), config)
    whole = runner.outcome(Service(beside).run(until_end=True), beside)
    assert left == whole
    assert lineage_of(config) == 1
    assert not (config.checkpoint.path / "parts").exists()


def test_with_ticks_one_partition_has_an_order_to_lose(config: Config) -> None:
    record = config.record.model_copy(update={"id": "id"})
    config = config.model_copy(
        update={"record": record, "label": LabelConfig.model_validate({"idle": "1h"})}
    )
    feed(config, messages(), 1)
    crash_at(config, 700)
    Service(config).run(until_end=True)
    assert lineage_of(config) == 2


def test_after_a_crash_the_tail_is_taken_anew_in_a_new_lineage(
    config: Config, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    feed(config, messages())
    for at in (250, 700, 1_000):
        crash_at(config, at)
    left = runner.outcome(Service(config).run(until_end=True), config)
    # The first crash was before the first checkpoint: nothing of an order was to be kept.
    assert lineage_of(config) == 3
    assert "in lineage 3" in caplog.text
    taken = [
        (entry.partition, at)
        for entry in chain(open_vault(config), None, journal_end(config))
        if isinstance(entry, Taken)
        for at in range(entry.first, entry.last + 1)
    ]
    assert len(taken) == len(set(taken)) == left.sequence == RECORDS
    assert replayed(config, "again", capsys, journal=True) == left.digest


def test_who_ended_by_himself_goes_on_in_his_lineage(config: Config) -> None:
    feed(config, messages()[:600])
    Service(config).run(until_end=True)
    feed(config, messages()[600:])
    left = Service(config).run(until_end=True)
    assert (left.lineage, left.sequence) == (1, RECORDS)


def test_each_shard_has_a_place_of_its_own(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config.folder / "parts.toml"
    path.write_text('scope = "partition"\n' + path.read_text("utf-8"), "utf-8")
    sharded = load(path)
    feed(sharded, messages())
    ShardedService(sharded).run(until_end=True)
    assert invoke(["state", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)["partitions"]
    assert sum(one["sequence"] for one in told.values()) == RECORDS


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('checkpoint.url = "gs://models/x"\n', 'such as "s3://bucket/models/elec2"'),
        ('checkpoint.url = "s3://models"\n', "name a bucket"),
        ('checkpoint.url = "s3://models/x"\n', r"wanted \[dead\] topic"),
        ("checkpoint.options.key = 'x'\n", "wanted options with url only"),
    ],
)
def test_a_place_that_cannot_be_used_is_told(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        partitioned.written(tmp_path, table)


def test_who_left_does_not_speak_for_an_owner_whose_claim_is_torn(config: Config) -> None:
    feed(config, messages()[:90])
    Service(config).run(until_end=True)
    feed(config, messages()[90:200])
    crash_at(config, 130)
    bucket = open_vault(config)
    claim = checkpoints_of(config).newest()
    assert isinstance(bucket, Bucket) and claim is not None and claim.sequence == 90
    bucket._objects.pipe_file(f"{bucket._root}/{name_of(claim.number)}", b"torn")
    left = Service(config).run(until_end=True)
    assert (left.lineage, left.sequence) == (2, 200)


def test_who_is_let_go_before_anything_came_goes_on_in_his_lineage(config: Config) -> None:
    """As by a rebalance while the next shard of the same instance is claimed."""
    feed(config, messages()[:90])
    Service(config).run(until_end=True)
    with contextlib.ExitStack() as stack:
        [log] = logs = open_logs(config)
        stack.callback(log.close)
        store = stack.enter_context(contextlib.closing(open_store(config)))
        assert log.acquire(10)
        session = Session(config, new_shard(config), logs, store, lambda: False)
        turns = session.turns(lambda loop: None, None, None, lambda phase: None)
        next(turns)
        turns.close()
    feed(config, messages()[90:200])
    left = Service(config).run(until_end=True)
    assert (left.lineage, left.sequence) == (1, 200)


def test_a_replay_beside_the_service_may_not_be_the_service(config: Config) -> None:
    named = config.checkpoint.model_copy(update={"url": f"s3://{object_store.BUCKET}/again"})
    with pytest.raises(ConfigError, match="must not touch"):
        renamed(config.model_copy(update={"checkpoint": named}), "again")
