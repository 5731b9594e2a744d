"""The summary of a run: what it came to, and what came to nothing."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from stream.app import Service, new_shard
from stream.config import Config, load
from stream.log import Message
from stream.log_kinds import open_log
from stream.report import Pace
from stream.runner import summarize
from stream.shard import Shard
from tests.command import alluvia, put, start

GOOD = b'{"id": "k", "x": 1, "label": "a"}'


def records(*values: bytes) -> list[Message]:
    return [Message(None, value, 0) for value in values]


def summary(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a service to the end of its log, and return its summary."""
    config = load(path)
    return summary_of(config, Service(config).run(until_end=True), capsys)


def summary_of(config: Config, shard: Shard, capsys: pytest.CaptureFixture[str]) -> str:
    summarize(config, shard, Pace())
    return " ".join(capsys.readouterr().out.split())


def as_json(path: Path) -> None:
    path.write_text(path.read_text("utf-8") + 'log = "json"\n', "utf-8")


def test_a_service_that_never_held_the_partition_says_so_in_one_line(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config)
    loaded = load(config)
    text = summary_of(loaded, new_shard(loaded), capsys)
    assert text.startswith("demo: never held the partition")
    assert "0@0" not in text
    as_json(config)
    loaded = load(config)
    told = json.loads(summary_of(loaded, new_shard(loaded), capsys))
    assert told == {"event": "standby", "name": "demo"}


@pytest.mark.slow
def test_a_service_stopped_while_it_stands_by_ends_well(config: Path) -> None:
    put(config, *records(GOOD))
    holder = open_log(load(config), "demo")
    assert holder.acquire(0) is not None
    standby = start(config.parent, "run", config.name)
    assert standby.stderr is not None
    assert "standing by" in standby.stderr.readline()
    standby.send_signal(signal.SIGTERM)
    out, err = standby.communicate(timeout=20)
    holder.close()
    assert (standby.returncode, err) == (0, "")
    assert out.startswith("demo: never held the partition")
    assert len(out.splitlines()) == 1
    assert not (config.parent / ".alluvia").exists()


def test_a_run_of_bad_records_shows_the_commonest_reason_and_no_scores(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config, *records(b"[1]", b"oops", b" oops", b"[2, 3]", b"  oops"))
    text = summary(config, capsys)
    assert "every record was set aside, most often (3 of 5): JSON is malformed" in text
    assert "accuracy - - - - - -" in text
    as_json(config)
    told = json.loads(summary(config, capsys))
    assert told["set_aside_most"]["count"] == 3
    assert told["scores"]["overall"]["accuracy"] is None
    assert told["scores"]["recent_baselines"]["majority"]["accuracy"] is None


def test_a_run_with_some_bad_records_shows_their_reason_and_scores(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config, *records(GOOD, GOOD, b'{"id": "k", "x": "[bold]:warning:", "label": "a"}'))
    text = summary(config, capsys)
    assert "set aside, most often (1 of 1): wanted a number in the field 'x', got" in text
    assert "every record" not in text
    assert "accuracy 0.5000" in text


def test_a_run_without_bad_records_has_no_reason(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config, *records(GOOD))
    as_json(config)
    assert json.loads(summary(config, capsys))["set_aside_most"] is None


def test_markup_in_a_reason_is_shown_as_it_is(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config, *records(b'{"c": "' + b"x" * 1_000_001 + b'"}'))
    assert "([record] max_bytes)" in summary(config, capsys)


def test_a_summary_is_shown_though_the_letters_cannot_be_read(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config, *records(b"oops", GOOD))
    summary(config, capsys)
    (config.parent / ".alluvia" / "demo" / "dead.db-wal").unlink(missing_ok=True)
    os.truncate(config.parent / ".alluvia" / "demo" / "dead.db", 5_000)
    loaded = load(config)
    shard = new_shard(loaded)
    shard.lineage, shard.counts["set_aside"] = 1, 1
    text = summary_of(loaded, shard, capsys)
    assert "move it away" in text
    assert "digest" in text
    assert alluvia(config.parent, "dead", config.name, code=2) == ""
