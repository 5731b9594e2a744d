"""The rolling ensemble: its three faces, where it closes windows, and what cuts may not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import naive_bayes, tree
from sklearn.linear_model import SGDRegressor

from ensembles.rolling import RollingClassifier, RollingRegressor
from learners import checks
from learners.base import LEARN, PREDICT, State
from learners.errors import LearnerError, StateError
from learners.from_river import FromRiver
from tests.rolling_cases import (
    BOTH,
    bayes,
    cart,
    descent,
    going_on,
    hinge,
    hoeffding,
    least_squares,
    numbers,
    stream,
)

pytestmark = pytest.mark.slow

CLASSIFIERS = [bayes, hoeffding, descent, hinge, cart, going_on]
REGRESSORS = [numbers, least_squares]
ROWS = {make: stream(420, (BOTH, BOTH, PREDICT, LEARN)) for make in CLASSIFIERS}
ROWS |= {make: stream(420, (BOTH, LEARN, PREDICT), number=True) for make in REGRESSORS}
each = pytest.mark.parametrize("make", CLASSIFIERS + REGRESSORS)


@each
@settings(max_examples=4, deadline=None)
@given(cuts=st.lists(st.integers(1, 419), max_size=40))
def test_where_a_block_is_cut_changes_nothing(make: Any, cuts: list[int]) -> None:
    checks.check_cuts(make, ROWS[make], cuts)


@pytest.mark.parametrize("make", [bayes, descent, cart])
def test_blocks_of_one_change_nothing(make: Any) -> None:
    checks.check_cuts(make, ROWS[make], range(420))


@each
def test_contract(make: Any) -> None:
    rows = ROWS[make]
    checks.check_predict_is_pure(make, rows[:330])
    checks.check_state_is_private(make, rows[:330])
    checks.check_fresh(make, rows[:330])
    checks.check_answers_come_first(make, rows[:330])


@each
@settings(max_examples=3, deadline=None)
@given(cut=st.integers(1, 419))
def test_going_on_from_a_state_equals_never_stopping(make: Any, cut: int) -> None:
    checks.check_resume(make, ROWS[make], cut)


def test_one_member_that_is_never_closed_is_the_plain_river_loop() -> None:
    rows = stream(500)
    model = naive_bayes.GaussianNB()
    plain = FromRiver(model).predict_learn(rows)
    rolled = bayes(window=10_000).predict_learn(rows)
    np.testing.assert_array_equal(plain.value, rolled.value)
    assert plain.proba is not None and rolled.proba is not None
    np.testing.assert_array_equal(plain.proba, rolled.proba)


@pytest.mark.parametrize("make", [bayes, descent, cart])
def test_one_record_at_a_time_is_the_block(make: Any) -> None:
    rows = stream(400)
    labels = rows.classes.labels
    block, single = make(), make()
    answer = block.predict_learn(rows)
    for i, row in enumerate(rows.rows):
        predicted = single.predict_one(row)
        value = answer.value[i]
        assert predicted == (None if np.isnan(value) else labels[int(value)])
        if predicted is not None:
            assert answer.proba is not None
            expected = dict(zip(labels, answer.proba[i].tolist(), strict=True))
            proba = single.predict_proba_one(row)
            assert proba == {label: expected[label] for label in proba}
        single.learn_one(row, labels[int(rows.y[i])])
    assert [m.loss for m in single.members] == [m.loss for m in block.members]


def test_tables_are_the_records() -> None:
    rows = stream(700)
    frame = pd.DataFrame(list(rows.rows))
    labels = np.array(rows.classes.labels)[rows.y.astype(int)]
    many, tables, ones = bayes(), bayes(), bayes()
    many.learn_many(frame, pd.Series(labels))
    for start in range(0, 700, 90):
        tables.partial_fit(frame[start : start + 90], labels[start : start + 90])
    for x, y in zip(rows.rows, labels.tolist(), strict=True):
        ones.learn_one(x, y)
    assert many.predict_many(frame).tolist() == [ones.predict_one(x) for x in rows.rows]
    assert tables.predict(frame).tolist() == many.predict_many(frame).tolist()
    proba = many.predict_proba_many(frame)
    np.testing.assert_array_equal(tables.predict_proba(frame), proba[list(tables.classes_)])
    assert tables.classes_.tolist() == ["high", "low", "mid"]
    assert tables.feature_names_in_.tolist() == list("abcd")
    assert tables.score(frame, labels) > 0.6


def test_fit_starts_over_and_closes_the_window_where_nothing_could_answer() -> None:
    rows = stream(100)
    x = np.array([list(row.values()) for row in rows.rows])
    model = cart().fit(x, rows.y)
    first = model.predict_proba(x)
    np.testing.assert_array_equal(model.fit(x, rows.y).predict_proba(x), first)
    assert [m.learned for m in model.members] == [100, 0]


def test_text_reaches_river_and_pipelines_through_tables() -> None:
    frame = pd.DataFrame({"word": ["a", "b"] * 100, "n": range(200)})
    model = RollingClassifier(tree.HoeffdingTreeClassifier(grace_period=20), window=500)
    model.partial_fit(frame, frame["word"])
    assert model.predict(frame).tolist() == frame["word"].tolist()


def test_regressors_answer_from_every_face() -> None:
    rows = stream(420, number=True)
    x = np.array([list(row.values()) for row in rows.rows])
    model = RollingRegressor(SGDRegressor(), window=100, random_state=0).fit(x, rows.y)
    ones = RollingRegressor(SGDRegressor(), window=100, random_state=0)
    for row, y in zip(x.tolist(), rows.y.tolist(), strict=True):
        ones.learn_one(dict(enumerate(row)), y)
    asked = dict(enumerate(x[0].tolist()))
    assert model.predict(x[:1])[0] == ones.predict_one(asked) == model.predict_one(asked)


@pytest.mark.parametrize(
    "parameters",
    [{"window": 0}, {"keep": -1}, {"vote": "loudest"}, {"on_close": "burn"}, {"decay": 0.0}],
)
def test_parameters_that_mean_nothing_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(LearnerError, match=next(iter(parameters))):
        bayes(**parameters).learn_one({"a": 1.0}, "low")


def test_a_state_of_another_learner_is_refused() -> None:
    with pytest.raises(StateError, match="rolling"):
        bayes().restore(State(meta={"road": "river"}))
