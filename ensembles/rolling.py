"""The rolling ensembles: river estimators, scikit-learn estimators and learners at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from river import base, naive_bayes, tree
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from ensembles.ballot import stacked
from ensembles.faces import RollingEstimator, records_of
from learners.base import Features, Floats, Label, Task
from learners.schema import plain

Vote = Literal["recent_loss", "uniform", "age"]
OnClose = Literal["freeze", "go_on"]


class RollingClassifier(ClassifierMixin, RollingEstimator, base.MiniBatchClassifier):  # type: ignore[misc]  # neither library has types
    """Members that each learned one window of the stream, voting on the class.

    The open member learns every record; after `window` of them it is frozen (or goes on) and a
    new one opens; the last `keep` vote together. Whether records come one by one, in data
    frames or in blocks, the results are the same to the last bit.

    Parameters
    ----------
    model
        A river or scikit-learn classifier; each member is a fresh copy. None is river's
        HoeffdingTreeClassifier. One that only has `fit` is fitted when its window closes.
    window
        Learned records in a member's window.
    keep
        Closed members that are kept; the oldest goes first.
    on_close
        "freeze": a closed member learns no more; "go_on": it goes on learning.
    vote
        "recent_loss", "uniform" or "age", see `ensembles.votes`.
    decay
        What a loss counts against the one after it, or a member against the next younger one.
        None is 0.99, for the vote by age 0.9.
    vote_after
        Records the open member learns before it votes beside closed ones. None is a tenth of
        the window.
    classes
        All classes, when they are known before the first record. Without them, a scikit-learn
        model waits for 100 records to tell, unless `partial_fit` or `fit` names them.
    positive
        The class that is True for a river classifier that only tells True from False.
    random_state
        Seeds what the model leaves open, differently for each member. None leaves it open.

    Examples
    --------
    >>> from river import naive_bayes
    >>> model = RollingClassifier(naive_bayes.GaussianNB(), window=4)
    >>> for x in [1.0, 9.0, 2.0, 8.0]:
    ...     model.learn_one({"x": x}, "high" if x > 5 else "low")
    >>> model.predict_one({"x": 8.5})
    'high'
    >>> [(member.first, member.last, member.closed) for member in model.members]
    [(0, 3, True), (4, 3, False)]
    """

    task = Task.CLASSIFICATION

    def __init__(
        self,
        model: Any = None,
        window: int = 1_000,
        keep: int = 10,
        on_close: OnClose = "freeze",
        vote: Vote = "recent_loss",
        decay: float | None = None,
        vote_after: int | None = None,
        classes: Sequence[Label] | None = None,
        positive: Label | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.window = window
        self.keep = keep
        self.on_close = on_close
        self.vote = vote
        self.decay = decay
        self.vote_after = vote_after
        self.classes = classes
        self.positive = positive
        self.random_state = random_state

    @property
    def classes_(self) -> Any:
        """The labels, sorted."""
        if self._ensemble is None:
            raise AttributeError("classes_ is known once something was learned")
        return np.unique(np.array(self._classes.labels))

    @property
    def _multiclass(self) -> bool:
        return True

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"model": naive_bayes.GaussianNB(), "window": 50, "keep": 3}

    def learn_one(self, x: Features, y: Label, w: float = 1.0) -> None:
        """Learn one record of weight w."""
        self._learn([x], [y], None if w == 1.0 else [w])

    def predict_proba_one(self, x: Features) -> dict[Label, float]:
        """Return the probability of each class, {} while no member has an answer."""
        answer = self._ask([x])
        if math.isnan(answer.value[0]) or answer.proba is None:
            return {}
        return dict(zip(self._classes.labels, answer.proba[0].tolist(), strict=True))

    def predict_one(self, x: Features) -> Label | None:
        """Return the class, None while no member has an answer."""
        value = self._ask([x]).value[0]
        return None if math.isnan(value) else self._classes.labels[int(value)]

    def predict_proba_many(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return a column of probabilities for each class."""
        answer = self._ask(records_of(X))
        return pd.DataFrame(answer.proba, index=X.index, columns=self._classes.labels)

    def predict_many(self, X: pd.DataFrame) -> pd.Series:
        """Return the class of each row, None where no member has an answer."""
        labels = [
            None if math.isnan(value) else self._classes.labels[int(value)]
            for value in self._ask(records_of(X)).value.tolist()
        ]
        return pd.Series(labels, index=X.index)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Learn all rows in order; `classes` given with the first call are declared."""
        self._partial_fit(X, y, classes, sample_weight)
        return self

    def predict(self, X: Any) -> Any:
        """Return the class of each row, the first one where no member has an answer."""
        rows = self._asked(X)
        labels = self._classes.labels
        values = np.nan_to_num(self._ask(rows).value)
        return np.array([labels[code] for code in values.astype(int).tolist()])

    def predict_proba(self, X: Any) -> Floats:
        """Return float64[n, k] in the order of `classes_`, equal where no member has an answer."""
        answer = self._ask(self._asked(X))
        codes = [self._classes.codes[label] for label in self.classes_.tolist()]
        proba = stacked([answer], answer.value[None], len(codes))[0][:, codes]
        return np.where(np.isnan(answer.value)[:, None], 1.0 / len(codes), proba)

    def _default(self) -> Any:
        return tree.HoeffdingTreeClassifier()

    def _declare(self, y: Any, classes: Any) -> None:
        check_classification_targets(y)
        if self._ensemble is None and classes is not None:
            self._begun([plain(label) for label in np.unique(classes)])

    def _targets(self, y: Sequence[Any]) -> Floats:
        add = self._classes.add
        return np.array([add(plain(label)) for label in y], np.float64)


class RollingRegressor(RegressorMixin, RollingEstimator, base.MiniBatchRegressor):  # type: ignore[misc]  # neither library has types
    """Members that each learned one window of the stream, their numbers averaged.

    Parameters
    ----------
    model
        A river or scikit-learn regressor; each member is a fresh copy. None is river's
        HoeffdingTreeRegressor.
    window, keep, on_close, vote, decay, vote_after, random_state
        See `RollingClassifier`.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> model = RollingRegressor(DecisionTreeRegressor(), window=2)
    >>> for x, y in [(1.0, 10.0), (9.0, 90.0)]:
    ...     model.learn_one({"x": x}, y)
    >>> model.predict_one({"x": 8.0})
    90.0
    """

    task = Task.REGRESSION

    def __init__(
        self,
        model: Any = None,
        window: int = 1_000,
        keep: int = 10,
        on_close: OnClose = "freeze",
        vote: Vote = "recent_loss",
        decay: float | None = None,
        vote_after: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.window = window
        self.keep = keep
        self.on_close = on_close
        self.vote = vote
        self.decay = decay
        self.vote_after = vote_after
        self.random_state = random_state

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"window": 50, "keep": 3}

    def learn_one(self, x: Features, y: float, w: float = 1.0) -> None:
        """Learn one record of weight w."""
        self._learn([x], [y], None if w == 1.0 else [w])

    def predict_one(self, x: Features) -> float:
        """Return the number, 0 while no member has an answer."""
        return float(np.nan_to_num(self._ask([x]).value[0]))

    def predict_many(self, X: pd.DataFrame) -> pd.Series:
        """Return the number of each row, 0 while no member has an answer."""
        return pd.Series(np.nan_to_num(self._ask(records_of(X)).value), index=X.index)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn all rows in order."""
        self._partial_fit(X, y, None, sample_weight)
        return self

    def predict(self, X: Any) -> Floats:
        """Return the number of each row, 0 where no member has an answer."""
        return np.nan_to_num(self._ask(self._asked(X)).value)

    def _default(self) -> Any:
        return tree.HoeffdingTreeRegressor()

    def _declare(self, y: Any, classes: Any) -> None:
        """Numbers have no classes."""

    def _targets(self, y: Sequence[Any]) -> Floats:
        return np.array(y, np.float64)
