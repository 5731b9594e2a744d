from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from river import naive_bayes

from benchmarks import plots
from benchmarks.failure import BenchmarkError
from benchmarks.flame import drawn, stacks
from benchmarks.machine import slug
from benchmarks.peers.process import interpreter
from benchmarks.streams import rbf
from benchmarks.turns import Figures, Floor, Pair, Way, compiled, in_turns, judged, told
from learners.compiled.pipeline import compiled as twin_of
from learners.from_river import FromRiver


def test_the_order_turns_round_each_time() -> None:
    order: list[tuple[str, int]] = []

    def way(name: str) -> Way:
        def measured(number: int) -> Figures:
            order.append((name, number))
            return {"rate": 1.0, "accuracy": 0.5}

        return measured

    found = in_turns({name: way(name) for name in "abc"}, 2)
    assert order == [(name, 0) for name in "abc"] + [(name, 1) for name in "cba"]
    assert {name: len(rounds) for name, rounds in found.items()} == {"a": 2, "b": 2, "c": 2}


def figures(times: float, over: float) -> dict[str, Any]:
    turns = {
        "ours": [{"rate": times, "accuracy": 0.8 + over}] * 3,
        "theirs": [{"rate": 1.0, "accuracy": 0.8}] * 3,
    }
    return told("stream", turns, [Pair("peer", "ours", "theirs")])


@pytest.mark.parametrize(
    ("times", "over", "margin", "fine"),
    [
        (41.0, 0.0, 0.002, True),
        (39.0, 0.1, 0.002, False),
        (41.0, -0.003, 0.002, False),
        (41.0, -0.003, math.inf, True),
    ],
)
def test_the_worst_stream_decides(times: float, over: float, margin: float, fine: bool) -> None:
    streams = {"good": figures(100.0, 0.1), "worse": figures(times, over)}
    assert judged(streams, {"peer": Floor(40.0, margin)})["pass"] is fine


def test_a_drifting_stream_is_the_same_each_time_and_drifts() -> None:
    first, again = rbf(2_000), rbf(2_000)
    assert np.array_equal(first.x, again.x) and np.array_equal(first.y, again.y)
    assert set(first.y.tolist()) == {0, 1} and first.y[0] == 0
    assert np.array_equal(first.first(10).x, first.x[:10])


@pytest.mark.slow
def test_the_accuracy_of_a_learner_is_that_of_river_one_by_one() -> None:
    stream, right = rbf(500), 0
    model = naive_bayes.GaussianNB()
    for row, label in zip(stream.x.tolist(), stream.y.tolist(), strict=True):
        record = dict(zip(stream.names, row, strict=True))
        right += model.predict_one(record) == label
        model.learn_one(record, label)
    for learner in (twin_of(naive_bayes.GaussianNB()), FromRiver(naive_bayes.GaussianNB())):
        assert compiled(learner, stream, enough=0.0)["accuracy"] == right / 500


def test_a_peer_that_is_missing_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERS_PYTHON", "/no/such/python")
    with pytest.raises(BenchmarkError, match=r"run `make \.venv-peers/\.ready`"):
        interpreter("PEERS_PYTHON", ".venv-peers", "river")


def test_plots_are_drawn_of_what_has_figures(tmp_path: Path) -> None:
    names = ("capymoa", "river")
    stream = {name: figures(40.0, 0.0)["peer"] for name in names}
    report = {
        "begun": "2026-11-21T00:00:00+00:00",
        "machine": {"cpu": "A <processor>", "cores": 2},
        "programs": {
            "learners_tree": {"streams": {"elec2": stream}, "pass": True},
            "flat": {"error": "wanted a file, got none", "pass": False},
        },
    }
    plots.draw(report, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["learners_tree.svg"]
    plot = ElementTree.fromstring((tmp_path / "learners_tree.svg").read_text("utf-8"))
    texts = [one.text for one in plot.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Alluvia", "CapyMOA", "river", "elec2"} <= set(texts)


def test_a_flame_graph_is_of_what_is_done_while_records_flow() -> None:
    loop = "process 1:alluvia;thread (7): MainThread;main (a.py:1);Loop.turns (stream/loop.py:{});"
    raw = "\n".join(
        [
            loop.format(2) + "Chain.run <x> (learners/compiled/chain.py:3) 3",
            loop.format(9) + "Chain.run <x> (learners/compiled/chain.py:4) 1",
            loop.format(9) + "_compile_for_args (numba/dispatcher.py:4) 5",
            "process 2:python -m stream.log_worker;thread (9): main;Worker._push (w.py:1) 2",
            "process 1:alluvia;thread (7): MainThread;main (a.py:1);imported (b.py:1) 8",
        ]
    )
    found = stacks(raw)
    assert found == {
        ("MainThread", "Loop.turns stream/loop.py", "Chain.run <x> learners/compiled/chain.py"): 4,
        ("reading process, main", "Worker._push w.py"): 2,
    }
    graph = ElementTree.fromstring(drawn(found))
    names = [one.text for one in graph.iter("{http://www.w3.org/2000/svg}title")]
    assert "Chain.run <x> learners/compiled/chain.py: 66.7%" in names
    assert len(names) == 5
    assert list(ElementTree.fromstring(drawn(stacks(""))))


def test_a_machine_is_part_of_a_name() -> None:
    machine = {"cpu": "Intel(R) Xeon(R) Processor", "cores": 2}
    assert slug(machine) == "intel-xeon-processor-2-cores"
