from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import compose, linear_model, optim, preprocessing

from learners.base import Classes, Examples
from learners.compiled.pipeline import compiled
from learners.compiled.twins import NoTwinError
from learners.errors import LearnerFailedError
from learners.from_river import FromRiver
from tests.twins import agree, indifferent_to_cuts, stream

WORDS = ["red", "green", "blue", "grey", "black"]
SOME = {"sky": {"red", "blue", "pink"}}


def encoded(**parameters: Any) -> Any:
    encoder = preprocessing.OneHotEncoder(**parameters)
    return compose.SelectType(str) | encoder | linear_model.LogisticRegression(optim.SGD(0.2))


def before(*stages: Any) -> Any:
    model = compose.Pipeline(compose.Discard("sky"))
    for stage in stages:
        model |= stage
    return model | linear_model.LogisticRegression(optim.SGD(0.2), l2=0.01)


MODELS: dict[str, Any] = {
    "one-hot": encoded(),
    "ones only": encoded(drop_zeros=True),
    "given": encoded(categories=SOME),
    "given, ones only": encoded(categories=SOME, drop_zeros=True),
    "given, without the first": encoded(categories=SOME, drop_first=True),
    "hashed": preprocessing.FeatureHasher(4, seed=3) | linear_model.LogisticRegression(),
    "hashed unsigned": preprocessing.FeatureHasher(50, seed=3, alternate_sign=False)
    | linear_model.LogisticRegression(),
    "hashed one-hot": compose.SelectType(str)
    | preprocessing.OneHotEncoder()
    | preprocessing.FeatureHasher(7, seed=1)
    | linear_model.LogisticRegression(),
    "one-hot, then scaled": compose.SelectType(str)
    | preprocessing.OneHotEncoder()
    | preprocessing.StandardScaler(with_std=False)
    | linear_model.LogisticRegression(),
    "greatest magnitude": before(preprocessing.MaxAbsScaler()),
    "centred": before(preprocessing.StandardScaler(with_std=False)),
    "normal": before(preprocessing.Normalizer()),
    "normal by magnitudes": before(preprocessing.Normalizer(1), preprocessing.MaxAbsScaler()),
    "binary": before(preprocessing.StandardScaler(), preprocessing.Binarizer(0.3)),
    "one-hot of numbers": before(preprocessing.Binarizer(), preprocessing.OneHotEncoder()),
}
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None)
def test_a_twin_answers_as_river_does(name: str, seed: int) -> None:
    agree(MODELS[name], stream(seed, 200, words=WORDS))


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_cuts_change_nothing(name: str, seed: int) -> None:
    indifferent_to_cuts(compiled(MODELS[name]), stream(seed, 200, words=WORDS), seed)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None)
def test_where_river_answers_nan_of_a_field_not_learned_the_twin_leaves_it_out(seed: int) -> None:
    model, rows = before(preprocessing.MinMaxScaler()), stream(seed, 200)
    river = FromRiver(model.clone()).predict_learn(rows)
    twin = compiled(model).predict_learn(rows)
    assert river.proba is not None and twin.proba is not None
    known = np.isfinite(river.proba[:, 0])
    np.testing.assert_allclose(twin.proba[known], river.proba[known], rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(twin.value[known], river.value[known])
    assert np.isfinite(twin.proba).all() and known[-50:].all()
    indifferent_to_cuts(compiled(model), rows, seed)


def test_the_first_column_of_each_row_is_dropped_alike() -> None:
    rows = [{"sky": word} for word in "cabcabddae"]
    y = np.array([0.0, 1.0] * 5)
    agree(encoded(drop_first=True), Examples.of(rows, y, Classes("ab")))

    with pytest.raises(LearnerFailedError):
        compiled(encoded(drop_first=True)).predict_learn(Examples.of([{}], y[:1], Classes("ab")))


@pytest.mark.parametrize(
    ("model", "last"),
    [
        (encoded(categories={"sea": {"calm"}}), {"sky": "red"}),
        (before(preprocessing.Normalizer()), {"a": 0.0}),
        (before(preprocessing.MinMaxScaler()), {"b": "red"}),
    ],
)
def test_a_row_on_which_river_raises_fails_alike(model: Any, last: dict[str, Any]) -> None:
    first = {"sea": "calm"} if "OneHotEncoder" in model.steps else {"a": 1.0}
    rows = Examples.of([first, last], np.array([0.0, 1.0]), Classes("ab"))
    for learner in FromRiver(model.clone()), compiled(model):
        with pytest.raises(LearnerFailedError) as failed:
            learner.predict_learn(rows)
        assert failed.value.row == 1


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        (preprocessing.FeatureHasher(), "without a seed"),
        (preprocessing.Normalizer(3), "order 3"),
        (preprocessing.Binarizer(dtype=str), "dtype"),
        (preprocessing.MinMaxScaler(window_size=4), "window_size"),
        (preprocessing.MaxAbsScaler(window_size=4), "window_size"),
        (preprocessing.StatImputer(("a", 0.0)), "StatImputer: rows come without"),
    ],
)
def test_what_has_no_twin_says_so(stage: Any, why: str) -> None:
    with pytest.raises(NoTwinError, match=why):
        compiled(before(stage))
