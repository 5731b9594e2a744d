"""Standard scaling and a plain linear model in one pass over a block."""

from __future__ import annotations

import numpy as np

from learners.base import LEARN, PREDICT, Floats, State
from learners.compiled.descent import answer, dot, pass_over
from learners.compiled.flow import Flow, Ops
from learners.compiled.jit import njit
from learners.compiled.linear import GeneralizedLinear, check
from learners.compiled.losses import overflows, slope
from learners.compiled.rates import rate
from learners.compiled.scaling import Scaler, standardise


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
        names, asked, taught, moments = scaler.match_all(flow)
        flow = flow.numbers(names, asked, taught)
        model.columns.match(flow)
        if not names == scaler.names == model.columns.names:
            # There is a column that was only asked about: the scaler makes a number of it.
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
    count, mean, variance = moments[0], moments[1], moments[2]
    by = np.where(variance > 0.0, 1.0 / np.sqrt(variance), 0.0)
    code, a, b, l2, clip = int(numbers[0]), numbers[1], numbers[2], numbers[9], numbers[10]
    slow, slow_a, slow_b = int(numbers[3]), numbers[4], numbers[5]
    fast, fast_a, fast_b = int(numbers[6]), numbers[7], numbers[8]
    weights, intercept, steps = values[0], totals[0], totals[1]
    scaled = np.empty((1, len(mean)))
    for i in range(len(op)):
        if op[i] & PREDICT:
            for j in range(len(mean)):
                scaled[0, j] = (asked[i, j] - mean[j]) * by[j]
            z = dot(weights, scaled, 0, intercept)
            if overflows(code, a, 0.0, z, False):
                return i
            answer(i, code, z, value, proba)
        else:
            pass_over(i, value, proba)
        if op[i] & LEARN:
            for j in range(len(mean)):
                x, before, spread = taught[i, j], mean[j], variance[j]
                there = x == x
                times = count[j] + (1.0 if there else 0.0)
                middle = before + (x - before) / times
                middle = middle if there else before
                wider = spread + ((x - before) * (x - middle) - spread) / times
                spread = wider if there else spread
                inverse = 1.0 / np.sqrt(spread)
                inverse = inverse if spread > 0.0 else 0.0
                count[j], mean[j], variance[j], by[j] = times, middle, spread, inverse
                scaled[0, j] = (x - middle) * inverse
            z = dot(weights, scaled, 0, intercept)
            if overflows(code, a, y[i], z, True):
                return i
            slant = slope(code, a, b, y[i], z) * weight[i]
            slant = max(min(slant, clip), -clip)
            intercept -= rate(slow, slow_a, slow_b, steps) * slant
            lr = rate(fast, fast_a, fast_b, steps)
            steps += 1.0
            if l2 == 0.0:
                for j in range(len(weights)):
                    x, w = scaled[0, j], weights[j]
                    moved = w - lr * (x * slant)
                    weights[j] = moved if x == x else w
            else:
                for j in range(len(weights)):
                    x, w = scaled[0, j], weights[j]
                    moved = w - lr * (x * slant + l2 * w)
                    weights[j] = moved if x == x else w
    totals[0], totals[1] = intercept, steps
    return -1
