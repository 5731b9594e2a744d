"""A river learner does what a plain loop does, wherever blocks are cut and states are kept."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import base, compose

from learners.base import PREDICT, Examples, Task
from learners.digests import digest
from learners.from_river import FromRiver
from tests.river_cases import CASES, Answer, Case, N, answered, examples_of
from tests.streams import Stream

pytestmark = pytest.mark.slow

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
