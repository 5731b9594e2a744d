from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import compose, linear_model, optim, preprocessing

from learners.base import LEARN, PREDICT, Classes, Examples, Task
from learners.compiled.pipeline import compiled
from learners.compiled.twins import NoTwinError
from learners.digests import digest
from learners.errors import LearnerFailedError
from learners.from_river import FromRiver
from tests.twins import agree, indifferent_to_cuts, stream

WORDS = ["red", "green", "blue", "grey", "black"]
Scaler, Encoder = preprocessing.StandardScaler, preprocessing.OneHotEncoder


def logistic() -> Any:
    return linear_model.LogisticRegression(optim.SGD(0.2), l2=0.01)


MODELS: dict[str, Any] = {
    "by type": (compose.SelectType(int, float) | Scaler()) + (compose.SelectType(str) | Encoder())
    | logistic(),
    "by number": (compose.SelectType(numbers.Number) | Scaler()) | logistic(),
    "by name": (compose.Discard("sky", "late") | Scaler())
    + (compose.Discard("a", "b", "c", "late") | Encoder())
    | logistic(),
    "one name twice": (compose.Discard("sky", "b") | Scaler())
    + (compose.Discard("sky") | preprocessing.MaxAbsScaler())
    | logistic(),
    "words twice": (compose.SelectType(str) + compose.Discard("a", "b", "c", "late"))
    | Encoder()
    | logistic(),
    "prefixed": compose.Discard("sky")
    | (
        (Scaler() | compose.Prefixer("z_"))
        + (preprocessing.MaxAbsScaler() | compose.Suffixer("_m"))
        + compose.Discard("a")
    )
    | Scaler()
    | logistic(),
    "inside another": (
        (compose.SelectType(str) | (Encoder() + compose.Prefixer("x")) | Encoder())
        + compose.Discard("sky")
    )
    | logistic(),
}
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_a_twin_answers_as_river_does(name: str, seed: int) -> None:
    agree(MODELS[name], stream(seed, 200, words=WORDS))


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_cuts_change_nothing(name: str, seed: int) -> None:
    indifferent_to_cuts(compiled(MODELS[name]), stream(seed, 200, words=WORDS), seed)


@pytest.mark.parametrize("name", MODELS)
def test_no_rows_and_no_fields_are_taken_too(name: str) -> None:
    twin = compiled(MODELS[name])
    rows = stream(1, 50, words=WORDS)
    twin.predict_learn(rows[:0])
    twin.predict_learn(rows[:30])
    before = digest(twin.estimator)
    assert len(twin.predict_learn(rows[:0]).value) == 0
    assert digest(twin.estimator) == before
    agree(MODELS[name], Examples.of([{}, {}, {"a": 1.0}], np.array([0.0, 1.0, 1.0]), Classes("ab")))


def test_numbers_are_predicted_alike() -> None:
    model = compose.Select("a", "b") | Scaler() | linear_model.LinearRegression()
    agree(model, stream(4, 100, Task.REGRESSION, missing=0.0))


@pytest.mark.parametrize("op", [PREDICT, LEARN])
def test_a_row_without_a_selected_field_fails_alike(op: int) -> None:
    model = compose.Select("a", "sky") | compose.SelectType(float, int) | logistic()
    whole = {"a": 1.0, "sky": "red", "b": 2.0}
    for lacking in {"a": 1.0, "b": 1.0}, {"sky": "red"}, {}:
        rows = Examples.of([whole, whole, lacking], np.zeros(3), Classes("ab"), op)
        for learner in FromRiver(model.clone()), compiled(model):
            with pytest.raises(LearnerFailedError) as failed:
                learner.predict_learn(rows)
            assert failed.value.row == 2


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (compose.SelectType(float) | logistic(), "SelectType of some numbers"),
        (compose.Renamer({"a": "b"}) | logistic(), "Renamer"),
        ((Scaler() | logistic()) + Scaler() | logistic(), "inside another"),
        (Scaler() | Encoder(), "as the last step"),
        ((lambda x: x) | logistic(), "FuncTransformer"),
    ],
)
def test_what_has_no_twin_says_so(model: Any, why: str) -> None:
    with pytest.raises(NoTwinError, match=why):
        compiled(model)
