"""Gradient descent over a block: the kernels of `learners.compiled.linear`."""

from __future__ import annotations

import math

import numpy as np

from learners.base import LEARN, PREDICT, Floats
from learners.compiled.flow import Ops
from learners.compiled.jit import njit, part
from learners.compiled.losses import meaning, overflows, slope
from learners.compiled.optimisers import MEMORY, NESTEROV, look_ahead, step
from learners.compiled.rates import rate

PLAIN, GENERAL = 1, 3 + MEMORY
"""Numbers that `plain` and `general` keep by column: the weight, then what is named here."""
_CUT, _KNOWN = 1 + MEMORY, 2 + MEMORY


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
    code, a, b, l2, clip = int(numbers[0]), numbers[1], numbers[2], numbers[9], numbers[10]
    slow, slow_a, slow_b = int(numbers[3]), numbers[4], numbers[5]
    fast, fast_a, fast_b = int(numbers[6]), numbers[7], numbers[8]
    weights, intercept, steps = values[0], totals[0], totals[1]
    for i in range(len(op)):
        if op[i] & PREDICT:
            z = dot(weights, asked, i, intercept)
            if overflows(code, a, 0.0, z, False):
                return i
            answer(i, code, z, value, proba)
        else:
            pass_over(i, value, proba)
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
            answer(i, code, z, value, proba)
        else:
            pass_over(i, value, proba)
        if op[i] & LEARN:
            x = taught[i]
            if first != 0.0:
                for j in range(len(x)):
                    if x[j] == x[j] and known[j] == 0.0:
                        known[j], weights[j] = 1.0, first
            if rule[0] == NESTEROV:
                look_ahead(rule[1], x, values)
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
