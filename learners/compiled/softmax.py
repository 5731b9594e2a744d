"""Softmax regression: weights for each class, learned by gradient descent."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from river import linear_model, optim

from learners.base import LEARN, PREDICT, Floats, Label, State, Task
from learners.compiled.descent import dot
from learners.compiled.flow import Fields, Flow, Ops
from learners.compiled.jit import njit, part
from learners.compiled.optimisers import MEMORY, NESTEROV, Rule, look_ahead, rule_of, step
from learners.compiled.rates import Rate, rate
from learners.compiled.twins import NoTwinError, twin

_CLOSE = 1e-15
"""How close to 0 and 1 river lets a probability come in a loss."""


class SoftmaxRegression:
    """Multinomial logistic regression by stochastic gradient descent, one optimiser a class.

    Twin of `river.linear_model.SoftmaxRegression`. O(classes d) a row, four numbers a column
    and class.

    Parameters
    ----------
    rule
        The optimiser of each class.
    l2
        Penalty.
    class_weight
        How much the loss of a class counts, 1 where it is not named.
    """

    task = Task.CLASSIFICATION
    two_classes = False
    takes_weight = False

    def __init__(self, rule: Rule, l2: float, class_weight: dict[Label, float]) -> None:
        self.rule, self.l2, self.class_weight = rule, l2, class_weight
        self.fields = Fields()
        self._values = np.zeros((0, 1 + MEMORY, 0))
        # By class: how many steps its optimiser made, and its bound.
        self._clocks = np.zeros((0, 2))

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats]:
        """See `learners.compiled.chain.Model`."""
        flow.only_numbers("SoftmaxRegression", LEARN)
        asked, taught = self.fields.match(flow)
        known = len(self._clocks)
        self._grow(classes)
        value, proba = np.empty(len(flow.op)), np.zeros((len(flow.op), classes))
        _softmax(
            asked,
            taught,
            flow.op,
            flow.y,
            self.l2,
            self.rule.rate,
            self.rule.numbers(),
            np.array([float(self.class_weight.get(label, 1.0)) for label in flow.labels]),
            known,
            self._values,
            self._clocks,
            value,
            proba,
        )
        return value, proba

    def fresh(self) -> SoftmaxRegression:
        """See `learners.compiled.chain.Model`."""
        return SoftmaxRegression(self.rule, self.l2, self.class_weight)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        return State(
            meta={"names": list(self.fields.names)},
            arrays={"values": self._values.copy(), "clocks": self._clocks.copy()},
        )

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self.fields = Fields(state.meta["names"])
        self._values = state.arrays["values"].copy()
        self._clocks = state.arrays["clocks"].copy()

    def _grow(self, classes: int) -> None:
        known, _, columns = self._values.shape
        if classes > known or len(self.fields) > columns:
            values = np.zeros((classes, 1 + MEMORY, len(self.fields)))
            values[:known, :, :columns] = self._values
            clocks = np.zeros((classes, 2))
            clocks[:, 1] = self.rule.bound
            clocks[:known] = self._clocks
            self._values, self._clocks = values, clocks


@twin(linear_model.SoftmaxRegression)
def _softmax_regression(estimator: linear_model.SoftmaxRegression) -> SoftmaxRegression:
    loss = estimator.loss
    if type(loss) is not optim.losses.CrossEntropy:
        raise NoTwinError(f"the loss {type(loss).__name__}")
    rule = rule_of(estimator.optimizer)
    return SoftmaxRegression(rule, float(estimator.l2), dict(loss.class_weight))


@njit
def _softmax(
    asked: Floats,
    taught: Floats,
    op: Ops,
    y: Floats,
    l2: float,
    schedule: Rate,
    rule: tuple[float, ...],
    class_weight: Floats,
    known: int,
    values: NDArray[np.float64],
    clocks: Floats,
    value: Floats,
    proba: Floats,
) -> None:
    """Answer and learn; codes of classes are in the order in which they were first learned."""
    chances, g = np.zeros(len(values)), np.empty(values.shape[2])
    for i in range(len(op)):
        value[i] = math.nan
        if op[i] & PREDICT and known:
            _chances(asked, i, known, values, chances)
            best = 0
            for k in range(known):
                proba[i, k] = chances[k]
                best = k if chances[k] > chances[best] else best
            value[i] = best
        if op[i] & LEARN:
            own = int(y[i])
            if rule[0] == NESTEROV:
                for k in range(known):
                    look_ahead(rule[1], taught[i], values[k])
            _chances(taught, i, known, values, chances)
            if own >= known:
                chances[own] = 0.0
                known = own + 1
            for k in range(known):
                slope = max(min(chances[k], 1.0 - _CLOSE), _CLOSE) - (1.0 if k == own else 0.0)
                slope *= class_weight[k]
                for j in range(len(g)):
                    g[j] = taught[i, j] * slope + l2 * values[k, 0, j]
                step(rule, rate(schedule, clocks[k, 0]), clocks[k], g, values[k])


@part
def _chances(
    matrix: Floats, i: int, known: int, values: NDArray[np.float64], chances: Floats
) -> None:
    most = 0.0
    for k in range(known):
        chances[k] = dot(values[k, 0], matrix, i, 0.0)
        if k == 0 or chances[k] > most:
            most = chances[k]
    whole = 0.0
    for k in range(known):
        chances[k] = math.exp(chances[k] - most)
        whole += chances[k]
    for k in range(known):
        chances[k] /= whole
