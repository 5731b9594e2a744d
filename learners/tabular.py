"""What the two scikit-learn roads share: a schema, an answer, and their state."""

from __future__ import annotations

import abc
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import get_tags

from learners.base import (
    LEARN,
    Classes,
    Examples,
    Features,
    Floats,
    Label,
    Predictions,
    State,
    Task,
)
from learners.errors import LearnerError, LearnerFailedError, StateError, no_weights
from learners.opaque import check, dumps, loads
from learners.schema import Schema
from learners.tiles import matrix_kinds, tiles

Answer = tuple[Floats, Floats | None]


class Tabular(abc.ABC):
    """An estimator that takes tables, as scikit-learn's do.

    Attributes
    ----------
    model
        The estimator.
    task
        What it answers with.
    schema
        The fields and classes it knows.
    ready
        Whether it has learned enough to answer.
    takes_weight
        Whether it is learned with the rows' weights; where not, weights other than 1 are refused.
    """

    road: str
    two_classes = False
    columnar = False

    def __init__(
        self,
        model: Any,
        task: Task,
        schema: Schema,
        trust: frozenset[str],
        learn: Callable[..., Any],
    ) -> None:
        self.model = model
        self.task = task
        self.schema = schema
        self.trust = trust
        self.ready = False
        self.takes_weight = takes(learn, "sample_weight")
        self._saved: bytes | None = None
        self._checked = False

    @property
    def estimator(self) -> object:
        """The scikit-learn estimator."""
        return self.model

    @property
    def gives_proba(self) -> bool:
        """Whether the answer has probabilities."""
        return self.task is Task.CLASSIFICATION and hasattr(self.model, "predict_proba")

    @abc.abstractmethod
    def declare(self, classes: Sequence[Label] | None, fields: Sequence[Any] | None) -> None:
        """Make known, before the first row, what the stream is known to hold."""

    @abc.abstractmethod
    def predict_learn(self, rows: Examples) -> Predictions:
        """See `learners.base.Learner`."""

    @abc.abstractmethod
    def fresh(self) -> Tabular:
        """See `learners.base.Learner`."""

    @abc.abstractmethod
    def close(self) -> None:
        """Learn what was only collected until now; no more rows are to come.

        Raises
        ------
        LearnerFailedError
            The estimator could not learn it.
        """

    def admit(self, rows: Examples) -> tuple[int, str]:
        """See `learners.base.Learner`."""
        schema = self.schema.copy()
        for i, (row, label) in enumerate(zip(rows.rows, self._labels(rows), strict=True)):
            reason = schema.refusal(row, label)
            if reason:
                return i, reason
            if rows.op[i] & LEARN:
                schema.take(row, label)
        return len(rows), ""

    def predict(self, rows: Examples) -> Predictions:
        """Answer all rows, whatever their operation; an answer depends on nothing but its row.

        A row that the estimator cannot take is answered with NaN; fields it does not know are
        left out.
        """
        n, k = len(rows), len(rows.classes)
        value = np.full(n, math.nan)
        proba = np.zeros((n, k)) if self.gives_proba else None
        if not self.ready or not n:
            return Predictions(value, proba)
        table, usable = self._table(rows)
        try:
            with np.errstate(all="ignore"):
                answer = self._in_tiles(table, rows.classes)
        except Exception as error:
            raise self._failed(0, error) from error
        value[usable] = answer[0]
        if proba is not None and answer[1] is not None:
            proba[usable] = answer[1]
        return Predictions(value, proba)

    def state(self) -> State:
        """See `learners.base.Learner`; raise StateError if it could not be restored."""
        if self._saved is None and self.ready:
            # The first state tells whether one can be restored at all, before it is needed.
            saved = dumps(self.model) if self._checked else check(self.model, self.trust)
            self._saved, self._checked = saved, True
        meta = {"road": self.road, "ready": self.ready, "schema": self.schema.to_json()}
        return State(meta=meta, opaque={} if self._saved is None else {"model": self._saved})

    def restore(self, state: State) -> None:
        """See `learners.base.Learner`."""
        if state.meta.get("road") != self.road:
            raise StateError(
                f"wanted the state of a {self.road} learner, got that of a "
                f"{state.meta.get('road')!r} one: give the model another name, or its old "
                "configuration back"
            )
        saved = state.opaque.get("model")
        model: Any = pristine(self.model) if saved is None else loads(saved, self.trust)
        if type(model) is not type(self.model):
            raise StateError(
                f"wanted the state of {name_of(self.model)}, got that of {name_of(model)}: "
                "give the model another name, or its old configuration back"
            )
        self.model = model
        self._saved = saved
        self.ready = state.meta["ready"]
        self.schema.from_json(state.meta["schema"])

    def _check_weights(self, rows: Examples) -> None:
        learned = (rows.op & LEARN) != 0
        if not self.takes_weight and (rows.weight[learned] != 1.0).any():
            raise no_weights(name_of(self.model))

    def _labels(self, rows: Examples) -> list[Label | None]:
        """Return the label that each row teaches, None where it teaches none."""
        if self.task is not Task.CLASSIFICATION:
            return [None] * len(rows)
        labels = rows.classes.labels
        return [
            labels[int(y)] if op & LEARN else None
            for op, y in zip(rows.op.tolist(), rows.y.tolist(), strict=True)
        ]

    def _table(self, rows: Examples) -> tuple[Any, Any]:
        """Return the table of those rows that can be answered, and which they are."""
        fields = tuple(self.schema.fields or ())
        try:
            matrix = rows.columns(fields)
        except LearnerError:
            matrix = np.array([_numbers(row, fields) for row in rows.rows])
        usable: Any = np.ones(len(matrix), bool)
        if not self.schema.missing:
            usable = ~np.isnan(matrix).any(axis=1)
        return matrix[usable], usable

    def _in_tiles(self, table: Any, classes: Classes) -> Answer:
        kinds = self._kinds(table)
        value = np.full(len(kinds.first), math.nan)
        proba = np.zeros((len(value), len(classes))) if self.gives_proba else None
        for tile in tiles(kinds.keys):
            values, probas = self._answer(_rows_of(table, kinds.first[tile.rows]), classes)
            asked = tile.rows[tile.places]
            value[asked] = values[tile.places]
            if proba is not None and probas is not None:
                proba[asked] = probas[tile.places]
        return value[kinds.kind], None if proba is None else proba[kinds.kind]

    def _kinds(self, table: Any) -> Any:
        return matrix_kinds(table)

    def _answer(self, table: Any, classes: Classes) -> Answer:
        """Answer a table of n rows: float64[n], and float64[n, k] by class code or None."""
        model = self.model
        if self.task is Task.REGRESSION:
            return np.asarray(model.predict(table), np.float64).reshape(len(table)), None
        if self.task is Task.ANOMALY:
            return _anomaly_scores(model, table), None
        if not self.gives_proba:
            return _codes(model.predict(table), classes), None
        given = np.asarray(model.predict_proba(table))
        if given.shape[1] > len(model.classes_) == 1:
            # Neural networks give two columns all the same.
            given = np.ones((len(table), 1))
        value = _codes(model.classes_, classes)[given.argmax(axis=1)]
        top = given.max(axis=1, keepdims=True)
        # Where the probabilities tie, an estimator may still know which class it means.
        tied = (given >= top - 1e-9).sum(axis=1) != 1
        if tied.any():
            value[tied] = _codes(model.predict(table), classes)[tied]
        # Rows without any answer, such as those of naive Bayes before it met all of its classes.
        given = np.where(np.isnan(top), 0.0, given)
        proba = np.zeros((len(given), len(classes)))
        for column, label in enumerate(model.classes_.tolist()):
            if label in classes.codes:
                proba[:, classes.codes[label]] = given[:, column]
        return value, proba

    def _failed(self, row: int, error: Exception) -> Exception:
        if isinstance(error, LearnerError):
            return error
        return LearnerFailedError(
            f"{name_of(self.model)} raised {type(error).__name__} on a row: {error}", row
        )


