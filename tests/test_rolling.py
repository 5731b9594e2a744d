"""The rolling ensemble: its three faces, where it closes windows, and what cuts may not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import linear_model, naive_bayes, preprocessing, tree
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from ensembles.rolling import RollingClassifier, RollingRegressor
from learners import checks
from learners.base import LEARN, PREDICT, Classes, Examples, State
from learners.digests import digest
from learners.errors import LearnerError, StateError
from learners.from_river import FromRiver

BOTH = PREDICT | LEARN


def stream(n: int, ops: tuple[int, ...] = (BOTH,), seed: int = 0, number: bool = False) -> Examples:
    """Rows of four features whose concept turns halfway, of three classes or a number."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 4))
    turn = np.where(np.arange(n) < n // 2, 1.0, -1.0)
    score = x[:, 0] * turn + x[:, 1] + 0.1 * random.normal(size=n)
    y = score if number else np.digitize(score, [-0.5, 0.5]).astype(float)
    rows = [dict(zip("abcd", row, strict=True)) for row in x.tolist()]
    op = random.choice(np.array(ops, np.uint8), n)
    time = np.arange(n, dtype=np.int64)
    classes = Classes()
    if not number:
        y = np.array([classes.add(["low", "mid", "high"][int(code)]) for code in y], float)
    return Examples(rows, op, y, np.ones(n), time, classes)


def bayes(**parameters: Any) -> RollingClassifier:
    return RollingClassifier(naive_bayes.GaussianNB(), **{"window": 150, "keep": 3, **parameters})


def hoeffding() -> RollingClassifier:
    model = tree.HoeffdingTreeClassifier(grace_period=40)
    return RollingClassifier(model, window=150, keep=3, vote="age")


def descent() -> RollingClassifier:
    model = SGDClassifier(loss="log_loss")
    return RollingClassifier(model, window=150, keep=2, random_state=7)


def hinge() -> RollingClassifier:
    return RollingClassifier(SGDClassifier(), window=150, keep=2, vote="uniform", random_state=1)


def cart() -> RollingClassifier:
    return RollingClassifier(
        DecisionTreeClassifier(max_depth=4), window=170, keep=5, random_state=3
    )


def going_on() -> RollingClassifier:
    return bayes(on_close="go_on")


def numbers() -> RollingRegressor:
    model = preprocessing.StandardScaler() | linear_model.LinearRegression()
    return RollingRegressor(model, window=200, keep=3)


def least_squares() -> RollingRegressor:
    return RollingRegressor(LinearRegression(), window=120, keep=3)


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


def test_members_are_the_last_windows() -> None:
    model = bayes()
    model.predict_learn(stream(700))
    shown = [(m.index, m.first, m.last, m.closed) for m in model.members]
    assert shown == [
        (1, 150, 299, True),
        (2, 300, 449, True),
        (3, 450, 599, True),
        (4, 600, 699, False),
    ]
    assert sum(m.weight for m in model.members) == pytest.approx(1)


def test_asking_before_learning_saves_work_and_changes_nothing() -> None:
    rows = stream(300)
    labels = rows.classes.labels
    asked, silent = bayes(window=50), bayes(window=50)
    for x, y in zip(rows.rows, rows.y.tolist(), strict=True):
        asked.predict_one(x)
        changed = {**x, "a": -x["a"]}
        asked.predict_one(changed)
        changed.update(x)
        asked.learn_one(changed, labels[int(y)])
        silent.learn_one(x, labels[int(y)])
    checks.same_states(asked.state(), silent.state())


def test_only_the_open_member_where_none_is_kept() -> None:
    model = bayes(window=50, keep=0)
    model.predict_learn(stream(120))
    assert [(m.first, m.closed) for m in model.members] == [(100, False)]


def test_a_member_is_what_its_window_alone_would_have_made() -> None:
    rows = stream(450)
    model = bayes()
    model.predict_learn(rows)
    alone = FromRiver(naive_bayes.GaussianNB())
    alone.predict_learn(rows[150:300])
    checks.same_states(model.state().members["1"], alone.state())


def test_recent_loss_favours_the_window_that_fits_again() -> None:
    rows = stream(1200)
    back = stream(1200)[:600]
    model = bayes(window=300, keep=4, decay=0.97)
    model.predict_learn(rows)
    model.predict_learn(back[300:540])
    best = max(model.members, key=lambda m: m.weight)
    assert best.last < 600


def test_the_open_member_votes_when_it_has_learned_enough() -> None:
    rows = stream(200)
    model = bayes(window=100, vote_after=50)
    model.predict_learn(rows[:149])
    assert model.members[-1].weight == 0
    model.predict_learn(rows[149:150])
    assert model.members[-1].weight > 0


def test_a_class_not_known_to_the_open_member_closes_the_window_early() -> None:
    rows = stream(120)
    two = Examples.of(rows.rows[:100], np.arange(100.0) % 2, Classes(["a", "b"]))
    model = descent()
    model.predict_learn(two)
    third = Examples.of(rows.rows[100:], np.full(20, 2.0), Classes(["a", "b", "c"]))
    answer = model.predict_learn(third)
    assert answer.refused == {}
    assert [(m.first, m.last, m.closed) for m in model.members] == [
        (0, 99, True),
        (100, 119, False),
    ]
    model.predict_learn(Examples.of(rows.rows[:60], np.arange(60.0) % 3, third.classes))
    assert [m.learned for m in model.members] == [100, 80]
    assert model.predict_proba_one(rows.rows[0]).keys() == {"a", "b", "c"}


def test_a_field_that_comes_to_stay_is_known_to_the_next_member() -> None:
    rows = stream(300)
    longer = [{**row, "e": 1.0} for row in rows.rows]
    model = RollingClassifier(GaussianNB(), window=1000, vote_after=10)
    model.predict_learn(Examples.of(rows.rows[:150], rows.y[:150], rows.classes))
    answer = model.predict_learn(Examples.of(longer[150:], rows.y[150:], rows.classes))
    assert answer.refused == {}
    assert [m.learned for m in model.members] == [150, 150]


def test_one_strange_row_does_not_keep_the_others_out() -> None:
    rows = stream(300)
    odd = [*rows.rows[:150], {**rows.rows[150], "typo": 1.0}, *rows.rows[151:]]
    model = RollingClassifier(GaussianNB(), window=1000)
    answer = model.predict_learn(Examples.of(odd, rows.y, rows.classes))
    assert answer.refused == {}
    assert [(m.first, m.last) for m in model.members] == [(0, 149), (151, 299)]


def test_a_row_no_member_can_take_is_refused_and_leaves_no_trace() -> None:
    rows = stream(400)
    bad = Examples.of([{"a": 1.0, "b": 1.0}], np.array([0.0]), rows.classes)
    checks.check_refused(descent, rows, bad)
    text = {"a": "much", "b": 1.0, "c": 1.0, "d": 1.0}
    checks.check_refused(descent, rows, Examples.of([text], np.array([0.0]), rows.classes))


def test_classes_named_in_front_need_no_waiting() -> None:
    rows = stream(40)
    labels = rows.classes.labels
    model = RollingClassifier(SGDClassifier(loss="log_loss"), classes=labels, random_state=0)
    waiting = descent()
    assert not np.isnan(model.predict_learn(rows).value[1:]).any()
    assert np.isnan(waiting.predict_learn(rows).value).all()


def test_what_is_fitted_at_its_close_only_answers_from_then_on() -> None:
    rows = stream(420)
    model, frozen = cart().set_params(on_close="go_on"), cart()
    checks.same_answers(model.predict_learn(rows), frozen.predict_learn(rows))
    checks.same_states(model.state(), frozen.state())


def test_admit_tells_what_would_be_refused() -> None:
    rows = stream(60)
    model = RollingClassifier(GaussianNB(), classes=rows.classes.labels)
    model.predict_learn(rows)
    strange = Examples.of(
        [rows.rows[0], {**rows.rows[0], "e": 1.0}, {"a": 1.0}], np.zeros(3), rows.classes
    )
    taken, reason = model.admit(strange)
    assert taken == 2 and "'b' is missing" in reason


def test_a_row_that_is_only_asked_about_never_closes_a_window() -> None:
    rows = stream(200)
    model = descent()
    model.predict_learn(rows)
    before = model.state()
    strange = {**rows.rows[0], "e": 1.0}
    answer = model.predict_learn(
        Examples.of([strange], np.array([np.nan]), rows.classes, op=PREDICT)
    )
    assert answer.refused == {}
    checks.same_states(before, model.state())


def test_a_fit_that_fails_is_skipped_and_the_reason_kept() -> None:
    rows = stream(100)
    ones = Examples.of(rows.rows, np.zeros(100), rows.classes)
    model = RollingClassifier(LogisticRegression(), window=40)
    model.predict_learn(ones)
    assert [m.closed for m in model.members] == [False]
    assert len(model.skipped) == 2 and "LogisticRegression" in model.skipped[0]


def test_a_record_of_no_weight_teaches_nothing() -> None:
    rows = stream(300)
    half = rows[:150]
    silent = Examples.of(half.rows, 2 - half.y, rows.classes, LEARN, np.zeros(150))
    with_them, without = bayes(), bayes()
    for model in (with_them, without):
        model.predict_learn(half)
    with_them.predict_learn(silent)
    checks.same_states(with_them.state(), without.state())


def test_seeds_left_open_are_drawn_for_each_member_from_random_state() -> None:
    model = RollingClassifier(DecisionTreeClassifier(), window=50, random_state=5)
    twin = RollingClassifier(DecisionTreeClassifier(), window=50, random_state=5)
    rows = stream(150)
    model.predict_learn(rows)
    twin.predict_learn(rows)
    parts: Any = model.estimator
    assert len({member.random_state for member in parts[-3:]}) == 3
    assert digest(model.estimator) == digest(twin.estimator)


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
