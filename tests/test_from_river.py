import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import (
    anomaly,
    base,
    compose,
    dummy,
    linear_model,
    multiclass,
    naive_bayes,
    neighbors,
    preprocessing,
    tree,
)

from learners.base import LEARN, PREDICT, Classes, Examples, Label, Predictions, Task
from learners.digests import digest
from learners.errors import LearnerError, LearnerFailedError, StateError
from learners.from_river import FromRiver
from tests import streams
from tests.streams import Stream

pytestmark = pytest.mark.slow

N = 300
BOTH = PREDICT | LEARN
NAN = math.nan
Answer = tuple[Any, dict[Any, float] | None]


def scaled(model: Any) -> Any:
    return preprocessing.StandardScaler() | model


def two_named() -> Stream:
    return streams.drifting(N, 3)


def two(true: Label, false: Label) -> Callable[[], Stream]:
    return lambda: Stream.of(((x, true if y else false) for x, y in streams.phishing()), N)


def segments() -> Stream:
    """Seven classes, which come one after another."""
    return Stream(streams.image_segments().rows[:N], [f"c{i % (i // 40 + 1)}" for i in range(N)])


def numbers() -> Stream:
    return Stream.of(streams.trump_approval(), N)


def anomalies() -> Stream:
    return Stream.of(streams.shuttle(), N)


class Case:
    """A model, a stream, and the class that is True where that has to be said."""

    def __init__(
        self, make: Callable[[], Any], stream: Callable[[], Stream], positive: Label | None = None
    ) -> None:
        self.make = make
        self.stream = stream
        self.positive = positive


CASES = {
    "multi-class": Case(naive_bayes.GaussianNB, segments),
    "tree": Case(lambda: tree.HoeffdingTreeClassifier(grace_period=30), segments),
    "one against the rest": Case(
        lambda: multiclass.OneVsRestClassifier(scaled(linear_model.LogisticRegression())), segments
    ),
    "neighbours": Case(
        lambda: scaled(neighbors.KNNClassifier(engine=neighbors.LazySearch(window_size=30))),
        segments,
    ),
    "bools": Case(lambda: scaled(linear_model.LogisticRegression()), two(True, False)),
    "0 and 1": Case(lambda: scaled(linear_model.LogisticRegression()), two(1, 0)),
    "strings": Case(lambda: scaled(linear_model.LogisticRegression()), two_named, "UP"),
    "no probabilities": Case(lambda: scaled(linear_model.ALMAClassifier()), two_named, "DOWN"),
    "numbers": Case(lambda: scaled(linear_model.LinearRegression()), numbers),
    "number tree": Case(lambda: tree.HoeffdingTreeRegressor(grace_period=30), numbers),
    "anomalies": Case(
        lambda: preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(n_trees=5, height=4, seed=1),
        anomalies,
    ),
}
EACH = pytest.mark.parametrize("name", CASES)


def plain_loop(case: Case, stream: Stream, model: Any) -> Iterator[Answer]:
    """What river says by itself; a named class is told from the rest as True from False."""
    positive = case.positive
    last = model[-1] if isinstance(model, compose.Pipeline) else model
    others = (label for label in stream.labels if label != positive)
    names = {} if positive is None else {True: positive, False: next(others)}
    for x, label in stream:
        if isinstance(last, base.AnomalyDetector):
            yield model.score_one(x), None
            model.learn_one(x)
        elif isinstance(last, base.Regressor):
            yield model.predict_one(x), None
            model.learn_one(x, label)
        else:
            answer = model.predict_one(x)
            try:
                chances = model.predict_proba_one(x)
            except NotImplementedError:
                chances = None
            yield (
                names.get(answer, answer),
                chances and {names.get(side, side): p for side, p in chances.items()},
            )
            model.learn_one(x, label if positive is None else label == positive)


def examples_of(stream: Stream, task: Task, classes: Classes | None = None) -> Examples:
    """The stream as the decoder gives it, every class joining in the order in which it comes."""
    known = Classes() if classes is None else classes
    if task is Task.CLASSIFICATION:
        if {*stream.labels} <= {0, 1}:
            kind = type(stream.labels[0])
            known.add(kind(0))
            known.add(kind(1))
        y = np.array([known.add(label) for label in stream.labels], float)
    else:
        y = np.array(stream.labels, float)
    return Examples.of(stream.rows, y, known)


