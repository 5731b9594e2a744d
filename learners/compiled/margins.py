"""Linear models that learn from rows within a margin."""

from __future__ import annotations

import math
from collections.abc import Sized
from typing import NamedTuple

import numpy as np
from river import linear_model

from learners.base import LEARN, PREDICT, Floats, State, Task
from learners.compiled.columns import Columns
from learners.compiled.descent import answer, dot, pass_over
from learners.compiled.flow import Flow, Ops
from learners.compiled.jit import njit
from learners.compiled.losses import LOG, SQUARED
from learners.compiled.twins import NoTwinError, twin


class PassiveSettings(NamedTuple):
    """The parameters of a `PassiveAggressive`; see river's."""

    task: Task
    bound: float
    mode: int
    eps: float
    intercept: bool


class PassiveAggressive:
    """Passive-aggressive learning (Crammer and others, JMLR 2006), of two classes or numbers.

    Twin of river's `PAClassifier` and `PARegressor`. O(d) a row; a number a column.

    Parameters
    ----------
    settings
        What to learn by.
    """

    takes_weight = False

    def __init__(self, settings: PassiveSettings) -> None:
        self.settings = settings
        self.task = settings.task
        self.two_classes = settings.task is Task.CLASSIFICATION
        self._columns = Columns([0.0])
        self._intercept = np.zeros(1)

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats | None]:
        """See `learners.compiled.chain.Model`."""
        flow.only_numbers("a passive-aggressive model", LEARN)
        asked, taught, values = self._columns.some(flow)
        value = np.empty(len(flow.op))
        proba = np.empty((len(flow.op), 2)) if self.two_classes else np.empty((0, 2))
        _, bound, mode, eps, intercept = self.settings
        _passive(
            asked,
            taught,
            flow.op,
            flow.y,
            np.array((bound, mode, eps, intercept)),
            values[0],
            self._intercept,
            value,
            proba,
        )
        self._columns.keep(values)
        return value, proba if self.two_classes else None

    def fresh(self) -> PassiveAggressive:
        """See `learners.compiled.chain.Model`."""
        return PassiveAggressive(self.settings)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        state = self._columns.state()
        state.arrays = {**state.arrays, "intercept": self._intercept.copy()}
        return state

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self._columns.restore(state)
        self._intercept = state.arrays["intercept"].copy()


class ApproximateMargin:
    """ALMA, the approximate large margin algorithm (Gentile, JMLR 2001).

    Twin of `river.linear_model.ALMAClassifier`. O(d) a row with `d` all columns; a number each.

    Parameters
    ----------
    p
        Of the norm of the weights, above 1.
    alpha, margin, step
        River's alpha, B and C.
    """

    task = Task.CLASSIFICATION
    two_classes = True
    takes_weight = False

    def __init__(self, p: float, alpha: float, margin: float, step: float) -> None:
        self._parameters = p, alpha, margin, step
        self._columns = Columns([0.0])
        # One more than how often the weights were moved.
        self._count = np.ones(1)

    @property
    def fields(self) -> Sized:
        """See `learners.compiled.pieces.Wide`."""
        return self._columns.names

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats | None]:
        """See `learners.compiled.chain.Model`."""
        flow.only_numbers("ALMAClassifier", LEARN)
        asked, taught = self._columns.match(flow)
        value, proba = np.empty(len(flow.op)), np.empty((len(flow.op), 2))
        _approximate(
            asked,
            taught,
            flow.op,
            flow.y,
            np.array(self._parameters),
            self._columns.values[0],
            self._count,
            value,
            proba,
        )
        return value, proba

    def fresh(self) -> ApproximateMargin:
        """See `learners.compiled.chain.Model`."""
        return ApproximateMargin(*self._parameters)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        state = self._columns.state()
        state.arrays = {**state.arrays, "count": self._count.copy()}
        return state

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self._columns.restore(state)
        self._count = state.arrays["count"].copy()


