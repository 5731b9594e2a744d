from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from river import forest, preprocessing

from learners.base import Classes, Examples, Task
from learners.compiled.mondrian_nodes import COUNT, SIZE
from learners.compiled.pipeline import compiled
from learners.compiled.twins import NoTwinError
from learners.compiled.twister import SHEET, turn, words_of
from learners.errors import LearnerFailedError
from learners.from_river import FromRiver
from tests.twins import agree, agree_but_for_ties, indifferent_to_cuts, stream

CLASSIFIERS = {
    "default": forest.AMFClassifier(n_estimators=4, seed=1),
    "scaled": preprocessing.StandardScaler() | forest.AMFClassifier(n_estimators=2, seed=2),
    "pure": forest.AMFClassifier(3, step=0.3, dirichlet=0.1, split_pure=True, seed=3),
    "leaves": forest.AMFClassifier(2, use_aggregation=False, max_nodes=21, seed=4),
}
REGRESSORS = {
    "default": forest.AMFRegressor(n_estimators=4, seed=1),
    "leaves": forest.AMFRegressor(3, use_aggregation=False, max_nodes=30, seed=2),
}
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_the_draws_are_those_of_python(seed: int) -> None:
    words, sheet, python = words_of(seed), np.zeros(SHEET), random.Random(seed)
    for _ in range(3):
        turn(words, sheet)
        assert sheet.tolist() == [python.random() for _ in range(SHEET)]


@pytest.mark.parametrize("name", CLASSIFIERS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=6, deadline=None)
def test_a_classifier_answers_as_river_does(name: str, seed: int) -> None:
    agree_but_for_ties(CLASSIFIERS[name], stream(seed, 300, classes=4))


@pytest.mark.parametrize("seed", range(10))
def test_every_seed_grows_the_trees_of_river(seed: int) -> None:
    agree_but_for_ties(forest.AMFClassifier(3, seed=seed), stream(7, 400, classes=2))


@pytest.mark.parametrize("name", REGRESSORS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=6, deadline=None)
def test_a_regressor_answers_as_river_does(name: str, seed: int) -> None:
    agree(REGRESSORS[name], stream(seed, 300, Task.REGRESSION))


@pytest.mark.parametrize("name", CLASSIFIERS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_cuts_change_no_class(name: str, seed: int) -> None:
    indifferent_to_cuts(compiled(CLASSIFIERS[name]), stream(seed, 200, classes=3), seed)


@pytest.mark.parametrize("name", REGRESSORS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_cuts_change_no_number(name: str, seed: int) -> None:
    indifferent_to_cuts(compiled(REGRESSORS[name]), stream(seed, 200, Task.REGRESSION), seed)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learners.compiled.mondrian.NODES", 50)
    learner = compiled(forest.AMFClassifier(n_estimators=3, seed=1))
    for seed in range(3):
        learner.predict_learn(stream(seed, 500))
    arrays = learner.state().members["0"].arrays
    assert arrays["marks"][:, SIZE].tolist() == [51, 51, 51]
    assert len(arrays["nodes"]) == 3 * 51
    assert arrays["nodes"][0, COUNT] > 1_000, "a full tree learns on"


def test_a_row_at_no_finite_distance_fails_as_in_river() -> None:
    small = [{"a": i / 7.0, "b": i % 3.0} for i in range(20)]
    rows = [*small, {"a": 1.7e308, "b": 1.7e308}]
    examples = Examples.of(rows, np.zeros(21), Classes(["x"]))
    for learner in (FromRiver(CLASSIFIERS["pure"].clone()), compiled(CLASSIFIERS["pure"])):
        with pytest.raises(LearnerFailedError) as error:
            learner.predict_learn(examples)
        assert error.value.row == 20


@given(seed=st.integers(0, 2**32))
@example(seed=6)
@settings(max_examples=6, deadline=None)
def test_the_first_row_that_a_tree_cannot_learn_is_named_wherever_blocks_are_cut(seed: int) -> None:
    chance = random.Random(seed)
    values = [0.5, *(chance.choice([0.1, 0.7, 0.9, -1.7e308, 1.7e308]) for _ in range(300))]
    far = [dict(zip("abc", values[i : i + 3], strict=True)) for i in range(0, 297, 3)]
    rows = Examples.of(far, np.zeros(99), Classes(["x"]))

    def named(step: int) -> int:
        learner = compiled(forest.AMFRegressor(n_estimators=8, seed=seed))
        for start in range(0, len(rows), step):
            try:
                learner.predict_learn(rows[start : start + step])
            except LearnerFailedError as failed:
                return start + failed.row
        return -1

    assert named(1) == named(7) == named(99)


@pytest.mark.parametrize(
    ("model", "clause"),
    [
        (forest.AMFClassifier(), "without a seed"),
        (forest.AMFClassifier(n_estimators=0, seed=1), "without trees"),
        (forest.AMFClassifier(dirichlet=0.0, seed=1), "dirichlet"),
    ],
)
def test_what_has_no_twin_says_so(model: Any, clause: str) -> None:
    with pytest.raises(NoTwinError, match=clause):
        compiled(model)
