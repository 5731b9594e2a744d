"""Where blocks are cut changes nothing: no model, score, prediction, schema or dead letter."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from learners.digests import digest
from stream.answers import entries_of
from stream.app import new_shard
from stream.block import DeadLetter
from stream.config import Config
from stream.log import Message
from stream.manifest import Position
from stream.shard import Shard
from stream.store import Entry
from stream.vault_kinds import checkpoints_of
from tests import streams
from tests.streams import LABEL

pytestmark = pytest.mark.slow

LARGEST = 5_000
SCALER = "river.preprocessing.StandardScaler"
SGD = "sklearn.linear_model.SGDClassifier"
NAIVE_BAYES = "river.naive_bayes.GaussianNB"
# Left open, river takes the depth from Python's recursion limit, which hypothesis changes.
TREE = {"use": "river.tree.HoeffdingTreeClassifier", "max_depth": 50}
WINDOW = {"records": 100, "keep": 10}
# Records of the stream, what is known of it before, and what learns.
CASES: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {
    "two classes": (
        6_000,
        {"positive": "high"},
        {"pipeline": [SCALER, "river.linear_model.LogisticRegression"]},
    ),
    "compiled": (
        6_000,
        {"positive": "high"},
        {"pipeline": [SCALER, "river.linear_model.LogisticRegression"], "compile": "auto"},
    ),
    "tree": (6_000, {}, {"pipeline": [SCALER, TREE]}),
    "sgd": (1_200, {}, {"learner": SGD}),
    "sgd of declared classes": (1_200, {"classes": ["low", "high"]}, {"learner": SGD}),
    "rolling": (1_200, {}, {"learner": NAIVE_BAYES, "window": WINDOW}),
    "rolling batch": (
        1_200,
        {},
        {"learner": "sklearn.tree.DecisionTreeClassifier", "window": WINDOW},
    ),
    "rolling sgd that goes on": (
        500,
        {},
        {"learner": SGD, "window": {"records": 50, "keep": 3, "on_close": "go_on"}},
    ),
}


@dataclasses.dataclass(frozen=True)
class Left:
    """All that a stream leaves behind."""

    digest: str
    report: dict[str, Any]
    decoder: dict[str, Any]
    counts: dict[str, int]
    positions: dict[tuple[str, int], Position]
    stored: dict[str, Entry]
    dead: list[DeadLetter]


def configured(name: str, folder: Path) -> Config:
    _, record, model = CASES[name]
    values = {
        "name": "cuts",
        "task": "classification",
        "record": {"label": LABEL, **record},
        "model": model,
    }
    return Config.of(values, folder)


def left_by(name: str, sizes: tuple[int, ...], saved_after: int | None = None) -> Left:
    """Take the stream in blocks of these sizes, over and over; resume once from a checkpoint."""
    messages = streams.rough(CASES[name][0], seed=11)
    stored: dict[str, Entry] = {}
    dead: list[DeadLetter] = []
    with tempfile.TemporaryDirectory() as folder:
        config = configured(name, Path(folder))
        shard = new_shard(config)
        shard.lineage = 1
        start = 0
        for i, size in enumerate(itertools.cycle(sizes)):
            if start >= len(messages):
                break
            block, answers = shard.take(streams.run_of(messages, start, start + size))
            start += size
            dead += block.dead
            for entry in entries_of(block, answers, config.task, shard.lineage):
                if entry.prediction:
                    stored[entry.key] = entry
                else:
                    stored.pop(entry.key, None)
            if i == saved_after:
                shard = resumed(shard, config)
    return Left(
        digest(shard.learner.estimator),
        shard.scores.report(),
        shard.decoder.state(),
        shard.counts,
        shard.positions,
        stored,
        sorted(dead, key=lambda letter: letter.offset),
    )


def resumed(shard: Shard, config: Config) -> Shard:
    """The shard that comes back from a checkpoint of this one."""
    checkpoints = checkpoints_of(config)
    fresh = new_shard(config)
    fresh.restore(checkpoints.claim(shard.snapshot()), checkpoints.state)
    return fresh


@functools.cache
def uncut(name: str) -> Left:
    return left_by(name, (LARGEST,))


SIZES = st.lists(
    st.one_of(st.integers(1, 40), st.integers(1, LARGEST)), min_size=1, max_size=12
).map(tuple)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=6)
@given(sizes=SIZES, saved_after=st.none() | st.integers(0, 12))
@example(sizes=(1,), saved_after=None)
def test_cuts_change_nothing(name: str, sizes: tuple[int, ...], saved_after: int | None) -> None:
    assert left_by(name, sizes, saved_after) == uncut(name)


@pytest.mark.parametrize("name", CASES)
def test_the_stream_is_rough_enough_to_tell(name: str) -> None:
    left = uncut(name)
    assert left.counts["removed"] > 0
    assert left.counts["unkeyed"] > 0
    assert 20 > len({letter.reason[:20] for letter in left.dead}) > 3
    assert {entry.prediction for entry in left.stored.values()} >= {'"high"', '"low"'}
    assert left.report["overall"]["accuracy"] > 0.6


@pytest.mark.parametrize("positive", ["p", "n", None])
@pytest.mark.parametrize("compiled", ["off", "auto"])
def test_a_class_that_comes_later_in_a_block_shows_in_no_earlier_prediction(
    compiled: str, positive: str | None
) -> None:
    record = {"key": "key", "label": "label"} | ({"positive": positive} if positive else {})
    config = Config.of(
        {
            "name": "late",
            "task": "classification",
            "record": record,
            "model": {"learner": "river.linear_model.LogisticRegression", "compile": compiled},
        }
    )
    rows = enumerate("nnnpnp")
    texts = [f'{{"key":"k{i}","a":{i}.5,"label":"{label}"}}'.encode() for i, label in rows]
    messages = [Message(None, text, 0) for text in texts]

    def told(size: int) -> list[Entry]:
        shard, entries = new_shard(config), list[Entry]()
        for start in range(0, len(messages), size):
            taken = shard.take(streams.run_of(messages, start, start + size))
            entries += entries_of(*taken, config.task, 1)
        return entries

    assert told(len(messages)) == told(1) == told(2)
