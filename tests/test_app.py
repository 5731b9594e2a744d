"""The service's ends: stopped in its warm-up, in standby, or refused when it is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stream.app import Service
from stream.log import Message
from stream.loop import Loop
from stream.report import model_of
from tests import runner, streams
from tests.streams import LABEL

BAYES = {"learner": "river.naive_bayes.GaussianNB"}


def tables(**record: Any) -> dict[str, Any]:
    return {"task": "classification", "record": {"label": LABEL, **record}, "model": BAYES}


@pytest.mark.slow
def test_a_warm_up_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    stream = streams.drifting(3_000, 1)
    lines = [json.dumps({**x, LABEL: y}) for x, y in stream]
    (tmp_path / "past.jsonl").write_text("\n".join(lines), "utf-8")
    whole, halved = (
        runner.embedded(tmp_path / name, name, **tables(warm_up=str(tmp_path / "past.jsonl")))
        for name in ("whole", "halved")
    )
    for config in (whole, halved):
        config.folder.mkdir()
        runner.feed(config, streams.drifting(100, 2).messages())
    taken: list[int] = []

    def watch(loop: Loop) -> None:
        taken.append(loop.shard.sequence)

    first = Service(halved).run(until_end=True, stop=lambda: bool(taken), watch=watch)
    assert 0 < first.sequence < len(stream)
    assert runner.run(halved) == runner.run(whole)
    assert runner.run(halved).sequence == len(stream) + 100


def test_windows_that_no_model_could_be_fitted_to_are_told(tmp_path: Path) -> None:
    forest = {"learner": "sklearn.tree.DecisionTreeClassifier", "window": {"records": 20}}
    config = runner.embedded(
        tmp_path, "words", task="classification", record={"label": LABEL}, model=forest
    )
    values = [json.dumps({"colour": "red", LABEL: i % 2}).encode() for i in range(50)]
    runner.feed(config, (Message(None, value, i) for i, value in enumerate(values)))
    told = model_of(Service(config).run(until_end=True))
    assert len(told["skipped"]) == 2
    assert "could not convert string to float: 'red'" in told["skipped"][0]
