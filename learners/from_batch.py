"""Any estimator with fit and predict as a learner, fitted when its window closes."""

from __future__ import annotations

import math
import numbers
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from learners.base import LEARN, Classes, Examples, Features, Label, Predictions, State, Task
from learners.schema import Schema, label_array, plain
from learners.tabular import Tabular, name_of, pristine, takes_missing
from learners.tiles import Kinds, cell_kinds


class FromBatch(Tabular):
    """An estimator that collects labelled rows until `close` fits it to them.

    Its fields are a matrix of numbers; where one holds text, or the estimator is a pipeline, they
    are a data frame with the fields as columns. Until the first `close` the answer is NaN.

    Parameters
    ----------
    model
        A classifier, a regressor, or (task anomaly) what scores rows, with fit.
    task
        What it answers with.
    window
        How many rows are kept at most; the oldest go first.
    trust
        Exact names of further globals that its saved state may refer to.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from learners.base import Classes
    >>> rows = Examples.of([{"x": 1.0}, {"x": 9.0}], np.array([0.0, 1]), Classes("ab"))
    >>> learner = FromBatch(DecisionTreeClassifier(), Task.CLASSIFICATION)
    >>> learner.predict_learn(rows).value
    array([nan, nan])
    >>> learner.close()
    >>> learner.predict(rows).value
    array([0., 1.])
    """

    road = "fit"

    def __init__(
        self,
        model: Any,
        task: Task,
        window: int = 1_000,
        trust: frozenset[str] = frozenset(),
    ) -> None:
        schema = Schema(name_of(model), None, takes_missing(model), text=True)
        super().__init__(model, task, schema, trust, model.fit)
        self.window = window
        self._collected: deque[tuple[Features, Any, float]] = deque(maxlen=window)
        self._named = isinstance(model, Pipeline)
        self._texts: frozenset[Any] = frozenset()

    def declare(self, classes: Sequence[Label] | None, fields: Sequence[Any] | None) -> None:
        """Make known, before the first row, which fields the stream is known to hold."""
        self.schema = Schema(self.schema.name, None, self.schema.missing, text=True, fields=fields)

    def predict_learn(self, rows: Examples) -> Predictions:
        """See `learners.base.Learner`."""
        self._check_weights(rows)
        refused: dict[int, str] = {}
        labels = self._labels(rows)
        targets = labels if self.task is Task.CLASSIFICATION else rows.y.tolist()
        cells = zip(rows.rows, rows.op.tolist(), labels, targets, rows.weight.tolist(), strict=True)
        for i, (row, op, label, target, weight) in enumerate(cells):
            reason = self.schema.refusal(row, label)
            if reason:
                refused[i] = reason
            elif op & LEARN:
                self.schema.take(row, label)
                self._collected.append((dict(row), target, weight))
        answer = self.predict(rows)
        silent = [i for i, op in enumerate(rows.op.tolist()) if i in refused or op == LEARN]
        answer.value[silent] = math.nan
        if answer.proba is not None:
            answer.proba[silent] = 0.0
        return Predictions(answer.value, answer.proba, refused)

    def close(self) -> None:
        """Fit what was collected, from scratch, and collect anew.

        Raises
        ------
        LearnerFailedError
            The estimator could not be fitted, or not answer then; what it answered with before
            is kept.
        """
        if not self._collected:
            return
        rows, targets, weights = map(list, zip(*self._collected, strict=True))
        before = self.model, self._named, self._texts
        model = pristine(self.model)
        try:
            with np.errstate(all="ignore"):
                self._find_texts(rows)
                table = self._whole(rows)
                self._fit(model, table, targets, weights)
                self.model = model
                # Some can be fitted to fewer rows than they need to answer.
                self._in_tiles(table[:1], Classes(self.schema.labels))
        except Exception as error:
            self.model, self._named, self._texts = before
            raise self._failed(len(rows) - 1, error) from error
        self.ready, self._saved = True, None
        self._collected.clear()

    def fresh(self) -> FromBatch:
        """See `learners.base.Learner`."""
        return FromBatch(pristine(self.model), self.task, self.window, self.trust)

    def state(self) -> State:
        """See `learners.base.Learner`."""
        state = super().state()
        state.meta["named"] = self._named
        state.meta["texts"] = [field for field in self.schema.fields or () if field in self._texts]
        if self._collected:
            rows, targets, weights = zip(*self._collected, strict=True)
            state.meta["rows"] = [_pairs(row) for row in rows]
            state.meta["targets"] = [plain(target) for target in targets]
            state.arrays = {"weights": np.array(weights)}
        return state

    def restore(self, state: State) -> None:
        """See `learners.base.Learner`."""
        super().restore(state)
        self._named = state.meta["named"]
        self._texts = frozenset(state.meta["texts"])
        self._collected.clear()
        if "rows" in state.meta:
            self._collected.extend(
                (dict(pairs), target, weight)
                for pairs, target, weight in zip(
                    state.meta["rows"],
                    state.meta["targets"],
                    state.arrays["weights"].tolist(),
                    strict=True,
                )
            )

    def _fit(self, model: Any, table: Any, targets: list[Any], weights: list[float]) -> None:
        options = {}
        if any(weight != 1.0 for weight in weights):
            options["sample_weight"] = np.array(weights)
        if self.task is Task.ANOMALY:
            model.fit(table, **options)
        elif self.task is Task.CLASSIFICATION:
            model.fit(table, label_array(targets), **options)
        else:
            model.fit(table, np.array(targets), **options)

    def _find_texts(self, rows: Sequence[Features]) -> None:
        """Find the fields that hold something else than numbers, now that all rows are here."""
        self._texts = frozenset(
            field for row in rows for field, value in row.items() if not _is_number(value)
        )
        self._named = isinstance(self.model, Pipeline) or bool(self._texts)

    def _whole(self, rows: Sequence[Features]) -> Any:
        """Return the table of rows that were admitted."""
        fields = tuple(self.schema.fields or ())
        cells = [[row.get(field) for field in fields] for row in rows]
        return self._frame(cells) if self._named else np.array(cells, np.float64)

    def _frame(self, cells: list[list[Any]]) -> Any:
        columns = {}
        for i, field in enumerate(self.schema.fields or ()):
            text = field in self._texts
            # A type for each column, so that no value's type depends on the rows around it.
            columns[field] = pd.Series([row[i] for row in cells], dtype=object if text else float)
        return pd.DataFrame(columns)

    def _table(self, rows: Examples) -> tuple[Any, Any]:
        if not self._named:
            return super()._table(rows)
        fields = tuple(self.schema.fields or ())
        cells = [[row.get(field) for field in fields] for row in rows.rows]
        usable = np.array([self._usable(row) for row in cells], bool)
        return self._frame([row for row, good in zip(cells, usable, strict=True) if good]), usable

    def _usable(self, cells: list[Any]) -> bool:
        """Whether each number is one, and nothing is missing where nothing may be."""
        for field, value in zip(self.schema.fields or (), cells, strict=True):
            if value is None or value != value:
                if not self.schema.missing:
                    return False
            elif field not in self._texts and not _is_number(value):
                return False
        return True

    def _kinds(self, table: Any) -> Kinds:
        return super()._kinds(table) if not self._named else cell_kinds(table.values.tolist())


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, numbers.Real | np.bool_)


def _pairs(row: Features) -> list[list[Any]]:
    """Return a row as JSON; a missing value is left out, which says the same."""
    pairs = ((plain(field), plain(value)) for field, value in row.items())
    return [[field, value] for field, value in pairs if value is not None and value == value]
