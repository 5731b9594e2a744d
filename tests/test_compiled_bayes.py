from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import naive_bayes, preprocessing

from learners.base import LEARN, PREDICT, Classes, Examples
from learners.compiled.pipeline import compiled
from learners.compiled.twins import NoTwinError
from learners.errors import LearnerFailedError
from learners.from_river import FromRiver
from tests.twins import agree, indifferent_to_cuts, stream

MODELS = {
    "gaussian": naive_bayes.GaussianNB(),
    "scaled": preprocessing.StandardScaler() | naive_bayes.GaussianNB(),
    "multinomial": naive_bayes.MultinomialNB(),
    "smooth": naive_bayes.MultinomialNB(alpha=0.1),
}
pytestmark = pytest.mark.slow


def counted(seed: int, count: int = 200) -> Examples:
    """Rows of counts, most of them zero or missing, with fields and classes that come late."""
    chance = random.Random(seed)
    # River divides by zero where it is asked of counts before it has learned any.
    rows: list[dict[str, Any]] = [{"w0": 1}]
    for i in range(1, count):
        known = [f"w{j}" for j in range(3 + i // 20)]
        rows.append({w: chance.choice([0, 0, 1, 2, 5.5]) for w in known if chance.random() < 0.6})
    labels = Classes()
    y = np.array([float(labels.add(chance.choice("abcd"[: 1 + i // 30]))) for i in range(count)])
    examples = Examples.of(rows, y, labels)
    examples.op[1:] = [chance.choice([PREDICT | LEARN] * 4 + [PREDICT, LEARN]) for _ in rows[1:]]
    return examples


def stream_for(name: str, seed: int) -> Examples:
    return counted(seed) if name in ("multinomial", "smooth") else stream(seed, 200, classes=4)


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_a_twin_answers_as_river_does(name: str, seed: int) -> None:
    agree(MODELS[name], stream_for(name, seed))


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None)
def test_cuts_change_nothing(name: str, seed: int) -> None:
    indifferent_to_cuts(compiled(MODELS[name]), stream_for(name, seed), seed)


@given(scale=st.sampled_from([1e-150, 1e-9, 1e9, 1e150]), far=st.sampled_from([0.0, 1.0, 1e9]))
@settings(max_examples=12, deadline=None)
def test_densities_as_river_has_them_at_the_ends_of_the_scale(scale: float, far: float) -> None:
    values = [1.0, 2.0, 1.5, 1.5, 3.0, 2.0, 1.0, far]
    rows = [{f"x{j}": value * scale for j in range(30)} for value in values]
    agree(naive_bayes.GaussianNB(), Examples.of(rows, np.array([0.0, 1] * 4), Classes(["a", "b"])))


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (naive_bayes.MultinomialNB(alpha=0.0), [{"a": 1}, {"b": 1}, {"a": 1}]),
        (naive_bayes.MultinomialNB(), [{"a": -1}, {"a": 1}, {"a": 1}]),
        (naive_bayes.MultinomialNB(), [{}, {"a": 1}]),
        (naive_bayes.GaussianNB(), [{"a": 1}, {"b": "red"}]),
    ],
)
def test_what_river_raises_on_fails_at_the_same_row(model: Any, rows: list[dict[str, Any]]) -> None:
    examples = Examples.of(rows, np.zeros(len(rows)), Classes(["yes"]))
    failed = []
    for learner in (FromRiver(model.clone()), compiled(model)):
        with pytest.raises(LearnerFailedError) as error:
            learner.predict_learn(examples)
        failed.append(error.value.row)
    assert failed[0] == failed[1]


def test_a_negative_alpha_has_no_twin() -> None:
    with pytest.raises(NoTwinError, match="alpha"):
        compiled(naive_bayes.MultinomialNB(alpha=-1.0))
