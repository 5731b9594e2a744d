"""River models of every kind with streams for them, and what a learner is given of those."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from river import anomaly, linear_model, multiclass, naive_bayes, neighbors, preprocessing, tree

from learners.base import Classes, Examples, Label, Predictions, Task
from tests import streams
from tests.streams import Stream

N = 300
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


def examples_of(stream: Stream, task: Task) -> Examples:
    """The stream as the decoder gives it, every class joining in the order in which it comes."""
    known = Classes()
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
