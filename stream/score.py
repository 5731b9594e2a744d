"""Scores: test-then-train, overall and over a recent window, each beside its no-skill baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from learners.base import PREDICT, Classes, Examples, Floats, Label, Predictions, State, Task
from stream.score_anomalies import AnomalyScores
from stream.score_classes import ClassScores
from stream.score_metrics import NamedMetric
from stream.score_numbers import NumberScores


class TaskScores(Protocol):
    """The scores of one task; `y` has no NaN, a `value` of NaN was not answered."""

    def update(self, classes: Classes, y: Floats, value: Floats, proba: Floats | None) -> None:
        """Count rows that were answered before they were learned."""
        ...

    def report(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        ...

    def state(self) -> State:
        """Return what it takes to go on."""
        ...

    def restore(self, state: State) -> None:
        """Go on from a state."""
        ...


class Scores:
    """What a stream's predictions were worth.

    Parameters
    ----------
    task
        Decides which figures there are.
    window
        How many of the last labelled rows are recent.
    positive
        The class F1 is about; None takes the mean over the classes (macro).
    metrics
        Further metrics; those that a state does not know begin anew.

    Attributes
    ----------
    metrics
        The same, as they are now.
    """

    def __init__(
        self,
        task: Task,
        window: int = 1_000,
        positive: Label | None = None,
        metrics: Sequence[NamedMetric] = (),
    ) -> None:
        self.metrics = list(metrics)
        self._scores: TaskScores
        if task is Task.CLASSIFICATION:
            self._scores = ClassScores(window, positive)
        elif task is Task.REGRESSION:
            self._scores = NumberScores(window)
        else:
            self._scores = AnomalyScores(window)

    def update(self, rows: Examples, predictions: Predictions, late: Sequence[int] = ()) -> None:
        """Count the rows that asked for a prediction and have a label.

        Rows in `late` asked for theirs before, and `predictions` has what was served then.
        """
        chosen = (rows.op & PREDICT).astype(bool) & ~np.isnan(rows.y)
        chosen[list(late)] = True
        chosen[list(predictions.refused)] = False
        whole = bool(chosen.all())
        y = rows.y if whole else rows.y[chosen]
        if not len(y):
            return
        value = predictions.value if whole else predictions.value[chosen]
        proba = predictions.proba
        if proba is not None and not whole:
            proba = proba[chosen]
        self._scores.update(rows.classes, y, value, proba)
        for metric in self.metrics:
            metric.update(rows.classes, y, value, proba)

    def report(self) -> dict[str, Any]:
        """Return the figures: count, overall, recent and baselines, and the river metrics."""
        report = self._scores.report()
        for metric in self.metrics:
            report["overall"][metric.name] = metric.figure()
        return report

    def state(self) -> State:
        """Return what it takes to go on; the scores are not changed by it."""
        state = self._scores.state()
        for metric in self.metrics:
            state.opaque[f"metric:{metric.path}"] = metric.state()
        return state

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._scores.restore(state)
        for metric in self.metrics:
            saved = state.opaque.get(f"metric:{metric.path}")
            if saved is not None:
                metric.restore(saved)