def name_of(model: Any) -> str:
    """Return the class name of an estimator."""
    return type(model).__name__


def pristine(model: Any) -> Any:
    """Return an untrained estimator with the same parameters."""
    try:
        return clone(model)
    except TypeError as error:
        raise LearnerError(
            f"wanted a scikit-learn estimator with get_params, got {name_of(model)}: "
            "derive it from sklearn.base.BaseEstimator"
        ) from error


def takes_missing(model: Any) -> bool:
    """Return whether an estimator says that it takes NaN."""
    return bool(get_tags(model).input_tags.allow_nan)


def takes(method: Callable[..., Any], parameter: str) -> bool:
    """Return whether a method names a parameter."""
    return parameter in inspect.signature(method).parameters


def _rows_of(table: Any, rows: Any) -> Any:
    if isinstance(table, np.ndarray):
        return table[rows]
    # Built anew, since iloc lays a table out in memory by how many rows it had before, and the
    # last bits of an answer depend on the layout.
    columns = {
        name: pd.Series(table[name].to_numpy()[rows], dtype=table[name].dtype)
        for name in table.columns
    }
    return pd.DataFrame(columns)


def _codes(labels: Any, classes: Classes) -> Floats:
    codes: Iterable[float] = (classes.codes.get(label, math.nan) for label in labels.tolist())
    return np.fromiter(codes, np.float64, len(labels))


def _numbers(row: Features, fields: tuple[Any, ...]) -> list[float]:
    """Return a row of numbers, all NaN if one value is none."""
    try:
        return [float(cell) for cell in np.array([row.get(f) for f in fields], np.float64)]
    except (TypeError, ValueError):
        return [math.nan] * len(fields)


def _anomaly_scores(model: Any, table: Any) -> Floats:
    """Return scores that are higher for stranger rows."""
    if hasattr(model, "score_samples"):
        return -np.asarray(model.score_samples(table), np.float64)
    if hasattr(model, "decision_function"):
        return -np.asarray(model.decision_function(table), np.float64)
    return np.asarray(np.asarray(model.transform(table)).min(axis=1), np.float64)