@twin(linear_model.PAClassifier)
@twin(linear_model.PARegressor)
def _passive_aggressive(
    estimator: linear_model.PAClassifier | linear_model.PARegressor,
) -> PassiveAggressive:
    regression = isinstance(estimator, linear_model.PARegressor)
    if estimator.mode == 2 and estimator.C == 0:
        raise NoTwinError(f"{type(estimator).__name__} with C 0")
    return PassiveAggressive(
        PassiveSettings(
            Task.REGRESSION if regression else Task.CLASSIFICATION,
            float(estimator.C),
            estimator.mode,
            float(estimator.eps) if regression else 0.0,
            bool(estimator.learn_intercept),
        )
    )


@twin(linear_model.ALMAClassifier)
def _alma(estimator: linear_model.ALMAClassifier) -> ApproximateMargin:
    if not 1.0 < estimator.p < math.inf:
        raise NoTwinError(f"ALMAClassifier with p {estimator.p!r}")
    return ApproximateMargin(
        float(estimator.p), float(estimator.alpha), float(estimator.B), float(estimator.C)
    )


@njit
def _passive(
    asked: Floats,
    taught: Floats,
    op: Ops,
    y: Floats,
    parameters: Floats,
    weights: Floats,
    intercept: Floats,
    value: Floats,
    proba: Floats,
) -> None:
    bound, mode, eps = parameters[0], int(parameters[1]), parameters[2]
    meaning = LOG if len(proba) else SQUARED
    for i in range(len(op)):
        if op[i] & PREDICT:
            answer(i, meaning, dot(weights, asked, i, intercept[0]), value, proba)
        else:
            pass_over(i, value, proba)
        if op[i] & LEARN:
            z = dot(weights, taught, i, intercept[0])
            if len(proba):
                side = 1.0 if y[i] != 0.0 else -1.0
                loss = max(1.0 - side * z, 0.0)
            else:
                # River's loss takes the target for 0 or 1 here, whatever it is.
                side = np.sign(y[i] - z)
                loss = max(abs(z - (y[i] * 2.0 - 1.0)) - eps, 0.0)
            square = 0.0
            for j in range(len(weights)):
                x = taught[i, j]
                square += x * x if x == x else 0.0
            norm = math.sqrt(square) * math.sqrt(square)
            if mode == 2:
                tau = loss / (norm + 0.5 / bound)
            elif norm > 0.0:
                tau = loss / norm if mode == 0 else min(bound, loss / norm)
            else:
                tau = 0.0
            for j in range(len(weights)):
                x = taught[i, j]
                weights[j] += tau * side * x if x == x else 0.0
            if parameters[3] != 0.0:
                intercept[0] += tau * side


@njit
def _approximate(
    asked: Floats,
    taught: Floats,
    op: Ops,
    y: Floats,
    parameters: Floats,
    weights: Floats,
    count: Floats,
    value: Floats,
    proba: Floats,
) -> None:
    p, alpha, margin, step = parameters[0], parameters[1], parameters[2], parameters[3]
    for i in range(len(op)):
        if op[i] & PREDICT:
            answer(i, LOG, dot(weights, asked, i, 0.0), value, proba)
        else:
            pass_over(i, value, proba)
        if op[i] & LEARN:
            side = 1.0 if y[i] != 0.0 else -1.0
            gamma = margin * math.sqrt(p - 1.0) / math.sqrt(count[0])
            if side * dot(weights, taught, i, 0.0) < (1.0 - alpha) * gamma:
                eta = step / (math.sqrt(p - 1.0) * math.sqrt(count[0]))
                for j in range(len(weights)):
                    x = taught[i, j]
                    weights[j] += eta * side * x if x == x else 0.0
                whole = 0.0
                for j in range(len(weights)):
                    whole += weights[j] * weights[j] if p == 2.0 else abs(weights[j]) ** p
                norm = max(1.0, math.sqrt(whole) if p == 2.0 else whole ** (1.0 / p))
                for j in range(len(weights)):
                    if taught[i, j] == taught[i, j]:
                        weights[j] /= norm
                count[0] += 1.0
