from __future__ import annotations

import functools
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import neighbors, preprocessing
from river.utils.math import minkowski_distance

from learners.base import LEARN, PREDICT, Classes, Examples, Task
from learners.compiled.pipeline import compiled
from learners.compiled.twins import NoTwinError
from learners.errors import LearnerFailedError
from learners.from_river import FromRiver
from tests.twins import agree, agree_but_for_ties, indifferent_to_cuts, stream


def lazy(window: int = 20, power: float | None = None) -> neighbors.LazySearch:
    if power is None:
        return neighbors.LazySearch(window_size=window)
    return neighbors.LazySearch(
        window_size=window, dist_func=functools.partial(minkowski_distance, p=power)
    )


CLASSIFIERS = {
    "default": neighbors.KNNClassifier(engine=lazy()),
    "scaled": preprocessing.StandardScaler() | neighbors.KNNClassifier(engine=lazy(50)),
    "shares": neighbors.KNNClassifier(4, lazy(), weighted=False),
    "softmax": neighbors.KNNClassifier(3, lazy(), softmax=True),
    "manhattan": neighbors.KNNClassifier(engine=lazy(power=1)),
    "cubic": neighbors.KNNClassifier(engine=lazy(power=3)),
    "few": neighbors.KNNClassifier(30, lazy(10)),
}
REGRESSORS = {
    "mean": neighbors.KNNRegressor(engine=lazy()),
    "median": neighbors.KNNRegressor(4, lazy(power=1), "median"),
    "weighted mean": neighbors.KNNRegressor(5, lazy(), "weighted_mean"),
}
pytestmark = pytest.mark.slow


def coarse(seed: int) -> Examples:
    """Rows of few values: many are equally far, and some are the same."""
    chance = random.Random(seed)
    rows = [
        {f: chance.choice([-1, 0, 1, 2]) for f in "abcd" if chance.random() < 0.8}
        for _ in range(150)
    ]
    labels = Classes()
    y = np.array([float(labels.add(chance.choice("xyz"[: 1 + i // 20]))) for i in range(150)])
    examples = Examples.of(rows, y, labels)
    examples.op[:] = [chance.choice([PREDICT | LEARN] * 4 + [PREDICT, LEARN]) for _ in rows]
    return examples


@pytest.mark.parametrize("name", CLASSIFIERS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=8, deadline=None)
def test_a_classifier_answers_as_river_does(name: str, seed: int) -> None:
    agree_but_for_ties(CLASSIFIERS[name], stream(seed, 150, classes=3))


@pytest.mark.parametrize("name", ["default", "shares", "manhattan"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_of_rows_equally_far_the_older_is_nearer(name: str, seed: int) -> None:
    agree_but_for_ties(CLASSIFIERS[name], coarse(seed))


@pytest.mark.parametrize("name", REGRESSORS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=8, deadline=None)
def test_a_regressor_answers_as_river_does(name: str, seed: int) -> None:
    agree(REGRESSORS[name], stream(seed, 150, Task.REGRESSION))


@pytest.mark.parametrize("name", CLASSIFIERS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_cuts_change_no_class(name: str, seed: int) -> None:
    indifferent_to_cuts(compiled(CLASSIFIERS[name]), stream(seed, 150, classes=3), seed)


@pytest.mark.parametrize("name", REGRESSORS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_cuts_change_no_number(name: str, seed: int) -> None:
    indifferent_to_cuts(compiled(REGRESSORS[name]), stream(seed, 150, Task.REGRESSION), seed)


def test_the_window_bounds_the_state() -> None:
    learner = compiled(CLASSIFIERS["default"])
    learner.predict_learn(stream(1, 300))
    points = learner.state().members["0"].arrays["points"]
    assert points.shape == (4, 20)


def test_a_distance_beyond_floating_point_fails_where_river_does() -> None:
    rows = Examples.of([{"a": 1e200}, {"a": -1e200}], np.zeros(2), Classes(["x"]))
    for learner in (FromRiver(CLASSIFIERS["cubic"].clone()), compiled(CLASSIFIERS["cubic"])):
        with pytest.raises(LearnerFailedError) as error:
            learner.predict_learn(rows)
        assert error.value.row == 1


@pytest.mark.parametrize(
    ("model", "clause"),
    [
        (neighbors.KNNClassifier(), "engine SWINN"),
        (neighbors.KNNRegressor(), "engine SWINN"),
        (neighbors.KNNClassifier(engine=lazy(), cleanup_every=5), "cleanup_every"),
        (neighbors.KNNClassifier(0, lazy()), "without neighbours"),
        (
            neighbors.KNNClassifier(engine=neighbors.LazySearch(dist_func=lambda a, b: 0.0)),
            "distance",
        ),
    ],
)
def test_what_has_no_twin_says_so(model: Any, clause: str) -> None:
    with pytest.raises(NoTwinError, match=clause):
        compiled(model)
