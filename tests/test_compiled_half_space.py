from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import anomaly, preprocessing

from learners.base import PREDICT, Classes, Examples, Task
from learners.compiled.pipeline import compiled
from learners.compiled.twins import NoTwinError
from learners.errors import LearnerFailedError
from learners.from_river import FromRiver
from tests.twins import agree, indifferent_to_cuts, stream

MODELS = {
    "scaled": preprocessing.StandardScaler()
    | anomaly.HalfSpaceTrees(
        n_trees=4, height=5, window_size=40, limits=dict.fromkeys("abc", (-2.0, 2.0)), seed=7
    ),
    "min-max": preprocessing.MinMaxScaler()
    | anomaly.HalfSpaceTrees(n_trees=3, height=6, window_size=30, seed=5),
    "bare": anomaly.HalfSpaceTrees(n_trees=3, height=3, window_size=10, seed=1),
    "limits": anomaly.HalfSpaceTrees(
        n_trees=5, height=4, window_size=25, limits={"a": (-3.0, 3.0), "c": (-9, 9)}, seed=2
    ),
    "one level": anomaly.HalfSpaceTrees(n_trees=2, height=1, window_size=5, seed=3),
}
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=8, deadline=None)
def test_a_twin_scores_as_river_does(name: str, seed: int) -> None:
    agree(MODELS[name], stream(seed, 200, Task.REGRESSION))


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None)
def test_cuts_change_nothing(name: str, seed: int) -> None:
    indifferent_to_cuts(compiled(MODELS[name]), stream(seed, 200, Task.REGRESSION), seed)


def test_nothing_is_drawn_for_a_row_that_only_asks() -> None:
    learner = compiled(MODELS["bare"])
    asked = Examples.of([{"a": 0.5}], np.array([np.nan]), Classes(), PREDICT)
    assert learner.predict_learn(asked).value.tolist() == [0.0]
    assert learner.state().members["0"].meta["names"] is None


@pytest.mark.parametrize("rows", [[{}], [{"a": 0.1, "sky": "red"}], [{"a": 0.1}, {"a": "red"}]])
def test_what_river_raises_on_fails_at_the_same_row(rows: list[dict[str, Any]]) -> None:
    blocks = [Examples.of([row], np.array([np.nan]), Classes()) for row in rows]
    model = anomaly.HalfSpaceTrees(n_trees=9, height=6, seed=1)
    for learner in (FromRiver(model.clone()), compiled(model)):
        for block in blocks[:-1]:
            learner.predict_learn(block)
        with pytest.raises(LearnerFailedError):
            learner.predict_learn(blocks[-1])


def test_without_a_seed_there_is_no_twin() -> None:
    with pytest.raises(NoTwinError, match="without a seed"):
        compiled(anomaly.HalfSpaceTrees())
