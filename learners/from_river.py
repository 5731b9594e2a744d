"""Any river estimator or pipeline as a learner, one record at a time."""

from __future__ import annotations

import copy
import inspect
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from river import base

from learners.base import LEARN, PREDICT, Classes, Examples, Label, Predictions, State, Task
from learners.errors import LearnerError, LearnerFailedError, StateError, no_weights
from learners.opaque import check, dumps, loads
from learners.pair import Pair, refusal, speaks_for_itself

NAN = math.nan
UNKNOWN = object()

Picker = Callable[[dict[Any, float]], Sequence[float]]


class FromRiver:
    """A river estimator that answers and learns exactly as a plain river loop does.

    Parameters
    ----------
    model
        A classifier, regressor, anomaly detector, or a pipeline that ends in one.
    positive
        The class that is True for a classifier that only tells True from False; without it see
        `learners.pair`.
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

    columnar = False

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
        self.classes = tuple(classes)
        self._pair = Pair(classes if self.two_classes else (), positive)
        self._gives_proba = self.task is Task.CLASSIFICATION
        self.takes_weight = "w" in inspect.signature(last_step(model).learn_one).parameters
        self._saved: bytes | None = None
        self._checked = False

    @property
    def estimator(self) -> object:
        """The river estimator."""
        return self.model

    def predict_learn(self, rows: Examples) -> Predictions:
        """See `learners.base.Learner`."""
        learned = (rows.op & LEARN) != 0
        # Also when nothing is learned: some transformers note a field that they are only asked.
        self._saved = None
        if learned.any():
            if not self.takes_weight and (rows.weight[learned] != 1.0).any():
                raise no_weights(name_of(self.model))
        if self.task is Task.CLASSIFICATION:
            return self._classify(rows)
        return Predictions(self._answer_numbers(rows))

    def admit(self, rows: Examples) -> tuple[int, str]:
        """River learners take any field at any time, and any class unless they know only two."""
        pair = copy.deepcopy(self._pair)
        for row, label in enumerate(_labels(rows) if self.two_classes else ()):
            if rows.op[row] & LEARN and label is not None and pair.side(label) is None:
                return row, refusal(name_of(self.model), pair, label)
        return len(rows), ""

    def fresh(self) -> FromRiver:
        """See `learners.base.Learner`."""
        return FromRiver(self.model.clone(), self.positive, self.classes, self.trust)

    def state(self) -> State:
        """See `learners.base.Learner`; raise StateError if it could not be restored."""
        if self._saved is None:
            # The first state tells whether one can be restored at all, before it is needed.
            saved = dumps(self.model) if self._checked else check(self.model, self.trust)
            self._saved, self._checked = saved, True
        sides = [[label, side] for label, side in self._pair.sides.items()]
        meta = {"road": "river", "sides": sides, "proba": self._gives_proba}
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
        self._pair.sides = dict(state.meta["sides"])
        self._gives_proba = state.meta["proba"]
        self._saved = state.opaque["model"]

    def _answer_numbers(self, rows: Examples) -> Any:
        answer = self._score if self.task is Task.ANOMALY else self.model.predict_one
        learn = self._learner()
        values = [NAN] * len(rows)
        i = 0
        try:
            for i, (x, op, y, w) in enumerate(_cells(rows, rows.y.tolist())):
                if op & PREDICT:
                    value = answer(x)
                    values[i] = NAN if value is None else float(value)
                if op & LEARN:
                    learn(x, y) if w == 1.0 else learn(x, y, w=w)
        except Exception as error:
            raise _failed(self.model, i, error) from error
        return np.array(values)

    def _classify(self, rows: Examples) -> Predictions:
        classes, two = rows.classes, self.two_classes
        sides = self._pair.sides
        answer, learn = self._answer_class(), self._learner()
        keys, codes, pick = self._reading(classes)
        values = [NAN] * len(rows)
        probas: list[Sequence[float]] = [[0.0] * len(keys)] * len(rows)
        refused: dict[int, str] = {}
        i = 0
        try:
            for i, (x, op, label, w) in enumerate(_cells(rows, _labels(rows))):
                y = label
                if two and op & LEARN:
                    y = sides.get(label)
                    if y is None and not sides and speaks_for_itself(label):
                        y = self._pair.side(label)
                        keys, codes, pick = self._reading(classes)
                    elif y is None and self._pair.full:
                        refused[i] = refusal(name_of(self.model), self._pair, label)
                        continue
                if op & PREDICT:
                    predicted, proba = answer(x)
                    values[i] = codes.get(predicted, NAN)
                    if proba:
                        try:
                            probas[i] = pick(proba)
                        except KeyError:
                            probas[i] = [proba.get(key, 0.0) for key in keys]
                if op & LEARN:
                    if y is None:
                        y = self._pair.side(label)
                        keys, codes, pick = self._reading(classes)
                    learn(x, y) if w == 1.0 else learn(x, y, w=w)
        except Exception as error:
            raise _failed(self.model, i, error) from error
        matrix = np.array(probas).reshape(len(rows), len(keys)) if self._gives_proba else None
        return Predictions(np.array(values), matrix, refused)

    def _reading(self, classes: Classes) -> tuple[list[Any], dict[Any, int], Picker]:
        """Return what the model calls each class, the codes of that, and what reads it at once.

        A class that this model cannot mean yet gets a key that no answer has, even where the
        rest of the block brings it: an answer must not depend on where a block is cut.
        """
        keys: list[Any] = list(classes.labels)
        if self.two_classes:
            keys = [self._pair.sides.get(label, UNKNOWN) for label in keys]
        return keys, {key: code for code, key in enumerate(keys)}, _picker(keys)

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


def _labels(rows: Examples) -> list[Any]:
    names = rows.classes.labels
    return [None if math.isnan(y) else names[int(y)] for y in rows.y.tolist()]


def _cells(rows: Examples, targets: Sequence[Any]) -> Any:
    return zip(rows.rows, rows.op.tolist(), targets, rows.weight.tolist(), strict=True)


def _failed(model: Any, row: int, error: Exception) -> Exception:
    if isinstance(error, LearnerError):
        return error
    return LearnerFailedError(
        f"{name_of(model)} raised {type(error).__name__} on a row: {error}", row
    )


def _picker(keys: list[Any]) -> Picker:
    """Return what reads these keys from a dict at once, or raises KeyError."""
    if len(keys) > 1:
        return operator.itemgetter(*keys)
    return lambda proba: tuple(proba[key] for key in keys)
