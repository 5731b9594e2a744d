"""Scaling of numbers, each by what it was so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from river import preprocessing

from learners.base import LEARN, PREDICT, Floats, State
from learners.compiled.columns import Columns
from learners.compiled.flow import Flow, Ops
from learners.compiled.jit import njit, sewn
from learners.compiled.twins import NoTwinError, twin


class Scaler:
    """Numbers scaled by a few that are kept by column, before and after they learn the row.

    Twin of river's `StandardScaler`, `MinMaxScaler` and `MaxAbsScaler`. O(d) a row; three
    numbers a column at most. Of a field that it never learned river's `MinMaxScaler` makes NaN,
    and so of the answer; here such a field is left out of the answer.

    Parameters
    ----------
    kernel
        What learns and scales.
    first
        What is kept of a column at first.
    """

    spreads = False

    def __init__(self, kernel: Callable[..., None], first: Sequence[float]) -> None:
        self.kernel, self._first = kernel, first
        self.columns = Columns(first)

    def run(self, flow: Flow) -> Flow:
        """See `learners.compiled.chain.Stage`."""
        flow.only_numbers("a scaler")
        names, x_asked, x_taught, values = self.columns.some_and_strangers(flow)
        asked, taught = np.empty(x_asked.shape), np.empty(x_asked.shape)
        self.kernel(x_asked, x_taught, flow.op, values, asked, taught)
        self.columns.keep(values)
        return flow.numbers(names, asked, taught)

    def fresh(self) -> Scaler:
        """See `learners.compiled.chain.Stage`."""
        return Scaler(self.kernel, self._first)

    def state(self) -> State:
        """See `learners.compiled.chain.Stage`."""
        return self.columns.state()

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Stage`."""
        self.columns.restore(state)


@twin(preprocessing.StandardScaler)
def _standard(estimator: preprocessing.StandardScaler) -> Scaler:
    if estimator.window_size is not None:
        raise NoTwinError("StandardScaler with window_size")
    if estimator.with_std:
        return Scaler(standardise, (0.0, 0.0, 0.0))
    return Scaler(_centre, (0.0, 0.0))


@twin(preprocessing.MinMaxScaler)
def _min_max(estimator: preprocessing.MinMaxScaler) -> Scaler:
    if estimator.window_size is not None:
        raise NoTwinError("MinMaxScaler with window_size")
    return Scaler(_spread, (math.inf, -math.inf))


@twin(preprocessing.MaxAbsScaler)
def _max_abs(estimator: preprocessing.MaxAbsScaler) -> Scaler:
    if estimator.window_size is not None:
        raise NoTwinError("MaxAbsScaler with window_size")
    return Scaler(_shrink, (0.0,))


# The kernels choose between two numbers where they could branch: so they work on several columns
# at once. A missing number, which is NaN, changes nothing and stays one.


@sewn
def learn(
    taught: Floats,
    i: int,
    count: Floats,
    mean: Floats,
    variance: Floats,
    by: Floats,
    scaled: Floats,
    place: int,
) -> None:
    """Learn row `i` by Welford's moments (Technometrics, 1962), and write it down scaled.

    No spread at all gives 0.
    """
    for j in range(len(mean)):
        x, before, spread = taught[i, j], mean[j], variance[j]
        there = x == x
        times = count[j] + (1.0 if there else 0.0)
        share = 1.0 / times
        middle = before + (x - before) * share
        middle = middle if there else before
        wider = spread + ((x - before) * (x - middle) - spread) * share
        spread = wider if there else spread
        inverse = 1.0 / np.sqrt(spread)
        inverse = inverse if spread > 0.0 else 0.0
        count[j], mean[j], variance[j], by[j] = times, middle, spread, inverse
        scaled[place, j] = (x - middle) * inverse


@sewn
def scale(asked: Floats, i: int, mean: Floats, by: Floats, scaled: Floats, place: int) -> None:
    """Write down row `i` scaled by what is known."""
    for j in range(len(mean)):
        scaled[place, j] = (asked[i, j] - mean[j]) * by[j]


@njit
def standardise(
    x_asked: Floats, x_taught: Floats, op: Ops, values: Floats, asked: Floats, taught: Floats
) -> None:
    """Scale by mean and deviation."""
    count, mean, variance = values[0], values[1], values[2]
    # One over the deviation: a division less for each number, at a rounding more.
    by = np.where(variance > 0.0, 1.0 / np.sqrt(variance), 0.0)
    for i in range(len(op)):
        if op[i] & PREDICT:
            scale(x_asked, i, mean, by, asked, i)
        else:
            asked[i] = math.nan
        if op[i] & LEARN:
            learn(x_taught, i, count, mean, variance, by, taught, i)
        else:
            taught[i] = math.nan


@njit
def _centre(
    x_asked: Floats, x_taught: Floats, op: Ops, values: Floats, asked: Floats, taught: Floats
) -> None:
    count, mean = values[0], values[1]
    for i in range(len(op)):
        if op[i] & PREDICT:
            for j in range(len(mean)):
                asked[i, j] = x_asked[i, j] - mean[j]
        else:
            asked[i] = math.nan
        if op[i] & LEARN:
            for j in range(len(mean)):
                x = x_taught[i, j]
                there = x == x
                times = count[j] + (1.0 if there else 0.0)
                middle = mean[j] + (x - mean[j]) / times
                count[j], mean[j] = times, middle if there else mean[j]
                taught[i, j] = x - mean[j]
        else:
            taught[i] = math.nan


@njit
def _spread(
    x_asked: Floats, x_taught: Floats, op: Ops, values: Floats, asked: Floats, taught: Floats
) -> None:
    low, high = values[0], values[1]
    for i in range(len(op)):
        if op[i] & PREDICT:
            for j in range(len(low)):
                width = high[j] - low[j]
                scaled = (x_asked[i, j] - low[j]) / width
                asked[i, j] = scaled if width != 0.0 else x_asked[i, j] * 0.0
        else:
            asked[i] = math.nan
        if op[i] & LEARN:
            for j in range(len(low)):
                x = x_taught[i, j]
                low[j] = x if x < low[j] else low[j]
                high[j] = x if x > high[j] else high[j]
                width = high[j] - low[j]
                scaled = (x - low[j]) / width
                taught[i, j] = scaled if width != 0.0 else x * 0.0
        else:
            taught[i] = math.nan


@njit
def _shrink(
    x_asked: Floats, x_taught: Floats, op: Ops, values: Floats, asked: Floats, taught: Floats
) -> None:
    most = values[0]
    for i in range(len(op)):
        if op[i] & PREDICT:
            for j in range(len(most)):
                scaled = x_asked[i, j] / most[j]
                asked[i, j] = scaled if most[j] != 0.0 else x_asked[i, j] * 0.0
        else:
            asked[i] = math.nan
        if op[i] & LEARN:
            for j in range(len(most)):
                x = x_taught[i, j]
                most[j] = abs(x) if abs(x) > most[j] else most[j]
                scaled = x / most[j]
                taught[i, j] = scaled if most[j] != 0.0 else x * 0.0
        else:
            taught[i] = math.nan
