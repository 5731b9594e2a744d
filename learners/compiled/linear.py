"""Linear models that learn by gradient descent, a row at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from river import linear_model, optim

from learners.base import Floats, State, Task
from learners.compiled.columns import Columns
from learners.compiled.descent import GENERAL, PLAIN, How, general, plain
from learners.compiled.flow import Flow
from learners.compiled.losses import Loss, is_binary, loss_of
from learners.compiled.optimisers import SGD, Rule, rule_of
from learners.compiled.rates import Rate, rate_of
from learners.compiled.twins import NoTwinError, twin
from learners.errors import LearnerFailedError


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
    loss: Loss
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

    def how(self) -> How:
        """Return what the kernels read."""
        penalties = (self.l1, self.l2, self.clip, self.weight)
        return How(self.loss, self.intercept_rate, self.rule.rate, *penalties, self.rule.numbers())


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
        self.numbers = settings.how().numbers()
        self._kernel = plain if settings.plain else general
        self.columns = Columns([0.0] * (PLAIN if settings.plain else GENERAL))
        # The intercept; how many steps the optimiser made, and its bound; the sum of l1 so far.
        self.totals = np.array([settings.intercept, 0.0, settings.rule.bound, 0.0])

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats | None]:
        """See `learners.compiled.chain.Model`."""
        flow.only_numbers("a linear model")
        asked, taught, values = self.columns.some(flow)
        value = np.empty(len(flow.op))
        proba = np.empty((len(flow.op), 2)) if self.two_classes else np.empty((0, 2))
        failed = self._kernel(
            asked,
            taught,
            flow.op,
            flow.y,
            flow.weight,
            self.numbers,
            values,
            self.totals,
            value,
            proba,
        )
        self.columns.keep(values)
        check(failed)
        return value, proba if self.two_classes else None

    def fresh(self) -> GeneralizedLinear:
        """See `learners.compiled.chain.Model`."""
        return GeneralizedLinear(self.settings)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        state = self.columns.state()
        state.arrays = {**state.arrays, "totals": self.totals.copy()}
        return state

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self.columns.restore(state)
        self.totals = state.arrays["totals"].copy()


def check(failed: int) -> None:
    """Raise if a kernel stopped at a row."""
    if failed >= 0:
        raise LearnerFailedError(
            "a linear model raised OverflowError on a row: its loss grew out of range: "
            "scale the numbers, or learn slower",
            failed,
        )


@twin(linear_model.LogisticRegression)
@twin(linear_model.Perceptron)
@twin(linear_model.LinearRegression)
def _linear(estimator: Any) -> GeneralizedLinear:
    rule = rule_of(estimator.optimizer)
    if estimator.l1 and not rule.rated:
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
