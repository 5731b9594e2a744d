"""Estimators with partial_fit against the plain loop, and the rows they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import Perceptron, SGDClassifier, SGDOneClassSVM, SGDRegressor
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier, MLPRegressor

from learners import checks
from learners.base import LEARN, PREDICT, Classes, Examples, Task
from learners.errors import LearnerError, LearnerFailedError
from learners.from_sklearn import FromSklearn
from learners.roads import as_learner

pytestmark = pytest.mark.slow

LABELS = ["up", "down", "still"]
CLASSIFIERS = [
    SGDClassifier(loss="log_loss", random_state=0),
    SGDClassifier(loss="modified_huber", random_state=0),
    Perceptron(random_state=0),
    GaussianNB(),
    MultinomialNB(),
    MLPClassifier((5,), random_state=0),
]
REGRESSORS = [SGDRegressor(random_state=0), MLPRegressor(hidden_layer_sizes=(4,), random_state=0)]


def table(n: int, seed: int = 0) -> tuple[Any, Any]:
    """A matrix of positive numbers and the code of each row's label."""
    random = np.random.default_rng(seed)
    x = random.random((n, 5))
    return x, np.digitize(x[:, 0] + 0.2 * random.normal(size=n), [0.3, 0.7])


def examples(n: int, number: bool = False, ops: tuple[int, ...] = (3,)) -> Examples:
    x, codes = table(n)
    rows = [dict(zip("abcde", row, strict=True)) for row in x.tolist()]
    op = np.random.default_rng(1).choice(np.array(ops, np.uint8), n)
    y = x[:, 0] * 2 if number else codes.astype(float)
    return Examples(rows, op, y, np.ones(n), np.arange(n), Classes(LABELS))


def name(model: Any) -> str:
    return f"{type(model).__name__}-{getattr(model, 'loss', '')}"


@pytest.mark.parametrize("model", CLASSIFIERS, ids=name)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_classifier_is_the_plain_loop(model: Any) -> None:
    x, codes = table(150)
    y = np.array(LABELS)[codes]
    answer = FromSklearn(clone(model), Task.CLASSIFICATION, classes=LABELS).predict_learn(
        examples(150)
    )
    plain = clone(model)
    for i in range(150):
        if i:
            assert LABELS[int(answer.value[i])] == plain.predict(x[i : i + 1])[0]
        if i and answer.proba is not None:
            proba = np.nan_to_num(plain.predict_proba(x[i : i + 1])[0])
            expected = dict(zip(plain.classes_, proba, strict=True))
            assert answer.proba[i].tolist() == [expected[label] for label in LABELS]
        plain.partial_fit(x[i : i + 1], y[i : i + 1], classes=np.unique(LABELS))
    assert math.isnan(answer.value[0])


@pytest.mark.parametrize("model", REGRESSORS, ids=name)
def test_a_regressor_is_the_plain_loop(model: Any) -> None:
    rows = examples(100, number=True)
    x, _ = table(100)
    answer = as_learner(clone(model)).predict_learn(rows)
    plain = clone(model)
    for i in range(100):
        if i:
            assert answer.value[i] == plain.predict(x[i : i + 1])[0]
        plain.partial_fit(x[i : i + 1], rows.y[i : i + 1])


def test_without_declared_classes_the_first_hundred_tell_them() -> None:
    x, codes = table(130)
    y = np.array(LABELS)[codes]
    learner = FromSklearn(SGDClassifier(loss="log_loss", random_state=0), Task.CLASSIFICATION)
    answer = learner.predict_learn(examples(130))
    plain = SGDClassifier(loss="log_loss", random_state=0)
    for i in range(130):
        if i >= 100:
            assert LABELS[int(answer.value[i])] == plain.predict(x[i : i + 1])[0]
        plain.partial_fit(x[i : i + 1], y[i : i + 1], classes=np.unique(LABELS))
    assert np.isnan(answer.value[:100]).all()


MADE: list[Callable[[], FromSklearn]] = [
    lambda: FromSklearn(SGDClassifier(loss="log_loss", random_state=0), Task.CLASSIFICATION),
    lambda: FromSklearn(GaussianNB(), Task.CLASSIFICATION, classes=LABELS),
    lambda: FromSklearn(Perceptron(random_state=0), Task.CLASSIFICATION, gather=20),
]


@pytest.mark.parametrize("make", MADE)
@settings(max_examples=5, deadline=None)
@given(cuts=st.lists(st.integers(1, 219), max_size=20))
def test_where_a_block_is_cut_changes_nothing(make: Any, cuts: list[int]) -> None:
    checks.check_cuts(make, examples(220, ops=(1, 2, 3)), cuts)


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize("cut", [7, 150])
def test_contract(make: Any, cut: int) -> None:
    rows = examples(200, ops=(1, 2, 3))
    checks.check_resume(make, rows, cut)
    checks.check_predict_is_pure(make, rows)
    checks.check_state_is_private(make, rows)
    checks.check_fresh(make, rows)
    checks.check_answers_come_first(make, rows)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1}, "'f' was not known"),
        ({"a": 1, "b": 1, "c": 1, "d": 1}, "'e' is missing"),
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": math.nan}, "'e' is missing.*imputer"),
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": None}, "'e' is missing"),
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": "2"}, "no number"),
    ],
)
def test_rows_it_cannot_take_are_refused(row: dict[str, Any], reason: str) -> None:
    strange = Examples.of([row], np.array([0.0]), Classes(LABELS))
    for make in MADE:
        checks.check_refused(make, examples(240), strange)
    learner = MADE[1]()
    learner.predict_learn(examples(5))
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(learner.predict_learn(strange).refused[0])


