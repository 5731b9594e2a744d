"""Linear models that learn by stochastic gradient descent."""

from __future__ import annotations

import math

import numpy as np
from river import linear_model, optim

from learners.base import LEARN, PREDICT, Floats, State, Task
from learners.compiled.flow import Fields, Flow, Ops
from learners.compiled.jit import njit
from learners.compiled.twins import NoTwinError, twin


class LogisticRegression:
    """Logistic regression by stochastic gradient descent (Robbins and Monro, 1951).

    Twin of `river.linear_model.LogisticRegression`. O(d) a row; a number a column.

    Parameters
    ----------
    rate, intercept_rate
        Learning rates of the weights and of the intercept.
    """

    task = Task.CLASSIFICATION
    two_classes = True
    takes_weight = True

    def __init__(self, rate: float, intercept_rate: float) -> None:
        self.rate, self.intercept_rate = rate, intercept_rate
        self._fields = Fields()
        # The intercept, then a weight by column.
        self._weights = np.zeros(1)

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats]:
        """See `learners.compiled.chain.Model`."""
        asked, taught = self._fields.match(flow)
        self._weights = np.pad(self._weights, (0, 1 + len(self._fields) - len(self._weights)))
        chance = np.full(len(flow.op), math.nan)
        rates = (self.rate, self.intercept_rate)
        _logistic(asked, taught, flow.op, flow.y, flow.weight, rates, self._weights, chance)
        proba = np.column_stack((1.0 - chance, chance))
        return np.where(np.isnan(chance), math.nan, proba[:, 1] > proba[:, 0]), proba

    def fresh(self) -> LogisticRegression:
        """See `learners.compiled.chain.Model`."""
        return LogisticRegression(self.rate, self.intercept_rate)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        return State(
            meta={"names": list(self._fields.names)}, arrays={"weights": self._weights.copy()}
        )

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self._fields = Fields(state.meta["names"])
        self._weights = state.arrays["weights"].copy()


@twin(linear_model.LogisticRegression)
def _logistic_regression(estimator: linear_model.LogisticRegression) -> LogisticRegression:
    optimizer, loss = estimator.optimizer, estimator.loss
    if type(optimizer) is not optim.SGD or type(optimizer.lr) is not optim.schedulers.Constant:
        raise NoTwinError(f"LogisticRegression with {optimizer!r}")
    if type(loss) is not optim.losses.Log or (loss.weight_pos, loss.weight_neg) != (1.0, 1.0):
        raise NoTwinError(f"LogisticRegression with {loss!r}")
    if estimator.l1 or estimator.l2:
        raise NoTwinError("LogisticRegression with l1 or l2")
    return LogisticRegression(optimizer.learning_rate, estimator.intercept_lr.get(0))


@njit
def _logistic(
    asked: Floats,
    taught: Floats,
    op: Ops,
    y: Floats,
    weight: Floats,
    rates: tuple[float, float],
    weights: Floats,
    chance: Floats,
) -> None:
    n, d = taught.shape
    for i in range(n):
        if op[i] & PREDICT:
            z = weights[0]
            for j in range(d):
                if asked[i, j] == asked[i, j]:
                    z += weights[j + 1] * asked[i, j]
            chance[i] = _sigmoid(z)
        if op[i] & LEARN:
            z = weights[0]
            for j in range(d):
                if taught[i, j] == taught[i, j]:
                    z += weights[j + 1] * taught[i, j]
            gradient = _gradient(z, y[i]) * weight[i]
            weights[0] -= rates[1] * gradient
            for j in range(d):
                if taught[i, j] == taught[i, j]:
                    weights[j + 1] -= rates[0] * (taught[i, j] * gradient)


@njit
def _sigmoid(z: float) -> float:
    if z < -30.0:
        return 0.0
    if z > 30.0:
        return 1.0
    return 1.0 / (1.0 + math.exp(-z))


@njit
def _gradient(z: float, y: float) -> float:
    sign = 1.0 if y > 0.0 else -1.0
    margin = z * sign
    if margin > 18.0:
        return math.exp(-margin) * -sign
    if margin < -18.0:
        return -sign
    return -sign / (math.exp(margin) + 1.0)
