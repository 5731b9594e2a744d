"""Estimators with fit, fitted when their window closes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from learners import checks
from learners.base import LEARN, PREDICT, Classes, Examples, Task
from learners.errors import LearnerError, LearnerFailedError
from learners.from_batch import FromBatch
from learners.roads import as_learner


def examples(n: int, op: int = PREDICT | LEARN) -> Examples:
    """Rows of two numbers and a word, of two classes."""
    random = np.random.default_rng(0)
    x = random.normal(size=(n, 2))
    words = random.choice(["red", "blue"], n).tolist()
    rows = [{"a": a, "b": b, "word": word} for (a, b), word in zip(x.tolist(), words, strict=True)]
    y = ((x[:, 0] > 0) ^ (np.array(words) == "red")).astype(float)
    return Examples.of(rows, y, Classes(["no", "yes"]), op)


def numbers(n: int) -> Examples:
    rows = examples(n)
    plain = [{"a": row["a"], "b": row["b"]} for row in rows.rows]
    return Examples.of(plain, rows.y, rows.classes)


def pipeline() -> FromBatch:
    words = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["word"]), (StandardScaler(), ["a", "b"])
    )
    return FromBatch(
        make_pipeline(words, DecisionTreeClassifier(random_state=0)), Task.CLASSIFICATION
    )


def trees() -> FromBatch:
    return FromBatch(DecisionTreeClassifier(random_state=0), Task.CLASSIFICATION)


def test_a_matrix_is_fitted_as_by_hand() -> None:
    rows = numbers(200)
    learner = trees()
    assert np.isnan(learner.predict_learn(rows).value).all()
    learner.close()
    x = np.array([[row["a"], row["b"]] for row in rows.rows])
    by_hand = DecisionTreeClassifier(random_state=0).fit(x, rows.y)
    np.testing.assert_array_equal(learner.predict(rows).value, by_hand.predict(x))


def test_a_pipeline_is_given_named_columns() -> None:
    rows = examples(300)
    learner = pipeline()
    learner.predict_learn(rows)
    learner.close()
    frame = pd.DataFrame([dict(row) for row in rows.rows])
    by_hand = pipeline().model.fit(frame, rows.y)
    np.testing.assert_array_equal(learner.predict(rows).value, by_hand.predict(frame))


@pytest.mark.parametrize(("make", "rows"), [(trees, numbers(150)), (pipeline, examples(150))])
@pytest.mark.parametrize("closed", [False, True])
def test_contract(make: Any, rows: Examples, closed: bool) -> None:
    def made() -> FromBatch:
        learner: FromBatch = make()
        if closed:
            learner.predict_learn(rows)
            learner.close()
        return learner

    checks.check_cuts(made, rows, [3, 50, 51, 120])
    checks.check_predict_is_pure(made, rows)
    checks.check_state_is_private(made, rows)
    checks.check_resume(made, rows, 70)
    checks.check_answers_come_first(made, rows)
    if not closed:
        checks.check_fresh(made, rows)


def test_a_row_alone_is_answered_as_in_a_block_to_the_last_bit() -> None:
    def made() -> FromBatch:
        steps = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
        learner = FromBatch(steps, Task.CLASSIFICATION)
        learner.predict_learn(rows[:40])
        learner.close()
        return learner

    random = np.random.default_rng(1)
    cells = random.normal(size=(260, 4))
    records = [dict(zip("abcd", row, strict=True)) for row in cells.tolist()]
    rows = Examples.of(records, (cells[:, 0] > 0).astype(float), Classes(["no", "yes"]))
    checks.check_cuts(made, rows, range(1, 260))


def test_a_restored_learner_fits_what_was_collected() -> None:
    rows = examples(100)
    first, second = pipeline(), pipeline()
    first.predict_learn(rows)
    second.restore(first.state())
    for learner in (first, second):
        learner.close()
    checks.same_answers(first.predict(rows), second.predict(rows))


def test_only_the_window_is_kept() -> None:
    rows = numbers(100)
    learner = as_learner(LinearRegression(), window=30)
    assert isinstance(learner, FromBatch)
    learner.predict_learn(rows)
    learner.close()
    x = np.array([[row["a"], row["b"]] for row in rows.rows])
    by_hand = LinearRegression().fit(x[-30:], rows.y[-30:])
    np.testing.assert_allclose(learner.predict(rows).value, by_hand.predict(x), rtol=1e-12)


def test_a_fit_that_fails_keeps_what_answered_before() -> None:
    rows = numbers(60)
    learner = FromBatch(LogisticRegression(), Task.CLASSIFICATION)
    learner.predict_learn(rows)
    learner.close()
    before = learner.predict(rows)
    learner.predict_learn(Examples.of(rows.rows, np.zeros(60), rows.classes, LEARN))
    with pytest.raises(LearnerFailedError, match="LogisticRegression"):
        learner.close()
    checks.same_answers(before, learner.predict(rows))


def test_missing_values_reach_what_takes_them_and_no_other() -> None:
    holes = [{"a": 1.0, "b": 2.0}, {"a": 1.0}, {"a": 1.0, "b": math.nan}]
    rows = Examples.of(holes, np.zeros(3), Classes(["no", "yes"]))
    grown = FromBatch(HistGradientBoostingClassifier(), Task.CLASSIFICATION)
    assert grown.predict_learn(rows).refused == {}
    refused = FromBatch(LogisticRegression(), Task.CLASSIFICATION).predict_learn(rows).refused
    assert set(refused) == {1, 2} and "imputer" in refused[1]


def test_weights_are_refused_where_they_would_be_passed_over() -> None:
    rows = numbers(20)
    rows.weight[3] = 2.0
    with pytest.raises(LearnerError, match="takes weights, got KNeighborsClassifier"):
        FromBatch(KNeighborsClassifier(), Task.CLASSIFICATION).predict_learn(rows)


def test_a_value_of_another_kind_is_not_answered() -> None:
    rows = examples(80)
    learner = pipeline()
    learner.predict_learn(rows)
    learner.close()
    odd = [rows.rows[0], {**rows.rows[0], "a": "text"}, {**rows.rows[0], "word": "new"}]
    value = learner.predict(Examples.of(odd, np.zeros(3), rows.classes)).value
    assert np.isnan(value).tolist() == [False, True, False]


def test_anomalies_need_no_label() -> None:
    rows = numbers(100)
    learner = as_learner(IsolationForest(n_estimators=10, random_state=0))
    assert isinstance(learner, FromBatch) and learner.task is Task.ANOMALY
    learner.predict_learn(rows)
    learner.close()
    far = Examples.of([rows.rows[0], {"a": 50.0, "b": 50.0}], np.zeros(2), rows.classes)
    value = learner.predict(far).value
    assert value[1] > value[0]
