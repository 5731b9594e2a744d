"""What a compiled twin must do: the same as the river estimator, wherever blocks are cut."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from learners.base import LEARN, PREDICT, Classes, Examples, Learner, Predictions, Task
from learners.checks import check_predict_is_pure, check_resumes
from learners.compiled.pipeline import compiled
from learners.from_river import FromRiver

TOLERANCE = 1e-9


def stream(
    seed: int,
    count: int = 300,
    task: Task = Task.CLASSIFICATION,
    classes: int = 2,
    missing: float = 0.1,
    words: Sequence[str] = (),
    weights: bool = False,
) -> Examples:
    """Return rows of numbers with gaps, a field that comes late, all operations, late classes."""
    chance = random.Random(seed)
    rows: list[dict[str, Any]] = []
    targets: list[float] = []
    labels = Classes()
    for i in range(count):
        row: dict[str, Any] = {
            name: chance.gauss(0.0, 1.0 + place)
            for place, name in enumerate("abc")
            if chance.random() >= missing
        }
        if i > count // 3:
            row["late"] = chance.random() - row.get("a", 0.0)
        if words and chance.random() >= missing:
            row["sky"] = chance.choice(words[: 2 + i * len(words) // count])
        score = row.get("a", 0.0) - 0.3 * row.get("b", 0.0) + chance.gauss(0.0, 0.3)
        targets.append(score)
        rows.append(row)
    if task is Task.CLASSIFICATION:
        edges = np.linspace(-1.0, 1.0, classes + 1)[1:-1]
        y = [
            float(labels.add(f"class {min(int(np.searchsorted(edges, s)), i * classes // 50)}"))
            for i, s in enumerate(targets)
        ]
    else:
        y = targets
    op = [chance.choice([PREDICT | LEARN] * 6 + [PREDICT, LEARN]) for _ in rows]
    weight = [chance.choice([1.0, 1.0, 0.5, 2.0]) if weights else 1.0 for _ in rows]
    return Examples(
        rows,
        np.array(op, np.uint8),
        np.array(y),
        np.array(weight),
        np.zeros(count, np.int64),
        labels,
    )


def agree(model: Any, rows: Examples, tolerance: float = TOLERANCE) -> None:
    """Fail unless the twin of a river estimator answers as it does."""
    river = FromRiver(model.clone()).predict_learn(rows)
    twin = compiled(model).predict_learn(rows)
    same(twin, river, tolerance)


def agree_but_for_ties(model: Any, rows: Examples) -> None:
    """Fail unless the twin answers as a river classifier that keeps its classes in a set.

    Among equally probable classes such a one takes the first of the set, which depends on the
    hash seed; its twin takes the one learned first.
    """
    river = FromRiver(model.clone()).predict_learn(rows)
    twin = compiled(model).predict_learn(rows)
    assert river.proba is not None
    largest = river.proba.max(axis=1, keepdims=True)
    tied = (river.proba >= largest - TOLERANCE).sum(axis=1) > 1
    tied &= ~np.isnan(river.value)
    places = twin.value[tied].astype(int)
    assert (river.proba[tied, places] >= largest[tied, 0] - TOLERANCE).all()
    twin.value[tied] = river.value[tied]
    same(twin, river)


def same(twin: Predictions, river: Predictions, tolerance: float = TOLERANCE) -> None:
    """Fail unless two answers are the same within a tolerance."""
    assert twin.refused == river.refused
    np.testing.assert_allclose(twin.value, river.value, rtol=tolerance, atol=tolerance)
    assert (twin.proba is None) == (river.proba is None)
    if twin.proba is not None and river.proba is not None:
        np.testing.assert_allclose(twin.proba, river.proba, rtol=tolerance, atol=tolerance)


def indifferent_to_cuts(learner: Learner, rows: Examples, seed: int = 0) -> None:
    """Fail if where a block is cut shows in an answer or in the state, or if asking does."""
    check_resumes(learner.fresh, rows, cuts_of(rows, seed))
    check_predict_is_pure(learner.fresh, rows)


def cuts_of(rows: Examples, seed: int) -> list[int]:
    """Return where to cut rows into blocks, some of them of one row."""
    chance = random.Random(seed)
    steps = [chance.choice([1, 2, 7, 50]) for _ in range(len(rows))]
    return list(itertools.accumulate(steps))
