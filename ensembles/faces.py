"""What both rolling estimators share: parameters, the learner's face, and tables as rows."""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ensembles.ballot import Rules
from ensembles.engine import Ensemble
from ensembles.members import make_learner
from ensembles.parallel import ParallelEnsemble
from ensembles.pool import Pool
from ensembles.votes import VOTES
from learners.base import (
    LEARN,
    PREDICT,
    Classes,
    Examples,
    Features,
    Label,
    MemberView,
    Predictions,
    State,
    Task,
)
from learners.errors import LearnerError

DECAY = {"recent_loss": 0.99, "uniform": 0.99, "age": 0.9}
"""What `decay` is where it is left open."""


class RollingEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """One `Ensemble` behind the faces of a learner, a river and a scikit-learn estimator."""

    task: Task
    model: Any
    window: int
    keep: int
    on_close: str
    vote: str
    decay: float | None
    vote_after: int | None
    random_state: Any

    _ensemble: Ensemble | None = None
    _pool: Pool | None = None
    _classes: Classes

    @property
    def members(self) -> list[MemberView]:
        """The members as they are now, the oldest first, the open one last."""
        return self._begun().views()

    @property
    def skipped(self) -> list[str]:
        """Why members could not be fitted when their window closed, the newest last."""
        return list(self._begun().reasons)

    @property
    def estimator(self) -> object:
        """The members' estimators, and the numbers that decide how they vote."""
        return self._begun().estimator

    @property
    def two_classes(self) -> bool:
        """Whether the members only tell True from False."""
        return self._begun().open.learner.two_classes

    @property
    def columnar(self) -> bool:
        """Whether the members read columns, see `learners.base.Learner`."""
        return self._begun().open.learner.columnar

    def predict_learn(self, rows: Examples) -> Predictions:
        """See `learners.base.Learner`."""
        ensemble = self._begun()
        self._classes = rows.classes
        return ensemble.predict_learn(rows)

    def admit(self, rows: Examples) -> tuple[int, str]:
        """See `learners.base.Learner`."""
        return self._begun().admit(rows)

    def fresh(self) -> Self:
        """See `learners.base.Learner`."""
        return type(self)(**{**self.get_params(deep=False)})

    def state(self) -> State:
        """See `learners.base.Learner`."""
        return self._begun().state()

    def restore(self, state: State) -> None:
        """See `learners.base.Learner`."""
        self._ensemble = None
        ensemble = self._begun()
        ensemble.restore(state)
        self._classes = Classes(ensemble.known)

    def share(self, pool: Pool) -> None:
        """Have windows learned side by side in a pool from now on, with the same results.

        Members must be frozen when they close.
        """
        state = self.state()
        self._pool = pool
        self.restore(state)

    def learn_many(self, X: pd.DataFrame, y: pd.Series) -> None:
        """Learn the rows of a data frame in order, as `learn_one` does one after the other."""
        self._learn(records_of(X), list(y), None)

    def _partial_fit(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> None:
        rows, targets = self._checked(X, y, reset=self._ensemble is None)
        self._declare(targets, classes)
        self._learn(rows, targets, _weights(sample_weight, X))

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Start over, and learn all rows in order.

        Where nothing could answer by then, the open window closes early.
        """
        rows, targets = self._checked(X, y, reset=True)
        self._ensemble = None
        self._declare(targets, targets)
        self._learn(rows, targets, _weights(sample_weight, X))
        self._begun().finish()
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return self._ensemble is not None and self._ensemble.began

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @abstractmethod
    def _default(self) -> Any:
        """Return the model of members where none is given."""

    @abstractmethod
    def _declare(self, y: Any, classes: Any) -> None:
        """Check targets before the first are learned, and make classes known that are given."""

    @abstractmethod
    def _targets(self, y: Sequence[Any]) -> Any:
        """Return targets as float64[n], classes as their codes."""

    def _begun(self, classes: Sequence[Label] | None = None) -> Ensemble:
        if self._ensemble is None:
            classes = classes or getattr(self, "classes", None)
            rules = self._rules()
            model = self._default() if self.model is None else self.model
            make = functools.partial(
                make_learner,
                model,
                self._seed(),
                self.task,
                getattr(self, "positive", None),
                classes,
                self.window,
            )
            if self._pool is None:
                self._ensemble = Ensemble(make, rules, classes or ())
            else:
                self._ensemble = ParallelEnsemble(make, rules, classes or ())
                self._ensemble.pool = self._pool
            self._classes = Classes(classes or ())
        return self._ensemble

    def _rules(self) -> Rules:
        for name, low in (("window", 1), ("keep", 0)):
            value = getattr(self, name)
            if value < low:
                raise LearnerError(f"wanted {name} of at least {low}, got {value!r}: raise it")
        for name, choices in (("on_close", ("freeze", "go_on")), ("vote", VOTES)):
            if getattr(self, name) not in choices:
                raise LearnerError(
                    f"wanted {name} to be one of {', '.join(choices)}, got "
                    f"{getattr(self, name)!r}: choose one of them"
                )
        decay = DECAY[self.vote] if self.decay is None else self.decay
        if not 0 < decay <= 1:
            raise LearnerError(f"wanted decay in (0, 1], got {decay!r}: 0.99 is a usual value")
        after = max(1, self.window // 10) if self.vote_after is None else self.vote_after
        go_on = self.on_close == "go_on"
        return Rules(self.window, self.keep, go_on, self.vote, decay, after)

    def _seed(self) -> int | None:
        if self.random_state is None or isinstance(self.random_state, int):
            return self.random_state
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _learn(self, rows: Sequence[Features], y: Sequence[Any], weights: Any) -> None:
        ensemble = self._begun()
        weight = None if weights is None else np.asarray(weights, np.float64)
        examples = Examples.of(rows, self._targets(y), self._classes, LEARN, weight)
        refused = ensemble.predict_learn(examples).refused
        if refused:
            row, reason = next(iter(refused.items()))
            raise LearnerError(f"row {row} was not learned: {reason}")

    def _ask(self, rows: Sequence[Features]) -> Predictions:
        ensemble = self._begun()
        y = np.full(len(rows), math.nan)
        return ensemble.predict_learn(Examples.of(rows, y, self._classes, PREDICT))

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[list[Features], list[Any]]:
        """Return a table's rows as dicts, and its targets as a list."""
        if _has_text(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
            y = column_or_1d(y, warn=True)
            check_consistent_length(X, y)
            return records_of(X), y.tolist()
        matrix, y = validate_data(
            self,
            X,
            y,
            reset=reset,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
            y_numeric=self.task is Task.REGRESSION,
        )
        return self._dicts(matrix), y.tolist()

    def _asked(self, X: Any) -> list[Features]:
        """Return the rows of a table to be predicted as dicts."""
        check_is_fitted(self)
        if _has_text(X):
            validate_data(self, X, reset=False, skip_check_array=True)
            return records_of(X)
        if getattr(self, "n_features_in_", None) is None:
            return records_of(pd.DataFrame(X))
        return self._dicts(
            validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        )

    def _dicts(self, matrix: Any) -> list[Features]:
        names = getattr(self, "feature_names_in_", None)
        fields = range(matrix.shape[1]) if names is None else names.tolist()
        return _without_missing(
            [dict(zip(fields, row, strict=True)) for row in matrix.tolist()], matrix
        )


def _weights(sample_weight: Any, X: Any) -> Any:
    return None if sample_weight is None else _check_sample_weight(sample_weight, X)


def _has_text(X: Any) -> bool:
    return isinstance(X, pd.DataFrame) and not all(
        pd.api.types.is_numeric_dtype(kind) for kind in X.dtypes
    )


def records_of(frame: pd.DataFrame) -> list[Features]:
    """Return the rows of a data frame as dicts of their values' own types."""
    return _without_missing(frame.to_dict("records"), frame)


def _without_missing(rows: list[Features], table: Any) -> list[Features]:
    """Leave out values that are missing, as river does."""
    if not pd.isna(table).any(axis=None):
        return rows
    return [{field: value for field, value in row.items() if not pd.isna(value)} for row in rows]