def test_a_class_that_was_not_known_is_refused_where_it_is_learned() -> None:
    learner = MADE[1]()
    rows = examples(5)
    learner.predict_learn(rows)
    classes = Classes([*LABELS, "new"])
    both = Examples.of(rows.rows[:1], np.array([3.0]), classes)
    assert "'new' was not known" in learner.predict_learn(both).refused[0]
    asked = learner.predict_learn(Examples.of(rows.rows[:1], np.array([3.0]), classes, op=PREDICT))
    assert asked.refused == {} and not math.isnan(asked.value[0])


class Fragile(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Raises on its third row; says that NaN is fine; keeps the weights it was given."""

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        self.classes_ = np.unique(y) if classes is None else classes
        self.seen_ = [*getattr(self, "seen_", []), sample_weight]
        if len(self.seen_) == 3:
            raise ArithmeticError("third row")
        return self

    def predict(self, X: Any) -> Any:
        return np.repeat(self.classes_[:1], len(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def test_what_an_estimator_raises_names_the_row() -> None:
    learner = FromSklearn(Fragile(), Task.CLASSIFICATION, classes=LABELS)
    with pytest.raises(LearnerFailedError, match="Fragile raised ArithmeticError") as caught:
        learner.predict_learn(examples(5))
    assert caught.value.row == 2


def test_weights_are_passed_where_they_say_something() -> None:
    learner = FromSklearn(Fragile(), Task.CLASSIFICATION, classes=LABELS)
    rows = examples(2)
    rows.weight[1] = 2.5
    learner.predict_learn(rows)
    assert learner.model.seen_ == [None, np.array([2.5])]


def test_weights_are_refused_where_they_would_be_passed_over() -> None:
    learner = FromSklearn(OneVsRestClassifier(SGDClassifier()), Task.CLASSIFICATION, gather=5)
    rows = examples(4)
    learner.predict_learn(rows)
    rows.weight[1] = 2.5
    with pytest.raises(LearnerError, match="takes weights, got OneVsRestClassifier"):
        learner.predict_learn(rows)


def test_the_reason_for_a_row_that_lacks_what_an_odd_first_one_brought_says_so() -> None:
    learner = FromSklearn(SGDClassifier(), Task.CLASSIFICATION, classes=LABELS)
    odd = {**examples(1).rows[0], "odd": 1.0}
    learner.predict_learn(Examples.of([odd], np.zeros(1), Classes(LABELS)))
    reason = learner.predict_learn(examples(1)).refused[0]
    assert "'odd' is missing, was there when SGDClassifier began to learn" in reason
    assert "leave the field out ([record] leave_out) if only the first records had it" in reason


def test_an_estimator_that_takes_nan_takes_rows_without_a_field() -> None:
    learner = FromSklearn(Fragile(), Task.CLASSIFICATION, gather=2)
    rows = Examples.of([{"a": 1.0}, {"b": 2.0}, {}], np.zeros(3), Classes(LABELS), op=LEARN)
    with pytest.raises(LearnerFailedError):
        learner.predict_learn(rows)
    assert list(learner.schema.fields or ()) == ["a", "b"]


def test_text_and_numbers_are_no_labels_of_one_model() -> None:
    learner = FromSklearn(GaussianNB(), Task.CLASSIFICATION, classes=["a", 1])
    rows = Examples.of([{"x": 1.0}], np.array([0.0]), Classes(["a", 1]))
    with pytest.raises(LearnerError, match="one type"):
        learner.predict_learn(rows)


def test_anomaly_scores_are_higher_for_stranger_rows() -> None:
    rows = examples(300)
    for model in (SGDOneClassSVM(random_state=0), MiniBatchKMeans(3, random_state=0)):
        learner = as_learner(model, Task.ANOMALY)
        learner.predict_learn(rows)
        far = {field: 99.0 for field in "abcde"}
        asked = Examples.of([rows.rows[0], far], np.full(2, math.nan), rows.classes, op=PREDICT)
        value = learner.predict_learn(asked).value
        if isinstance(model, MiniBatchKMeans):
            assert value[1] > value[0]
        assert not np.isnan(value).any()


@settings(max_examples=20, deadline=None)
@given(part=st.lists(st.integers(0, 119), min_size=1, max_size=120))
def test_a_frozen_answer_depends_on_nothing_but_its_row(part: list[int]) -> None:
    rows = examples(120)
    for model in (SGDClassifier(loss="log_loss", random_state=0), MLPClassifier((5,))):
        learner = FromSklearn(model, Task.CLASSIFICATION, classes=LABELS)
        learner.predict_learn(rows[:40])
        whole = learner.predict(rows)
        some = Examples.of([rows.rows[i] for i in part], rows.y[part], rows.classes)
        piece = learner.predict(some)
        assert whole.proba is not None
        np.testing.assert_array_equal(piece.proba, whole.proba[part])
        np.testing.assert_array_equal(piece.value, whole.value[part])


def test_a_frozen_answer_to_a_row_it_cannot_take_is_missing() -> None:
    learner = MADE[1]()
    rows = examples(20)
    learner.predict_learn(rows)
    strange = [rows.rows[0], {"a": 1.0}, {**rows.rows[0], "e": "x"}, {**rows.rows[0], "f": 1.0}]
    value = learner.predict(Examples.of(strange, np.zeros(4), rows.classes)).value
    assert np.isnan(value).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [(GaussianNB, "make one"), (object(), "neither"), (MiniBatchKMeans(), "name the task")],
)
def test_what_is_no_predictor_has_no_road(estimator: Any, reason: str) -> None:
    with pytest.raises(LearnerError, match=reason):
        as_learner(estimator)
