"""Linear models that learn by gradient descent, a row at a time."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from river import linear_model, optim

from learners.base import LEARN, PREDICT, Floats, State, Task
from learners.compiled.columns import Columns
from learners.compiled.flow import Flow, Ops
from learners.compiled.jit import njit
from learners.compiled.losses import is_binary, loss_of, meaning, overflows, slope
from learners.compiled.optimisers import MEMORY, SGD, Rule, look_ahead, rule_of, step
from learners.compiled.rates import Rate, rate, rate_of
from learners.compiled.twins import NoTwinError, twin
from learners.errors import LearnerFailedError

# Rows of the values of a model that is not plain, after the weights and the optimiser's memory.
_CUT, _KNOWN = 1 + MEMORY, 2 + MEMORY


class Settings(NamedTuple):
    """The parameters of a `GeneralizedLinear`.

    Attributes
    ----------
    task
        Classification of two classes, or regression.
    loss
        See `learners.compiled.losses.loss_of`.
    rule
        The optimiser of the weights.
    intercept, intercept_rate
        Where the intercept starts, and its learning rate.
    l1, l2
        Penalties.
    clip
        Bound of the loss's slope, either way.
    weight
        What a weight starts with.
    """

    task: Task
    loss: tuple[float, float, float]
    rule: Rule
    intercept_rate: Rate
    intercept: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    clip: float = 1e12
    weight: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether the weights are all there is to keep: the fastest kernel does."""
        return self.rule.code == SGD and not self.l1 and not self.weight

    def numbers(self) -> Floats:
        """Return what the kernels read."""
        rule = self.rule
        penalties = (self.l2, self.clip, self.l1, self.weight)
        head = (*self.loss, *self.intercept_rate, *rule.rate, *penalties)
        return np.array((*head, rule.code, *rule.parameters, rule.base))


class GeneralizedLinear:
    """A weighted sum of numbers, by stochastic gradient descent (Robbins and Monro, 1951).

    Twin of river's `LogisticRegression`, `LinearRegression` and `Perceptron`, with any of its
    losses and optimisers. O(d) a row; one number a column, or six.

    Parameters
    ----------
    settings
        What to learn by.
    """

    takes_weight = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.task = settings.task
        self.two_classes = settings.task is Task.CLASSIFICATION
        self._numbers = settings.numbers()
        self._kernel = _plain if settings.plain else _general
        self._columns = Columns([0.0] * (1 if settings.plain else _KNOWN + 1))
        # The intercept; how many steps the optimiser made, and its bound; the sum of l1 so far.
        self._totals = np.array([settings.intercept, 0.0, settings.rule.bound, 0.0])

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats | None]:
        """See `learners.compiled.chain.Model`."""
        flow.only_numbers("a linear model")
        asked, taught = self._columns.match(flow)
        value = np.empty(len(flow.op))
        proba = np.empty((len(flow.op), 2)) if self.two_classes else np.empty((0, 2))
        failed = self._kernel(
            asked,
            taught,
            flow.op,
            flow.y,
            flow.weight,
            self._numbers,
            self._columns.values,
            self._totals,
            value,
            proba,
        )
        if failed >= 0:
            raise LearnerFailedError(
                "a linear model raised OverflowError on a row: its loss grew out of range: "
                "scale the numbers, or learn slower",
                failed,
            )
        return value, proba if self.two_classes else None

    def fresh(self) -> GeneralizedLinear:
        """See `learners.compiled.chain.Model`."""
        return GeneralizedLinear(self.settings)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        state = self._columns.state()
        state.arrays["totals"] = self._totals.copy()
        return state

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self._columns.restore(state)
        self._totals = state.arrays["totals"].copy()


@twin(linear_model.LogisticRegression)
@twin(linear_model.Perceptron)
@twin(linear_model.LinearRegression)
def _linear(estimator: Any) -> GeneralizedLinear:
    optimizer = estimator.optimizer
    averaged = type(optimizer) is optim.Averager
    if averaged:
        # River's linear models leave the average aside and go on with what it is taken of.
        optimizer = optimizer.optimizer
    rule = rule_of(optimizer)
    if estimator.l1 and (averaged or not rule.has_rate):
        raise NoTwinError(f"l1 with the optimizer {type(estimator.optimizer).__name__}")
    initializer = type(estimator.initializer)
    if initializer not in (optim.initializers.Zeros, optim.initializers.Constant):
        raise NoTwinError(f"the initializer {initializer.__name__}")
    loss = loss_of(estimator.loss)
    regression = type(estimator) is linear_model.LinearRegression
    if regression and is_binary(loss[0]):
        raise NoTwinError(f"LinearRegression with the loss {type(estimator.loss).__name__}")
    return GeneralizedLinear(
        Settings(
            Task.REGRESSION if regression else Task.CLASSIFICATION,
            loss,
            rule,
            rate_of(estimator.intercept_lr),
            float(estimator.intercept_init),
            float(estimator.l1),
            float(estimator.l2),
            float(estimator.clip_gradient),
            float(estimator.initializer.value),
        )
    )


