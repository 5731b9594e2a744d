"""What a river model is given and asked of a row: weights, labels, what it raises and refuses."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from river import anomaly, base, dummy, linear_model, naive_bayes, preprocessing, tree

from learners.base import LEARN, PREDICT, Classes, Examples, Label
from learners.digests import digest
from learners.errors import LearnerError, LearnerFailedError, StateError
from learners.from_river import FromRiver
from tests.river_cases import N, answered, examples_of, scaled, two_named
from tests.streams import Stream

pytestmark = pytest.mark.slow


def test_each_row_is_done_what_it_asks_for() -> None:
    stream = two_named()
    learner, plain = FromRiver(naive_bayes.GaussianNB()), naive_bayes.GaussianNB()
    rows = examples_of(stream, learner.task)
    rows.op[::3], rows.op[1::3] = PREDICT, LEARN
    found = answered(rows, learner.predict_learn(rows), learner.task)
    for i, (x, y) in enumerate(stream):
        expected = None if i % 3 == 1 else plain.predict_one(x)
        assert found[i][0] == expected
        if i % 3:
            plain.learn_one(x, y)
    assert digest(learner.estimator) == digest(plain)


def test_the_weight_of_what_is_not_learned_says_nothing() -> None:
    rows = Examples.of([{"x": 1.0}, {"x": 2.0}], np.array([0.0, 1.0]), Classes("ab"))
    rows.op[1], rows.weight[1] = PREDICT, 0.0
    assert FromRiver(naive_bayes.GaussianNB()).predict_learn(rows).value[1] == 0.0


@pytest.mark.parametrize("make", [naive_bayes.GaussianNB, tree.HoeffdingTreeClassifier])
def test_weights_reach_the_model(make: Callable[[], Any]) -> None:
    """A tree takes weights; one that does not is refused rather than left to ignore them."""
    stream = two_named()
    learner, plain = FromRiver(scaled(make())), scaled(make())
    rows = examples_of(stream, learner.task)
    rows.weight[:] = np.arange(N) % 3 + 0.5
    if make is naive_bayes.GaussianNB:
        with pytest.raises(LearnerError, match="takes weights, got GaussianNB"):
            learner.predict_learn(rows)
        assert digest(learner.estimator) == digest(plain)
        return
    learner.predict_learn(rows)
    for (x, y), w in zip(stream, rows.weight.tolist(), strict=True):
        plain.predict_one(x)
        plain.learn_one(x, y, w=w)
    assert digest(learner.estimator) == digest(plain)


@pytest.mark.parametrize("positive", [None, "UP"])
def test_a_third_class_is_refused_and_learns_nothing(positive: Label | None) -> None:
    stream = two_named()
    learner = FromRiver(scaled(linear_model.LogisticRegression()), positive)
    twin = FromRiver(scaled(linear_model.LogisticRegression()), positive)
    odd = {50, 51, 200}
    labels = ["FLAT" if i in odd else y for i, y in enumerate(stream.labels)]
    rows = examples_of(Stream(stream.rows, labels), learner.task)
    found = learner.predict_learn(rows)
    assert {*found.refused} == odd
    assert "wanted" in found.refused[50]
    assert "got 'FLAT'" in found.refused[50]
    assert np.isnan(found.value[sorted(odd)]).all()
    spared = [i for i in range(N) if i not in odd]
    twin.predict_learn(
        examples_of(
            Stream([stream.rows[i] for i in spared], [labels[i] for i in spared]), twin.task
        )
    )
    assert digest(learner.estimator) == digest(twin.estimator)
    assert learner.admit(rows)[0] == 50


class Raising(base.Classifier):  # type: ignore[misc]  # river has no types here
    """A classifier that raises at a value."""

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: Any, y: Any) -> None:
        if x["a"] == 13:
            raise ZeroDivisionError("thirteen")

    def predict_proba_one(self, x: Any) -> dict[Any, float]:
        return {}


def test_a_model_that_raises_says_at_which_row() -> None:
    rows = Examples.of([{"a": a} for a in range(20)], np.zeros(20), Classes(["UP"]))
    with pytest.raises(
        LearnerFailedError, match=r"Raising raised ZeroDivisionError.*thirteen"
    ) as e:
        FromRiver(Raising()).predict_learn(rows)
    assert e.value.row == 13


def test_a_state_of_another_kind_is_refused() -> None:
    learner = FromRiver(naive_bayes.GaussianNB())
    state = learner.state()
    with pytest.raises(
        StateError, match=r"wanted the state of LogisticRegression, got.*GaussianNB"
    ):
        FromRiver(linear_model.LogisticRegression()).restore(state)
    state.meta["road"] = "sklearn"
    with pytest.raises(StateError, match="wanted the state of a river learner"):
        learner.restore(state)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (anomaly.GaussianScorer(), "needs the label to give its score"),
        (preprocessing.StandardScaler(), "wanted a river classifier, regressor or anomaly"),
    ],
)
def test_what_cannot_be_served_is_refused(model: Any, reason: str) -> None:
    with pytest.raises(LearnerError, match=reason):
        FromRiver(model)


def test_a_model_that_has_no_answer_gives_none() -> None:
    learner = FromRiver(dummy.NoChangeClassifier())
    rows = Examples.of([{}, {}], np.array([0.0, 0.0]), Classes(["UP"]))
    assert answered(rows, learner.predict_learn(rows), learner.task)[0][0] is None
    assert learner.predict_learn(rows[:0]).value.shape == (0,)