def answered(rows: Examples, found: Predictions, task: Task) -> list[Answer]:
    labels = rows.classes.labels
    answers: list[Answer] = []
    for i, value in enumerate(found.value.tolist()):
        named = None if math.isnan(value) else value
        if task is Task.CLASSIFICATION and named is not None:
            named = labels[int(named)]
        chances = None
        if found.proba is not None:
            chances = {
                label: p
                for label, p in zip(labels, found.proba[i].tolist(), strict=False)
                if p > 0.0
            }
        answers.append((named, chances))
    return answers


@EACH
def test_it_answers_and_learns_as_a_plain_loop_does(name: str) -> None:
    case = CASES[name]
    stream, plain = case.stream(), case.make()
    learner = FromRiver(case.make(), case.positive)
    rows = examples_of(stream, learner.task)
    found = answered(rows, learner.predict_learn(rows), learner.task)
    loop = list(plain_loop(case, stream, plain))
    met: set[Any] = set()
    for i, ((value, chances), (expected, likely)) in enumerate(zip(found, loop, strict=True)):
        # What a model of two classes calls False has no name before a row has brought it.
        if case.positive is None or expected in met:
            assert value == expected, i
        else:
            assert value in (None, expected), i
        if likely is None or learner.task is not Task.CLASSIFICATION:
            assert chances is None
        else:
            shown = {k: p for k, p in likely.items() if p > 0.0}
            named = {*met} if case.positive is not None else {*shown}
            assert {k: p for k, p in (chances or {}).items() if k in named} == {
                k: p for k, p in shown.items() if k in named
            }, i
        met.add(stream.labels[i])
    assert digest(learner.estimator) == digest(plain)


def fed(learner: FromRiver, rows: Examples, cuts: list[int]) -> list[Answer]:
    found: list[Answer] = []
    edges = [0, *sorted(cuts), len(rows)]
    for i in range(len(edges) - 1):
        part = rows[edges[i] : edges[i + 1]]
        found += answered(part, learner.predict_learn(part), learner.task)
    return found


@EACH
@settings(max_examples=8)
@given(st.lists(st.integers(0, N), max_size=12))
def test_where_blocks_are_cut_changes_nothing(name: str, cuts: list[int]) -> None:
    case = CASES[name]
    stream = case.stream()
    whole, parts = FromRiver(case.make(), case.positive), FromRiver(case.make(), case.positive)
    rows = examples_of(stream, whole.task)
    assert fed(parts, rows, cuts) == fed(whole, rows, [])
    assert digest(parts.estimator) == digest(whole.estimator)
    assert parts.state().meta == whole.state().meta


@EACH
def test_it_goes_on_from_its_state(name: str) -> None:
    case = CASES[name]
    first, second = FromRiver(case.make(), case.positive), FromRiver(case.make(), case.positive)
    rows = examples_of(case.stream(), first.task)
    first.predict_learn(rows[:100])
    before = digest(first.estimator)
    second.restore(first.state())
    assert digest(first.estimator) == digest(second.estimator) == before
    assert fed(second, rows[100:], []) == fed(first, rows[100:], [])
    assert digest(second.estimator) == digest(first.estimator) != before


@EACH
def test_a_fresh_one_knows_nothing(name: str) -> None:
    case = CASES[name]
    learner = FromRiver(case.make(), case.positive)
    rows = examples_of(case.stream(), learner.task)
    answers = fed(learner, rows, [])
    before = digest(learner.estimator)
    fresh = learner.fresh()
    assert digest(learner.estimator) == before
    assert fed(fresh, rows, []) == answers


@EACH
def test_predicting_changes_nothing(name: str) -> None:
    case = CASES[name]
    learner = FromRiver(case.make(), case.positive)
    rows = examples_of(case.stream(), learner.task)
    learner.predict_learn(rows[:100])
    before = digest(learner.estimator)
    asked = Examples(
        rows.rows, np.full(N, PREDICT, np.uint8), rows.y, rows.weight, rows.time, rows.classes
    )
    once = fed(learner, asked, [])
    assert fed(learner, asked, [7, 90]) == once
    assert digest(learner.estimator) == before


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
