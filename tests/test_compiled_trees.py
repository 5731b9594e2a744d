from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import datasets, tree

from learners.base import LEARN, PREDICT, Classes, Examples
from learners.compiled.pipeline import compiled
from learners.compiled.tree import HoeffdingTreeClassifier
from learners.compiled.twins import NoTwinError
from learners.errors import LearnerError, LearnerFailedError
from learners.from_river import FromRiver
from tests.twins import agree, indifferent_to_cuts, stream

pytestmark = pytest.mark.slow
SEEDS = st.integers(0, 2**32)


def tree_of_river(seed: int, criterion: str = "info_gain", **others: Any) -> Any:
    """Return a tree with parameters that make it split, prune, stop and answer in all ways."""
    chance = random.Random(seed)
    return tree.HoeffdingTreeClassifier(
        grace_period=chance.choice([5, 20, 50]),
        delta=chance.choice([1e-7, 0.01, 0.3]),
        tau=chance.choice([0.05, 0.3]),
        leaf_prediction=chance.choice(["mc", "nb", "nba", "nba"]),
        split_criterion=criterion,
        max_depth=chance.choice([None, 2, 4]),
        merit_preprune=chance.choice([True, True, False]),
        max_share_to_split=chance.choice([0.99, 0.8]),
        nb_threshold=chance.choice([0, 30]),
        splitter=tree.splitter.GaussianSplitter(chance.choice([3, 10])),
        **others,
    )


def begun(rows: Examples) -> Examples:
    """Return the rows with all columns in the first, so that columns come in the order of keys."""
    rows.op[0] = PREDICT | LEARN
    first = [{**dict.fromkeys("abc", 0.5), **rows.rows[0]}, *rows.rows[1:]]
    return Examples(first, rows.op, rows.y, rows.weight, rows.time, rows.classes)


@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_a_twin_answers_as_river_does(seed: int) -> None:
    rows = begun(stream(seed, 500, words=["c", "a", "b", "d"], weights=seed % 2 == 1))
    agree(tree_of_river(seed), rows)


@pytest.mark.parametrize("criterion", ["info_gain", "gini"])
@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_so_it_does_with_more_classes(criterion: str, seed: int) -> None:
    agree(tree_of_river(seed, criterion), begun(stream(seed, 500, classes=4, missing=0.3)))


@given(seed=SEEDS)
@settings(max_examples=5, deadline=None)
def test_numbers_that_are_named_nominal_are_words(seed: int) -> None:
    chance = random.Random(seed)
    rows = begun(stream(seed, 400))
    marked = [{**row, "n": chance.choice([3, 1, 2.5, -10])} for row in rows.rows]
    agree(
        tree_of_river(seed, nominal_attributes=["n"]),
        Examples.of(marked, rows.y, rows.classes),
    )


def test_a_twin_follows_river_over_real_records() -> None:
    model = tree.HoeffdingTreeClassifier(grace_period=50, delta=0.01)
    agree(model, real(datasets.Phishing()))


@pytest.mark.parametrize("kind", ["own", "twin"])
@given(seed=SEEDS)
@settings(max_examples=4, deadline=None)
def test_cuts_change_nothing(kind: str, seed: int) -> None:
    own = HoeffdingTreeClassifier(grace=10, delta=0.1)
    learner = own if kind == "own" else compiled(tree_of_river(seed))
    rows = stream(seed, 600, classes=3, words=["c", "a", "b"], weights=True)
    indifferent_to_cuts(learner, rows, seed)


def test_a_tree_of_its_own_is_as_good_as_river() -> None:
    rows = real(datasets.ImageSegments())
    ours = right(HoeffdingTreeClassifier(grace=50, delta=1e-3), rows)
    theirs = right(FromRiver(tree.HoeffdingTreeClassifier(50, delta=1e-3)), rows)
    assert ours > theirs


def test_a_full_tree_goes_on_answering_and_learning() -> None:
    rows = stream(3, 3_000, missing=0.0)
    small = HoeffdingTreeClassifier(grace=10, delta=0.1, max_nodes=5)
    assert right(small, rows) > 0.7
    assert len(small.state().members["0"].arrays["0.node"]) <= 7


def test_a_twin_fails_where_river_does() -> None:
    y = np.repeat([0.0, 1.0], [7, 3])
    rows = Examples.of([{"x": float(i)} for i in range(10)], y, Classes(["a", 1]))
    for learner in (FromRiver(tree.HoeffdingTreeClassifier()), compiled(tree_of_river(1))):
        with pytest.raises(LearnerFailedError) as failed:
            learner.predict_learn(rows)
        # River notices when it next answers.
        assert 7 <= failed.value.row <= 8


@pytest.mark.parametrize(
    ("parameters", "clause"),
    [
        ({"split_criterion": "hellinger"}, "hellinger"),
        ({"binary_split": True}, "binary_split"),
        ({"stop_mem_management": True}, "stop_mem_management"),
        ({"leaf_prediction": "mc", "remove_poor_attrs": True}, "remove_poor_attrs"),
        ({"splitter": tree.splitter.HistogramSplitter()}, "HistogramSplitter"),
        ({"delta": 0.0}, "delta"),
    ],
)
def test_what_has_no_twin_says_so(parameters: dict[str, Any], clause: str) -> None:
    with pytest.raises(NoTwinError, match=clause):
        compiled(tree.HoeffdingTreeClassifier(**parameters))


@pytest.mark.parametrize("parameters", [{"grace": 0}, {"delta": 1.0}, {"tau": -1}])
def test_parameters_are_checked(parameters: dict[str, Any]) -> None:
    with pytest.raises(LearnerError, match=f"wanted {next(iter(parameters))} "):
        HoeffdingTreeClassifier(**parameters)


def real(dataset: Any) -> Examples:
    """Return the records of a dataset that comes with river."""
    labels = Classes()
    pairs = list(dataset)
    return Examples.of(
        [x for x, _ in pairs], np.array([float(labels.add(y)) for _, y in pairs]), labels
    )


def right(learner: Any, rows: Examples) -> float:
    """Return the share of rows answered rightly before they were learned."""
    return float((learner.predict_learn(rows).value == rows.y).mean())
