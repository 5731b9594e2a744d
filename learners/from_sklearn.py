"""Any scikit-learn estimator with partial_fit as a learner, one record at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from learners.base import (
    LEARN,
    PREDICT,
    Classes,
    Examples,
    Features,
    Floats,
    Label,
    Predictions,
    State,
    Task,
)
from learners.schema import Schema, label_array, plain
from learners.tabular import Tabular, name_of, pristine, takes, takes_missing

GATHER = 100
"""Rows that are looked at for their classes when none are declared."""


class FromSklearn(Tabular):
    """An estimator that is learned with the calls a plain loop of partial_fit makes.

    Each row is answered by `predict_proba` (or `predict`) of one row of shape (1, d), then
    learned by `partial_fit` of that row; the first call names the classes. Before anything is
    learned the answer is NaN.

    Parameters
    ----------
    model
        A classifier, a regressor, or (task anomaly) what scores rows, with partial_fit.
    task
        What it answers with.
    gather
        Labelled rows that are collected before the first is learned, in order; their fields and
        classes are known then, no others. None is 1 when `classes` are given and for other tasks
        than classification, else 100; never fewer than the clusters or components it looks for,
        which are given to the estimator in one first call.
    fields
        Fields known before the first row.
    classes
        All classes, when they are known before the first row.
    trust
        Exact names of further globals that its saved state may refer to.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from learners.base import Classes
    >>> rows = [{"x": 1.0}, {"x": 9.0}, {"x": 1.2}]
    >>> learner = FromSklearn(GaussianNB(), Task.CLASSIFICATION, classes=["a", "b"])
    >>> learner.predict_learn(Examples.of(rows, np.array([0.0, 1, 0]), Classes("ab"))).value
    array([nan,  0.,  0.])
    """

    road = "partial_fit"

    def __init__(
        self,
        model: Any,
        task: Task,
        gather: int | None = None,
        fields: Sequence[Any] | None = None,
        classes: Sequence[Label] | None = None,
        trust: frozenset[str] = frozenset(),
    ) -> None:
        self._parameters = (gather, fields, classes)
        self._first = _first_call(model)
        missing = takes_missing(model)
        wanted = _gathered(task, gather, self._first, classes is not None)
        schema = Schema(name_of(model), wanted, missing, False, classes, fields)
        super().__init__(model, task, schema, trust, model.partial_fit)
        self._collected: list[tuple[Features, Any, float]] = []
        self._takes_classes = takes(model.partial_fit, "classes")

    def declare(self, classes: Sequence[Label] | None, fields: Sequence[Any] | None) -> None:
        """Make known, before the first row, what the stream is known to hold."""
        gather = self._parameters[0]
        known = classes if self.task is Task.CLASSIFICATION else None
        self.schema = Schema(
            self.schema.name,
            _gathered(self.task, gather, self._first, known is not None),
            self.schema.missing,
            False,
            known,
            fields,
        )

    def predict_learn(self, rows: Examples) -> Predictions:
        """See `learners.base.Learner`."""
        self._check_weights(rows)
        n = len(rows)
        answer = Predictions(np.full(n, math.nan))
        answer.proba = np.zeros((n, len(rows.classes))) if self.gives_proba else None
        # An estimator that has not met a class yet divides by zero; it says so in its answer.
        with np.errstate(all="ignore"):
            self._each(rows, answer)
        return answer

    def close(self) -> None:
        """Begin with what was collected, though fewer rows came than were waited for.

        Raises
        ------
        LearnerFailedError
            The estimator could not learn them, or not answer then.
        """
        if self._collected:
            self._saved = None
            self.schema.left = 0
            row = self._matrix([self._collected[0][0]])
            try:
                with np.errstate(all="ignore"):
                    self._begin()
                    # Some can learn fewer rows than they need to answer.
                    self._answer(row, Classes(self.schema.labels))
            except Exception as error:
                raise self._failed(0, error) from error

    def fresh(self) -> FromSklearn:
        """See `learners.base.Learner`."""
        gather, fields, classes = self._parameters
        return FromSklearn(pristine(self.model), self.task, gather, fields, classes, self.trust)

    def state(self) -> State:
        """See `learners.base.Learner`."""
        state = super().state()
        if self._collected:
            rows, targets, weights = zip(*self._collected, strict=True)
            state.arrays = {"rows": self._matrix(rows), "weights": np.array(weights)}
            state.meta["targets"] = [plain(target) for target in targets]
        return state

    def restore(self, state: State) -> None:
        """See `learners.base.Learner`."""
        super().restore(state)
        self._collected = []
        if "rows" in state.arrays:
            fields = list(self.schema.fields or ())
            self._collected = [
                ({f: x for f, x in zip(fields, row, strict=True) if x == x}, target, weight)
                for row, target, weight in zip(
                    state.arrays["rows"].tolist(),
                    state.meta["targets"],
                    state.arrays["weights"].tolist(),
                    strict=True,
                )
            ]

    def _each(self, rows: Examples, answer: Predictions) -> None:
        i = 0
        labels = self._labels(rows)
        targets = labels if self.task is Task.CLASSIFICATION else rows.y.tolist()
        cells = zip(rows.rows, rows.op.tolist(), labels, targets, rows.weight.tolist(), strict=True)
        try:
            for i, (row, op, label, target, weight) in enumerate(cells):
                reason = self.schema.refusal(row, label)
                if reason:
                    answer.refused[i] = reason
                    continue
                if op & PREDICT and self.ready:
                    values, probas = self._answer(self._matrix([row]), rows.classes)
                    answer.value[i] = values[0]
                    if answer.proba is not None and probas is not None:
                        answer.proba[i] = probas[0]
                if op & LEARN:
                    self._learn(row, label, target, weight)
        except Exception as error:
            raise self._failed(i, error) from error

    def _learn(self, row: Features, label: Label | None, target: Any, weight: float) -> None:
        self._saved = None
        if self.ready:
            self._partial_fit(self._matrix([row]), [target], [weight])
            return
        self.schema.take(row, label)
        self._collected.append((dict(row), target, weight))
        if self.schema.settled:
            self._begin()

    def _begin(self) -> None:
        """Learn what was collected, in order: the first rows in the first call, then one by one."""
        rows, targets, weights = map(list, zip(*self._collected, strict=True))
        matrix, start = self._matrix(rows), self._first
        classes = label_array(self.schema.labels) if self._takes_classes else None
        self._partial_fit(matrix[:start], targets[:start], weights[:start], classes)
        for i in range(start, len(rows)):
            self._partial_fit(matrix[i : i + 1], targets[i : i + 1], weights[i : i + 1])
        self._collected = []
        self.ready = True

    def _partial_fit(
        self, matrix: Floats, targets: list[Any], weights: list[float], classes: Any = None
    ) -> None:
        options: dict[str, Any] = {}
        if classes is not None and self.task is Task.CLASSIFICATION:
            options["classes"] = np.unique(classes)
        if any(weight != 1.0 for weight in weights):
            options["sample_weight"] = np.array(weights)
        if self.task is Task.ANOMALY:
            self.model.partial_fit(matrix, **options)
        else:
            self.model.partial_fit(matrix, np.array(targets), **options)

    def _matrix(self, rows: Sequence[Features]) -> Floats:
        fields = self.schema.fields or {}
        return np.array([[row.get(field) for field in fields] for row in rows], np.float64)


def _first_call(model: Any) -> int:
    """Return how many rows the first partial_fit needs: as many as it looks for groups."""
    groups = [getattr(model, name, None) for name in ("n_clusters", "n_components")]
    return max([1, *(group for group in groups if isinstance(group, int))])


def _gathered(task: Task, gather: int | None, first: int, declared: bool) -> int:
    if gather is None:
        gather = 1 if declared or task is not Task.CLASSIFICATION else GATHER
    return max(gather, first)
