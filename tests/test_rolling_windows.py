"""When a rolling ensemble opens and closes windows, and whose vote counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import naive_bayes
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from ensembles.rolling import RollingClassifier
from learners import checks
from learners.base import LEARN, PREDICT, Classes, Examples
from learners.digests import digest
from learners.from_river import FromRiver
from tests.rolling_cases import BOTH, bayes, cart, descent, stream

pytestmark = pytest.mark.slow


def odd_stream(n: int) -> Examples:
    """A stream in which one row in ten lacks a field, has one more, or holds what is no number."""
    rows = stream(n, (BOTH, BOTH, PREDICT, LEARN))
    random = np.random.default_rng(2)
    odd: list[dict[str, Any]] = [{"e": 1.0}, {"a": None}, {"b": float("nan")}, {"c": "text"}]
    cells = [
        {**row, **odd[random.integers(4)]} if random.random() < 0.1 else dict(row)
        for row in rows.rows
    ]
    del cells[7]["d"], cells[n // 2]["a"]
    return Examples(cells, rows.op, rows.y, rows.weight, rows.time, rows.classes)


def plain_bayes() -> RollingClassifier:
    return RollingClassifier(GaussianNB(), window=60, keep=3, vote_after=5)


@pytest.mark.parametrize("make", [plain_bayes, descent, cart])
@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(1, 299), max_size=40))
def test_where_a_block_is_cut_changes_no_refusal(make: Any, cuts: list[int]) -> None:
    checks.check_cuts(make, odd_stream(300), cuts)


def test_odd_rows_are_told_from_the_others() -> None:
    refused = plain_bayes().predict_learn(odd_stream(300)).refused
    assert {reason.split(" and ")[0].split(",")[0] for reason in refused.values()} >= {
        "the field 'b' is missing",
        "the field 'c' holds 'text'",
    }


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


@pytest.mark.parametrize(
    ("estimator", "skipped"), [(KNeighborsClassifier(), 1), (MLPClassifier(random_state=0), 0)]
)
def test_a_window_too_short_to_answer_is_skipped_as_well(estimator: Any, skipped: int) -> None:
    rows = stream(150)
    longer = [*rows.rows[:3], *({**row, "e": 1.0} for row in rows.rows[3:])]
    labels = np.where(np.arange(150) < 3, 0.0, np.arange(150) % 2)
    model = RollingClassifier(estimator, window=40)
    answer = model.predict_learn(Examples.of(longer, labels, rows.classes))
    assert answer.refused == {}
    assert len(model.skipped) == skipped
    assert all("n_neighbors <= n_samples_fit" in reason for reason in model.skipped)


def test_what_goes_on_learning_is_asked_again() -> None:
    rows = stream(130)
    strange = Examples.of(
        [{**rows.rows[0], "e": 1.0}], np.array([np.nan]), rows.classes, op=PREDICT
    )
    model = RollingClassifier(
        GaussianNB(), window=40, on_close="go_on", vote="uniform", classes=rows.classes.labels
    )
    model.predict_learn(rows[:50])
    model.predict_learn(strange)
    model.predict_learn(rows[50:70])
    resumed = model.fresh()
    resumed.restore(model.state())
    checks.same_answers(model.predict_learn(strange), resumed.predict_learn(strange))


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
