"""Gradient descent over a block: the kernels of `learners.compiled.linear`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from learners.base import LEARN, PREDICT, Floats
from learners.compiled.flow import Ops
from learners.compiled.jit import inner, njit, part
from learners.compiled.losses import Loss, meaning, overflows, slope
from learners.compiled.optimisers import MEMORY, NESTEROV, look_ahead, step
from learners.compiled.rates import Rate, rate

PLAIN, GENERAL = 1, 3 + MEMORY
"""Numbers that `plain` and `general` keep by column: the weight, then what is named here."""
_CUT, _KNOWN = 1 + MEMORY, 2 + MEMORY


class How(NamedTuple):
    """What the kernels learn by; see `learners.compiled.linear.Settings`."""

    loss: Loss
    intercept_rate: Rate
    rate: Rate
    l1: float
    l2: float
    clip: float
    weight: float
    rule: tuple[float, ...]

    def numbers(self) -> Floats:
        """Return it as an array, which a kernel is given quicker than a tuple."""
        rest = (self.l1, self.l2, self.clip, self.weight)
        return np.array((*self.loss, *self.intercept_rate, *self.rate, *rest, *self.rule))


@part
def how_of(numbers: Floats) -> How:
    """Return what `How.numbers` was made of."""
    n = numbers
    loss, slow, fast = (int(n[0]), n[1], n[2]), (int(n[3]), n[4], n[5]), (int(n[6]), n[7], n[8])
    rule = (n[13], n[14], n[15], n[16], n[17], n[18])
    return How(loss, slow, fast, n[9], n[10], n[11], n[12], rule)


@part
def dot(weights: Floats, matrix: Floats, i: int, intercept: float) -> float:
    """Return the sum of the products over row `i`, without the numbers that are missing."""
    z = 0.0
    for j in range(len(weights)):
        x = matrix[i, j]
        z += weights[j] * x if x == x else 0.0
    return z + intercept


@part
def answer(i: int, code: int, z: float, value: Floats, proba: Floats) -> None:
    """Fill in the answer to row `i`, and the probabilities of both classes where there are any."""
    p = meaning(code, z)
    value[i] = p
    if len(proba):
        proba[i, 0], proba[i, 1] = 1.0 - p, p
        value[i] = 1.0 if p > 1.0 - p else 0.0


@part
def pass_over(i: int, value: Floats, proba: Floats) -> None:
    """Fill in that row `i` has no answer."""
    value[i] = math.nan
    if len(proba):
        proba[i, 0] = proba[i, 1] = 0.0


@inner
def ask(
    how: How,
    weights: Floats,
    intercept: float,
    x: Floats,
    place: int,
    i: int,
    value: Floats,
    proba: Floats,
) -> bool:
    """Fill in the answer to row `i`, at a place in `x`; return False if it overflows."""
    z = dot(weights, x, place, intercept)
    if overflows(how.loss, 0.0, z, False):
        return False
    answer(i, how.loss[0], z, value, proba)
    return True


@inner
def descend(
    how: How, weights: Floats, totals: Floats, x: Floats, i: int, y: float, weight: float
) -> bool:
    """Take a step of SGD by row `i`; return False if it overflows."""
    z = dot(weights, x, i, totals[0])
    if overflows(how.loss, y, z, True):
        return False
    slant = slope(how.loss, y, z) * weight
    slant = max(min(slant, how.clip), -how.clip)
    totals[0] -= rate(how.intercept_rate, totals[1]) * slant
    lr = rate(how.rate, totals[1])
    totals[1] += 1.0
    if how.l2 == 0.0:
        for j in range(len(weights)):
            w = weights[j]
            moved = w - lr * (x[i, j] * slant)
            weights[j] = moved if x[i, j] == x[i, j] else w
    else:
        for j in range(len(weights)):
            w = weights[j]
            moved = w - lr * (x[i, j] * slant + how.l2 * w)
            weights[j] = moved if x[i, j] == x[i, j] else w
    return True


@njit
def plain(
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
    """Answer and learn by SGD without l1; return the row that overflows, or -1."""
    how, weights = how_of(numbers), values[0]
    for i in range(len(op)):
        if op[i] & PREDICT:
            if not ask(how, weights, totals[0], asked, i, i, value, proba):
                return i
        else:
            pass_over(i, value, proba)
        if op[i] & LEARN and not descend(how, weights, totals, taught, i, y[i], weight[i]):
            return i
    return -1


@njit
def general(
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
    """Answer and learn by any optimiser and penalty; return the row that overflows, or -1."""
    how = how_of(numbers)
    weights, known, g, clock = values[0], values[_KNOWN], np.empty(values.shape[1]), totals[1:]
    for i in range(len(op)):
        if op[i] & PREDICT:
            if not ask(how, weights, totals[0], asked, i, i, value, proba):
                return i
        else:
            pass_over(i, value, proba)
        if op[i] & LEARN:
            x = taught[i]
            if how.weight != 0.0:
                for j in range(len(x)):
                    if x[j] == x[j] and known[j] == 0.0:
                        known[j], weights[j] = 1.0, how.weight
            if how.rule[0] == NESTEROV:
                look_ahead(how.rule[1], x, values)
            z = dot(weights, taught, i, totals[0])
            if overflows(how.loss, y[i], z, True):
                return i
            slant = slope(how.loss, y[i], z) * weight[i]
            slant = max(min(slant, how.clip), -how.clip)
            totals[0] -= rate(how.intercept_rate, totals[1]) * slant
            for j in range(len(x)):
                g[j] = x[j] * slant + how.l2 * weights[j]
            step(how.rule, rate(how.rate, totals[1]), clock, g, values)
            if how.l1 != 0.0:
                totals[3] += how.l1 * rate(how.rate, totals[1])
                _cut_off(x, totals[3], weights, values[_CUT])
    return -1


@part
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
