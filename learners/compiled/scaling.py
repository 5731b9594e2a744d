"""Scaling of numbers, each by what it was so far."""

from __future__ import annotations

import numpy as np
from river import preprocessing

from learners.base import LEARN, PREDICT, Floats, State
from learners.compiled.flow import Fields, Flow, Ops
from learners.compiled.jit import njit
from learners.compiled.twins import NoTwinError, twin


class StandardScaler:
    """Zero mean and unit variance, by Welford's running moments (Technometrics, 1962).

    Twin of `river.preprocessing.StandardScaler`. O(d) a row; three numbers a column.

    Parameters
    ----------
    with_std
        Whether to divide by the standard deviation.
    """

    def __init__(self, with_std: bool = True) -> None:
        self.with_std = with_std
        self._fields = Fields()
        # By column: count, mean, variance.
        self._moments = np.zeros((3, 0))

    def run(self, flow: Flow) -> Flow:
        """See `learners.compiled.chain.Stage`."""
        x_asked, x_taught = self._fields.match(flow)
        self._grow()
        asked, taught = np.empty_like(x_asked), np.empty_like(x_taught)
        _scale(x_asked, x_taught, flow.op, self.with_std, self._moments, asked, taught)
        return flow.numbers(self._fields.names, asked, taught)

    def fresh(self) -> StandardScaler:
        """See `learners.compiled.chain.Stage`."""
        return StandardScaler(self.with_std)

    def state(self) -> State:
        """See `learners.compiled.chain.Stage`."""
        return State(
            meta={"names": list(self._fields.names)}, arrays={"moments": self._moments.copy()}
        )

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Stage`."""
        self._fields = Fields(state.meta["names"])
        self._moments = state.arrays["moments"].copy()

    def _grow(self) -> None:
        more = len(self._fields) - self._moments.shape[1]
        if more:
            self._moments = np.ascontiguousarray(np.pad(self._moments, ((0, 0), (0, more))))


@twin(preprocessing.StandardScaler)
def _standard(estimator: preprocessing.StandardScaler) -> StandardScaler:
    if estimator.window_size is not None:
        raise NoTwinError("StandardScaler with window_size")
    return StandardScaler(estimator.with_std)


@njit
def _scale(
    x_asked: Floats,
    x_taught: Floats,
    op: Ops,
    with_std: bool,
    moments: Floats,
    asked: Floats,
    taught: Floats,
) -> None:
    n, d = x_taught.shape
    count, mean, variance = moments[0], moments[1], moments[2]
    deviation = np.ones(d)
    if with_std:
        deviation = np.sqrt(variance)
    for i in range(n):
        if op[i] & PREDICT:
            for j in range(d):
                scaled = (x_asked[i, j] - mean[j]) / deviation[j]
                asked[i, j] = scaled if deviation[j] > 0.0 else x_asked[i, j] * 0.0
        if op[i] & LEARN:
            for j in range(d):
                x = x_taught[i, j]
                if x == x:
                    count[j] += 1.0
                    old = mean[j]
                    mean[j] += (x - old) / count[j]
                    if with_std:
                        variance[j] += ((x - old) * (x - mean[j]) - variance[j]) / count[j]
                        deviation[j] = np.sqrt(variance[j])
            for j in range(d):
                scaled = (x_taught[i, j] - mean[j]) / deviation[j]
                taught[i, j] = scaled if deviation[j] > 0.0 else x_taught[i, j] * 0.0
