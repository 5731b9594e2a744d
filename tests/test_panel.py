from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from stream.app import Service
from stream.config import Config
from stream.lines import Lines
from stream.log import Message
from stream.log_kinds import open_appender
from stream.loop import Loop
from stream.panel import INTERVAL, Panel
from stream.report import Pace, finite, model_of
from stream.runner import Display
from stream.tables import member_table, score_table

pytestmark = pytest.mark.slow

RECORDS = 900


class Clock:
    """Time that passes by `step` each time it is asked."""

    def __init__(self, step: float) -> None:
        self.step = step
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def config(tmp_path: Path) -> Config:
    values = {
        "name": "demo",
        "task": "classification",
        "log": {"path": "log.db"},
        "record": {"label": "y"},
        "model": {"learner": "river.naive_bayes.GaussianNB", "window": {"records": 250, "keep": 3}},
        "store": {"path": "store.db"},
        "checkpoint": {"records": 100},
    }
    config = Config.of(values, tmp_path)
    appender = open_appender(config)
    appender.create(1)
    rows = [{"x": i % 10 / 10, "y": "ab"[i % 10 > 4]} for i in range(RECORDS)]
    appender.append([Message(None, json.dumps(row).encode(), i) for i, row in enumerate(rows)])
    appender.append([Message(None, b"oops", 0)])
    appender.close()
    return config


def watched(config: Config, make: Callable[[Pace], Display], step: float = 0.0) -> int:
    """Run to the end with what `make` returns watching; return how often it was called."""
    calls = 0
    with make(Pace(Clock(step))) as watch:

        def counted(loop: Loop) -> None:
            nonlocal calls
            calls += 1
            watch(loop)

        Service(config).run(until_end=True, watch=counted)
    return calls


def drawn(config: Config, step: float, width: int = 100, height: int = 50) -> tuple[str, int, int]:
    """Return what a panel wrote, how often it drew a model, and how often it was called."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, height=height, color_system=None)
    calls = watched(config, lambda pace: Panel("title", pace, console, Clock(step)), step=0.5)
    return out.getvalue(), out.getvalue().count("title  model 1@"), calls


def test_the_panel_shows_all_there_is_to_know(config: Config) -> None:
    text, draws, calls = drawn(config, step=INTERVAL)
    assert 1 < draws <= calls + 1
    for wanted in ("title  model 1@901", "records", "lag", "dead letters", "checkpoint"):
        assert wanted in text
    for wanted in ("accuracy", "majority", "repeat last", "250 to 499", "3 (open)", "█"):
        assert wanted in text


def test_the_panel_draws_no_more_often_than_its_interval(config: Config) -> None:
    # 0.01 s pass with each call: far fewer drawings than blocks.
    _, draws, calls = drawn(config, step=INTERVAL / 100)
    assert calls > 5
    # A live display writes its last drawing once more when it stops.
    assert draws <= 2


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("height", [7, 12, 17, 26])
def test_the_panel_fits_few_lines_the_essential_first(
    config: Config, width: int, height: int
) -> None:
    text, _, _ = drawn(config, INTERVAL, width, height)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).rpartition("╭")[2].splitlines()
    end = next(i for i, line in enumerate(lines) if line.startswith("╰"))
    assert end + 1 < height
    shown = "\n".join(lines[:end])
    assert "records" in shown and "lag" in shown
    # First scores, then the others, then the newest member, which still learns, then older ones.
    found = [name in shown for name in ("accuracy", "log loss", "3 (open)", "0 to 249")]
    assert found == sorted(found, reverse=True)
    assert sum(found) >= {7: 0, 12: 1, 17: 2, 26: 4}[height]


def test_the_panel_waits_before_the_first_block(config: Config) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    with Panel("title", Pace(), console):
        assert "waiting" in out.getvalue()


@pytest.mark.parametrize("form", ["plain", "json"])
def test_lines_come_at_an_interval(config: Config, form: str) -> None:
    lines: list[str] = []

    def make(pace: Pace) -> Display:
        return contextlib.nullcontext(Lines("demo", pace, form, 2.0, lines.append, Clock(1.0)))

    calls = watched(config, make, step=1.0)
    assert len(lines) == calls // 2
    assert all("\n" not in line for line in lines)
    if form == "json":
        told = json.loads(lines[-1])
        assert told["lag"] == 0
        assert told["counts"]["set_aside"] == 1
        assert told["members"][-1]["closed"] is False
        assert told["scores"]["recent_baselines"]["majority"]["accuracy"] > 0
    else:
        assert "demo 1@901: 901 records" in lines[-1]
        assert "lag 0; overall accuracy " in lines[-1]
        assert "; 4 members; 1 dead letters; " in lines[-1]


def test_rates_are_of_this_run(config: Config) -> None:
    seen: list[tuple[float | None, float | None]] = []
    pace = Pace(Clock(1.0))
    assert pace.overall() is None

    def watch(loop: Loop) -> None:
        progress = pace.look(loop)
        seen.append((progress.now, progress.overall))

    Service(config).run(until_end=True, watch=watch)
    first, *_, last = seen
    assert first[0] == 0.0
    assert last[0] is not None
    assert last[0] > 0
    overall = pace.overall()
    assert overall is not None
    assert overall > 0


def test_a_run_of_one_block_has_no_rate(config: Config) -> None:
    pace = Pace(Clock(1.0))
    loops: list[Loop] = []

    def watch(loop: Loop) -> None:
        pace.begin(loop)
        loops.append(loop)

    Service(config).run(stop=lambda: bool(loops), watch=watch)
    assert loops[0].shard.sequence > 0
    assert pace.overall() is None


def test_tables_show_figures_that_are_missing_as_a_dash(config: Config) -> None:
    model = model_of(Service(config).run(until_end=True))
    out = io.StringIO()
    console = Console(file=out, width=80)
    console.print(score_table(model["scores"]), member_table(model["members"]))
    lines = out.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert next(line for line in lines if "kappa temporal" in line).split()[-1] == "-"


def test_numbers_that_json_lacks_are_null() -> None:
    assert finite({"a": [float("nan"), 1], "b": -float("inf")}) == {"a": [None, 1], "b": None}
