"""Any river estimator or pipeline as a learner, one record at a time."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import base

from learners.base import LEARN, PREDICT, Classes, Examples, Label, Predictions, State, Task
from learners.errors import LearnerError, LearnerFailedError, StateError
from learners.opaque import dumps, loads

NAN = math.nan


class FromRiver:
    """A river estimator that answers and learns exactly as a plain river loop does.

    Parameters
    ----------
    model
        A classifier, regressor, anomaly detector, or a pipeline that ends in one.
    positive
        The class that is True for a classifier that only tells True from False.
    classes
        The labels known before the first record.
    trust
        Exact names of further globals that its saved state may refer to.

    Raises
    ------
    LearnerError
        The estimator cannot be served; the sentence says why.

    Examples
    --------
    >>> import numpy as np
    >>> from river.naive_bayes import GaussianNB
    >>> from learners.base import Classes, Examples
    >>> rows = [{"x": 1.0}, {"x": 9.0}, {"x": 1.2}]
    >>> learner = FromRiver(GaussianNB())
    >>> learner.predict_learn(Examples.of(rows, np.array([0.0, 1, 0]), Classes("ab"))).value
    array([nan,  0.,  0.])
    """

    def __init__(
        self,
        model: Any,
        positive: Label | None = None,
        classes: Sequence[Label] = (),
        trust: frozenset[str] = frozenset(),
    ) -> None:
        self.model = model
        self.task = task_of(model)
        self.positive = positive
        self.trust = trust
        self.two_classes = self.task is Task.CLASSIFICATION and not model._multiclass
        if self.two_classes and not classes and positive is None:
            classes = (False, True)
        self.classes = tuple(classes)
        self._negative = next((label for label in self.classes if label != positive), None)
        self._gives_proba = self.task is Task.CLASSIFICATION
        self._takes_weight = "w" in inspect.signature(last_step(model).learn_one).parameters
        self._saved: bytes | None = None

    @property
    def estimator(self) -> object:
        """The river estimator."""
        return self.model

    def predict_learn(self, rows: Examples) -> Predictions:
        """See `learners.base.Learner`."""
        if (rows.op & LEARN).any():
            self._saved = None
            if not self._takes_weight and (rows.weight != 1.0).any():
                raise LearnerError(
                    f"wanted a learner that takes weights, got {name_of(self.model)}: "
                    "leave [record] weight out, or choose another learner"
                )
        if self.task is Task.CLASSIFICATION:
            return self._classify(rows)
        return Predictions(self._answer_numbers(rows))

    def admit(self, rows: Examples) -> tuple[int, str]:
        """River learners take any field and any class at any time."""
        return len(rows), ""

    def fresh(self) -> FromRiver:
        """See `learners.base.Learner`."""
        return FromRiver(self.model.clone(), self.positive, self.classes, self.trust)

    def state(self) -> State:
        """See `learners.base.Learner`."""
        if self._saved is None:
            self._saved = dumps(self.model)
        meta = {"road": "river", "negative": self._negative, "proba": self._gives_proba}
        return State(meta=meta, opaque={"model": self._saved})

    def restore(self, state: State) -> None:
        """See `learners.base.Learner`."""
        if state.meta.get("road") != "river":
            raise StateError(
                f"wanted the state of a river learner, got that of {state.meta.get('road')!r}: "
                "give the model another name, or its old configuration back"
            )
        model: Any = loads(state.opaque["model"], self.trust)
        if type(model) is not type(self.model):
            raise StateError(
                f"wanted the state of {name_of(self.model)}, got that of {name_of(model)}: "
                "give the model another name, or its old configuration back"
            )
        self.model = model
        self._negative = state.meta["negative"]
        self._gives_proba = state.meta["proba"]
        self._saved = state.opaque["model"]

    def _answer_numbers(self, rows: Examples) -> Any:
        answer = self._score if self.task is Task.ANOMALY else self.model.predict_one
        learn = self._learner()
        values = [NAN] * len(rows)
        i = 0
        try:
            for i, (x, op, y, w) in enumerate(_cells(rows, rows.y.tolist(), rows.op)):
                if op & PREDICT:
                    value = answer(x)
                    values[i] = NAN if value is None else float(value)
                if op & LEARN:
                    learn(x, y) if w == 1.0 else learn(x, y, w=w)
        except Exception as error:
            raise _failed(self.model, i, error) from error
        return np.array(values)

    def _classify(self, rows: Examples) -> Predictions:
        classes = rows.classes
        labels = [None if math.isnan(y) else classes.labels[int(y)] for y in rows.y.tolist()]
        refused = self._refused(labels) if self.two_classes else {}
        ops = rows.op.copy()
        ops[list(refused)] = 0
        answer = self._answer_class()
        learn = self._learner()
        keys = self._keys(classes)
        codes = {key: code for code, key in enumerate(keys)}
        pick = _picker(keys)
        values = [NAN] * len(rows)
        probas: list[Sequence[float]] = [[0.0] * len(keys)] * len(rows)
        i = 0
        try:
            for i, (x, op, label, w) in enumerate(_cells(rows, labels, ops)):
                if op & PREDICT:
                    predicted, proba = answer(x)
                    values[i] = codes.get(predicted, NAN)
                    if proba:
                        try:
                            probas[i] = pick(proba)
                        except KeyError:
                            probas[i] = [proba.get(key, 0.0) for key in keys]
                if op & LEARN:
                    if self.positive is not None and self.two_classes:
                        if label != self.positive and self._negative is None:
                            self._negative = label
                            keys = self._keys(classes)
                            codes = {key: code for code, key in enumerate(keys)}
                            pick = _picker(keys)
                        label = label == self.positive
                    learn(x, label) if w == 1.0 else learn(x, label, w=w)
        except Exception as error:
            raise _failed(self.model, i, error) from error
        matrix = np.array(probas).reshape(len(rows), len(keys)) if self._gives_proba else None
        return Predictions(np.array(values), matrix, refused)

    def _keys(self, classes: Classes) -> list[Any]:
        """Return what the model calls each class, by code.

        A class that this model cannot mean yet gets a key that no answer has, even where the
        rest of the block brings it: an answer must not depend on where a block is cut.
        """
        if not self.two_classes or self.positive is None:
            return list(classes.labels)
        names: list[Any] = []
        for label in classes.labels:
            known = label in (self.positive, self._negative)
            names.append(label == self.positive if known else object())
        return names

    def _refused(self, labels: list[Label | None]) -> dict[int, str]:
        """Return the rows with a label that is neither of the two classes, with the reason."""
        known: set[Label | None] = {None, False, True}
        wanted = "true or false (or 1 and 0)"
        if self.positive is not None:
            others = (label for label in labels if label not in (None, self.positive))
            negative = next(others, None) if self._negative is None else self._negative
            known = {None, self.positive, negative}
            wanted = f"{self.positive!r} or {negative!r}"
        return {
            row: f"{name_of(self.model)} tells two classes apart: wanted {wanted}, got {label!r}: "
            "set [record] positive, or choose a multi-class learner"
            for row, label in enumerate(labels)
            if label not in known
        }

    def _answer_class(self) -> Callable[[Any], tuple[Any, dict[Any, float] | None]]:
        """Return the fastest way to a label and probabilities that gives predict_one's label."""
        model = self.model
        derived = type(last_step(model)).predict_one is base.Classifier.predict_one

        def from_proba(x: Any) -> tuple[Any, dict[Any, float] | None]:
            proba = model.predict_proba_one(x)
            return (max(proba, key=proba.get) if proba else None), proba

        def both(x: Any) -> tuple[Any, dict[Any, float] | None]:
            if self._gives_proba:
                try:
                    return model.predict_one(x), model.predict_proba_one(x)
                except NotImplementedError:
                    self._gives_proba = False
            return model.predict_one(x), None

        return from_proba if derived else both

    def _learner(self) -> Callable[..., None]:
        """Return learn(x, y), which takes the weight as `w` if the model knows weights."""
        if not self.model._supervised:
            return lambda x, y: self.model.learn_one(x)
        return self.model.learn_one  # type: ignore[no-any-return]  # river has no types here

    def _score(self, x: Any) -> float:
        return float(self.model.score_one(x))


