"""What is fed: labels into the topic they have to themselves, and how far a feed that broke got."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from stream.cli import invoke
from stream.config import load
from stream.feed import SLICE
from stream.log_kinds import read_topic
from tests.command import CONFIG, records, refused

APART = CONFIG.replace("[model]", '[label]\ntopic = "late"\nlabel = "outcome"\n[model]').replace(
    'key = "id"', 'id = "id"'
)


@pytest.mark.parametrize("more", ["", "keyed_by_id = true"])
@pytest.mark.parametrize("file", ["late.jsonl", "late.csv"])
def test_labels_go_to_their_own_topic_under_their_id(
    config: Path, capsys: pytest.CaptureFixture[str], file: str, more: str
) -> None:
    config.write_text(APART.replace("[model]", f"{more}\n[model]"), "utf-8")
    path = config.with_name(file)
    lines = ['{"id": "a", "outcome": "b"}'] if file.endswith("jsonl") else ["id,outcome", "a,b"]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    assert invoke(["feed", str(config), "--labels", "--partitions", "2", str(path)]) == 0
    assert "into 'late', made with 2 partition(s)" in capsys.readouterr().out
    [(_, _, message)] = read_topic(load(config), "late")
    assert (message.key, json.loads(message.value or b"")) == (b"a", {"id": "a", "outcome": "b"})
    assert "wanted the topic 'late' with 3" in refused(
        capsys, "feed", str(config), "--labels", "--partitions", "3", str(path)
    )


def test_labels_without_a_topic_of_their_own_are_refused(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = refused(capsys, "feed", str(config), "--labels", "late.jsonl")
    assert "wanted [label] topic with --labels" in sentence


def test_a_feed_that_breaks_off_says_how_much_is_in_the_topic(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = gzip.compress(records(SLICE + 5_000).encode())
    path = config.with_name("history.jsonl.gz")
    path.write_bytes(whole[:-200])
    sentence = refused(capsys, "feed", str(config), str(path))
    assert sentence.endswith(f"the {SLICE:,} records before are in the topic")
    of = load(config)
    assert sum(1 for _ in read_topic(of, of.log.topic)) == SLICE
