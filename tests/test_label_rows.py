"""What a person and a program are told of labels that come later."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from stream.app import Service
from stream.cli import invoke
from stream.config import load
from stream.lines import Lines
from stream.log import Message
from stream.panel import Panel
from stream.report import Pace
from tests.command import put

CONFIG = """
name = "orders"
task = "classification"
[log]
path = "log.db"
[record]
id = "id"
label = "y"
[label]
within = "1d"
[model]
learner = "river.naive_bayes.GaussianNB"
[store]
path = "store.db"
"""
HOUR = 3_600_000
MATCHED = 50


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A service whose labels come two hours later, but for ten that never come."""
    path = tmp_path / "orders.toml"
    path.write_text(CONFIG)
    features = [({"id": i, "x": i % 5}, i) for i in range(MATCHED + 10)]
    labels = [({"id": i, "y": "ab"[i % 2]}, i + 2 * HOUR) for i in range(MATCHED)]
    odd = [({"id": 3, "y": "a"}, 3 * HOUR), ({"id": 3, "x": 1}, 3 * HOUR)]
    odd += [({"id": "new", "x": 1}, 26 * HOUR)]
    records = [*features, *labels, *odd]
    put(path, *(Message(b"k", json.dumps(record).encode(), time) for record, time in records))
    return path


def test_the_summary_and_the_state_tell_of_labels(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["run", str(path), "--until-end"]) == 0
    told = (
        "labels: waiting 1, matched 83.3%, label lag 2.0 h, in vain 10, unmatched labels 0, "
        "repeated 1 ids, 1 labels"
    )
    assert told in " ".join(capsys.readouterr().out.split())
    assert invoke(["state", str(path)]) == 0
    labels = json.loads(capsys.readouterr().out)["labels"]
    assert labels == {
        "waiting": 1,
        "labels": MATCHED + 1,
        "matched": MATCHED,
        "early": 0,
        "repeated_ids": 1,
        "repeated_labels": 1,
        "expired": 10,
        "evicted": 0,
        "defaulted": 0,
        "unmatched": 0,
        "ahead": 0,
        "share_matched": MATCHED / (MATCHED + 10),
        "lag": {"last": 2 * HOUR, "recent": 2.0 * HOUR, "overall": 2.0 * HOUR},
    }


def test_the_panel_tells_of_labels(path: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=110, height=40, color_system=None)
    ticks = iter(range(10_000))
    with Panel("title", Pace(), console, lambda: next(ticks)) as watch:
        Service(load(path)).run(until_end=True, watch=watch)
    for wanted in ("waiting", "matched", "83.3%", "label lag", "2.0 h", "unmatched labels"):
        assert wanted in out.getvalue()


@pytest.mark.parametrize("form", ["plain", "json"])
def test_lines_tell_of_labels(path: Path, form: str) -> None:
    lines: list[str] = []
    ticks = iter(range(10_000))
    watch = Lines("orders", Pace(), form, 0.5, lines.append, lambda: next(ticks))
    Service(load(path)).run(until_end=True, watch=watch)
    if form == "json":
        assert json.loads(lines[-1])["labels"]["share_matched"] == MATCHED / (MATCHED + 10)
    else:
        assert "; labels: waiting 1, matched 83.3%, label lag 2.0 h, " in lines[-1]