def task_of(model: Any) -> Task:
    """Return what a river estimator answers with, or raise `LearnerError` if it is not served."""
    last = last_step(model)
    if isinstance(last, base.SupervisedAnomalyDetector):
        raise LearnerError(
            f"{name_of(model)} needs the label to give its score, so it cannot answer before "
            "the outcome is known: choose an unsupervised anomaly detector"
        )
    if isinstance(last, base.Classifier):
        return Task.CLASSIFICATION
    if isinstance(last, base.Regressor):
        return Task.REGRESSION
    if isinstance(last, base.AnomalyDetector | base.AnomalyFilter):
        return Task.ANOMALY
    raise LearnerError(
        f"wanted a river classifier, regressor or anomaly detector, got {name_of(model)}: "
        "end the pipeline in one"
    )


def last_step(model: Any) -> Any:
    """Return the estimator that answers: a pipeline's last step, or the model itself."""
    return model._last_step if hasattr(model, "_last_step") else model


def name_of(model: Any) -> str:
    """Return the class name of the estimator that answers."""
    return type(last_step(model)).__name__


def _cells(rows: Examples, targets: Sequence[Any], ops: NDArray[np.uint8]) -> Any:
    return zip(rows.rows, ops.tolist(), targets, rows.weight.tolist(), strict=True)


def _failed(model: Any, row: int, error: Exception) -> Exception:
    if isinstance(error, LearnerError):
        return error
    return LearnerFailedError(
        f"{name_of(model)} raised {type(error).__name__} on a row: {error}", row
    )


def _picker(keys: list[Any]) -> Callable[[dict[Any, float]], tuple[float, ...]]:
    """Return what reads these keys from a dict at once, or raises KeyError."""
    if len(keys) > 1:
        return operator.itemgetter(*keys)
    return lambda proba: tuple(proba[key] for key in keys)