@njit
def dot(weights: Floats, matrix: Floats, i: int, intercept: float) -> float:
    """Return the sum of the products over row `i`, without the numbers that are missing."""
    z = 0.0
    for j in range(len(weights)):
        x = matrix[i, j]
        z += weights[j] * x if x == x else 0.0
    return z + intercept


@njit
def _answer(i: int, code: int, z: float, value: Floats, proba: Floats) -> None:
    p = meaning(code, z)
    value[i] = p
    if len(proba):
        proba[i, 0], proba[i, 1] = 1.0 - p, p
        value[i] = 1.0 if p > 1.0 - p else 0.0


@njit
def _pass_over(i: int, value: Floats, proba: Floats) -> None:
    value[i] = math.nan
    if len(proba):
        proba[i, 0] = proba[i, 1] = 0.0


@njit
def _plain(
    asked: Floats,
    taught: Floats,
    op: Ops,
    y: Floats,
    weight: Floats,
    numbers: Floats,
    values: Floats,
    totals: Floats,
    value: Floats,
    proba: Floats,
) -> int:
    code, a, b, l2, clip = int(numbers[0]), numbers[1], numbers[2], numbers[9], numbers[10]
    slow, slow_a, slow_b = int(numbers[3]), numbers[4], numbers[5]
    fast, fast_a, fast_b = int(numbers[6]), numbers[7], numbers[8]
    weights, intercept, steps = values[0], totals[0], totals[1]
    for i in range(len(op)):
        if op[i] & PREDICT:
            z = dot(weights, asked, i, intercept)
            if overflows(code, a, 0.0, z, False):
                return i
            _answer(i, code, z, value, proba)
        else:
            _pass_over(i, value, proba)
        if op[i] & LEARN:
            z = dot(weights, taught, i, intercept)
            if overflows(code, a, y[i], z, True):
                return i
            slant = slope(code, a, b, y[i], z) * weight[i]
            slant = max(min(slant, clip), -clip)
            intercept -= rate(slow, slow_a, slow_b, steps) * slant
            lr = rate(fast, fast_a, fast_b, steps)
            steps += 1.0
            if l2 == 0.0:
                for j in range(len(weights)):
                    x, w = taught[i, j], weights[j]
                    moved = w - lr * (x * slant)
                    weights[j] = moved if x == x else w
            else:
                for j in range(len(weights)):
                    x, w = taught[i, j], weights[j]
                    moved = w - lr * (x * slant + l2 * w)
                    weights[j] = moved if x == x else w
    totals[0], totals[1] = intercept, steps
    return -1


@njit
def _general(
    asked: Floats,
    taught: Floats,
    op: Ops,
    y: Floats,
    weight: Floats,
    numbers: Floats,
    values: Floats,
    totals: Floats,
    value: Floats,
    proba: Floats,
) -> int:
    code, a, b, l2, clip = int(numbers[0]), numbers[1], numbers[2], numbers[9], numbers[10]
    slow, slow_a, slow_b = int(numbers[3]), numbers[4], numbers[5]
    fast, fast_a, fast_b = int(numbers[6]), numbers[7], numbers[8]
    l1, first, rule = numbers[11], numbers[12], numbers[13:]
    weights, known, g, clock = values[0], values[_KNOWN], np.empty(values.shape[1]), totals[1:]
    for i in range(len(op)):
        if op[i] & PREDICT:
            z = dot(weights, asked, i, totals[0])
            if overflows(code, a, 0.0, z, False):
                return i
            _answer(i, code, z, value, proba)
        else:
            _pass_over(i, value, proba)
        if op[i] & LEARN:
            x = taught[i]
            for j in range(len(x)):
                if x[j] == x[j] and known[j] == 0.0:
                    known[j], weights[j] = 1.0, first
            look_ahead(int(rule[0]), rule[1], x, values)
            z = dot(weights, taught, i, totals[0])
            if overflows(code, a, y[i], z, True):
                return i
            slant = slope(code, a, b, y[i], z) * weight[i]
            slant = max(min(slant, clip), -clip)
            totals[0] -= rate(slow, slow_a, slow_b, totals[1]) * slant
            for j in range(len(x)):
                g[j] = x[j] * slant + l2 * weights[j]
            step(rule, rate(fast, fast_a, fast_b, totals[1]), clock, g, values)
            if l1 != 0.0:
                totals[3] += l1 * rate(fast, fast_a, fast_b, totals[1])
                _cut_off(x, totals[3], weights, values[_CUT])
    return -1


@njit
def _cut_off(x: Floats, whole: float, weights: Floats, cut: Floats) -> None:
    """Take the cumulative l1 penalty off (Tsuruoka, Tsujii and Ananiadou, 2009)."""
    for j in range(len(x)):
        if x[j] == x[j]:
            before = weights[j]
            if before > 0.0:
                weights[j] = max(0.0, before - (whole + cut[j]))
            elif before < 0.0:
                weights[j] = min(0.0, before + (whole - cut[j]))
            cut[j] += weights[j] - before
