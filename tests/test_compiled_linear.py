from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import linear_model, optim, preprocessing

from learners.compiled.pipeline import compiled
from learners.compiled.twins import NoTwinError
from tests.twins import agree, indifferent_to_cuts, stream

MODELS = {
    "scaled": preprocessing.StandardScaler() | linear_model.LogisticRegression(),
    "centred": preprocessing.StandardScaler(with_std=False) | linear_model.LogisticRegression(),
    "bare": linear_model.LogisticRegression(optim.SGD(0.1), intercept_lr=0.05),
}
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_a_twin_answers_as_river_does(name: str, seed: int) -> None:
    agree(MODELS[name], stream(seed, weights=name == "bare"))


@pytest.mark.parametrize("name", MODELS)
def test_a_third_class_is_refused_alike(name: str) -> None:
    agree(MODELS[name], stream(1, classes=3))


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_cuts_change_nothing(name: str, seed: int) -> None:
    indifferent_to_cuts(compiled(MODELS[name]), stream(seed), seed)


@pytest.mark.parametrize(
    "model",
    [
        linear_model.LogisticRegression(optim.Adam()),
        linear_model.LogisticRegression(l2=0.1),
        preprocessing.StandardScaler(window_size=3) | linear_model.LogisticRegression(),
        preprocessing.RobustScaler() | linear_model.LogisticRegression(),
    ],
)
def test_what_has_no_twin_says_so(model: Any) -> None:
    with pytest.raises(NoTwinError):
        compiled(model)
