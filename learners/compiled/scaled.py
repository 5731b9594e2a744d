"""Standard scaling and a plain linear model in one pass over a block."""

from __future__ import annotations

import numpy as np

from learners.base import LEARN, PREDICT, Floats, State
from learners.compiled.descent import ask, descend, how_of, pass_over
from learners.compiled.flow import Flow, Ops
from learners.compiled.jit import njit
from learners.compiled.linear import GeneralizedLinear, check
from learners.compiled.scaling import Scaler, learn, scale, standardise


class ScaledLinear:
    """A standard scaler and the plain linear model behind it, bit for bit as one after the other.

    The scaler waits for divisions and the model for its own last answer, so a processor does
    both in little more than the time of one. O(d) a row.

    Parameters
    ----------
    scaler, model
        See `suits`.
    """

    takes_weight = True

    def __init__(self, scaler: Scaler, model: GeneralizedLinear) -> None:
        self.scaler, self.model = scaler, model
        self.task, self.two_classes = model.task, model.two_classes

    @staticmethod
    def suits(scaler: object, model: object) -> bool:
        """Return whether the two can be one."""
        return (
            isinstance(scaler, Scaler)
            and isinstance(model, GeneralizedLinear)
            and scaler.kernel is standardise
            and model.settings.plain
        )

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats | None]:
        """See `learners.compiled.chain.Model`."""
        flow.only_numbers("a scaler")
        model, scaler = self.model, self.scaler.columns
        names, asked, taught, moments = scaler.some_and_strangers(flow)
        if names == scaler.names:
            model.columns.match(flow.numbers(names, asked, taught))
        if not names == scaler.names == model.columns.names:
            # There is a column that was only asked about, of which the scaler makes a number; or
            # there are only some.
            return model.run(self.scaler.run(flow), classes)
        value = np.empty(len(flow.op))
        proba = np.empty((len(flow.op), 2)) if self.two_classes else np.empty((0, 2))
        failed = _scaled(
            asked,
            taught,
            flow.op,
            flow.y,
            flow.weight,
            moments,
            model.numbers,
            model.columns.values,
            model.totals,
            value,
            proba,
        )
        check(failed)
        return value, proba if self.two_classes else None

    def fresh(self) -> ScaledLinear:
        """See `learners.compiled.chain.Model`."""
        return ScaledLinear(self.scaler.fresh(), self.model.fresh())

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        return State(members={"scaler": self.scaler.state(), "model": self.model.state()})

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self.scaler.restore(state.members["scaler"])
        self.model.restore(state.members["model"])


@njit
def _scaled(
    asked: Floats,
    taught: Floats,
    op: Ops,
    y: Floats,
    weight: Floats,
    moments: Floats,
    numbers: Floats,
    values: Floats,
    totals: Floats,
    value: Floats,
    proba: Floats,
) -> int:
    """Do what `standardise` and then `plain` do, in the same order by row."""
    how = how_of(numbers)
    count, mean, variance = moments[0], moments[1], moments[2]
    by = np.where(variance > 0.0, 1.0 / np.sqrt(variance), 0.0)
    weights, scaled = values[0], np.empty((1, len(by)))
    for i in range(len(op)):
        if op[i] & PREDICT:
            scale(asked, i, mean, by, scaled, 0)
            if not ask(how, weights, totals[0], scaled, 0, i, value, proba):
                return i
        else:
            pass_over(i, value, proba)
        if op[i] & LEARN:
            learn(taught, i, count, mean, variance, by, scaled, 0)
            if not descend(how, weights, totals, scaled, 0, y[i], weight[i]):
                return i
    return -1
