"""Drift detectors over arrays of values."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learners.base import Floats, State
from learners.compiled.adwin import Rules, add, windows
from learners.compiled.jit import njit
from learners.errors import LearnerError

Signals = NDArray[np.uint8]

QUIET, WARNING, DRIFT = 0, 1, 2


class ADWIN:
    """Adaptive windowing (Bifet and Gavaldà, SIAM International Conference on Data Mining, 2007).

    Twin of `river.drift.ADWIN`. O(log w) a value for a window of w values, amortised over the
    clock; memory O(m log w), and bounded.

    Parameters
    ----------
    delta
        How probable a false alarm may be.
    clock
        After how many values it looks for a drift.
    max_buckets
        m, how many buckets of one size there are.
    min_window_length
        The least length of the parts that are compared.
    grace_period
        How many values come before the first comparison.

    Examples
    --------
    >>> values = np.repeat([0.0, 1.0], 100)
    >>> np.flatnonzero(ADWIN().update(values) == DRIFT)
    array([127])
    """

    def __init__(
        self,
        delta: float = 0.002,
        clock: int = 32,
        max_buckets: int = 5,
        min_window_length: int = 5,
        grace_period: int = 10,
    ) -> None:
        if not 0.0 < delta < 1.0 or clock < 1 or max_buckets < 2:
            raise LearnerError(
                "wanted 0 < delta < 1, a clock of 1 and max_buckets of 2 at least, got "
                f"{delta}, {clock} and {max_buckets}: change them"
            )
        self._rules: Rules = (delta, clock, float(min_window_length), float(grace_period))
        self._heads, self._buckets = windows(1, max_buckets)

    def update(self, values: Floats) -> Signals:
        """Return by value DRIFT where the window told of one, else QUIET."""
        signals = np.zeros(len(values), np.uint8)
        _adwin(checked(values), self._heads, self._buckets, self._rules, signals)
        return signals

    def state(self) -> State:
        """Return a copy of the state."""
        return State(arrays={"heads": self._heads.copy(), "buckets": self._buckets.copy()})

    def restore(self, state: State) -> None:
        """Become the detector that gave this state."""
        self._heads = state.arrays["heads"].copy()
        self._buckets = state.arrays["buckets"].copy()


class PageHinkley:
    """The Page-Hinkley test (Page, "Continuous inspection schemes", Biometrika 41, 1954).

    Twin of `river.drift.PageHinkley`. O(1) a value, six numbers.

    Parameters
    ----------
    min_instances
        How many values come before the first test.
    delta
        What a value may be off the mean.
    threshold
        How far the sum of what is beyond may go.
    alpha
        What of that sum is kept from value to value.
    mode
        "up", "down" or "both": which changes count.
    """

    def __init__(
        self,
        min_instances: int = 30,
        delta: float = 0.005,
        threshold: float = 50.0,
        alpha: float = 1 - 0.0001,
        mode: str = "both",
    ) -> None:
        if mode not in ("up", "down", "both"):
            raise LearnerError(f"wanted the mode up, down or both, got {mode!r}: take one of them")
        self._rules = (float(min_instances), delta, threshold, alpha)
        self._sides = (mode != "down", mode != "up")
        # Count, mean, both sums, the least of the one and the largest of the other; then whether
        # the last value told of a drift.
        self._sums = np.zeros(7)
        self._sums[6] = 1.0

    def update(self, values: Floats) -> Signals:
        """Return by value DRIFT where the test told of one, else QUIET."""
        signals = np.zeros(len(values), np.uint8)
        _page_hinkley(checked(values), self._sums, self._rules, self._sides, signals)
        return signals

    def state(self) -> State:
        """Return a copy of the state."""
        return State(arrays={"sums": self._sums.copy()})

    def restore(self, state: State) -> None:
        """Become the detector that gave this state."""
        self._sums = state.arrays["sums"].copy()


class DDM:
    """The drift detection method (Gama, Medas, Castillo and Rodrigues, SBIA 2004).

    Twin of `river.drift.binary.DDM`. O(1) a value, seven numbers.

    Parameters
    ----------
    warm_start
        How many values come before the first test.
    warning_threshold, drift_threshold
        How many standard deviations the error rate may rise above the least it had.
    """

    def __init__(
        self, warm_start: int = 30, warning_threshold: float = 2.0, drift_threshold: float = 3.0
    ) -> None:
        self._rules = (float(warm_start), warning_threshold, drift_threshold)
        # Count, error rate; where their sum was least: rate, deviation and sum; the last signal.
        self._rates = np.zeros(6)
        self._rates[5] = DRIFT

    def update(self, values: Floats) -> Signals:
        """Return by value, 1 for an error and 0 for none, DRIFT, WARNING or QUIET."""
        values = checked(values)
        if len(values) and not (values.min() >= 0.0 and values.max() <= 1.0):
            raise LearnerError(
                f"wanted 1 for an error and 0 for none, got values from {values.min()} to "
                f"{values.max()}: compare the answers with the labels first"
            )
        signals = np.zeros(len(values), np.uint8)
        _ddm(values, self._rates, self._rules, signals)
        return signals

    def state(self) -> State:
        """Return a copy of the state."""
        return State(arrays={"rates": self._rates.copy()})

    def restore(self, state: State) -> None:
        """Become the detector that gave this state."""
        self._rates = state.arrays["rates"].copy()


def checked(values: Floats) -> Floats:
    """Return values as the kernels want them, or raise `LearnerError` where one is missing."""
    values = np.ascontiguousarray(values, np.float64)
    if not np.isfinite(values).all():
        raise LearnerError("wanted finite values, got one that is not: leave it out")
    return values


@njit
def _adwin(values: Floats, heads: Floats, buckets: Floats, rules: Rules, signals: Signals) -> None:
    for i in range(len(values)):
        if add(heads, buckets, np.int64(0), values[i], rules):  # type: ignore[arg-type]
            signals[i] = DRIFT


@njit
def _page_hinkley(
    values: Floats,
    sums: Floats,
    rules: tuple[float, float, float, float],
    sides: tuple[bool, bool],
    signals: Signals,
) -> None:
    first, delta, threshold, alpha = rules
    up, down = sides
    for i in range(len(values)):
        if sums[6] > 0.0:
            sums[:] = 0.0
            sums[4], sums[5] = np.inf, -1.0
        sums[0] += 1.0
        sums[1] += (1.0 / sums[0]) * (values[i] - sums[1])
        off = values[i] - sums[1]
        sums[2] = alpha * sums[2] + off - delta
        sums[3] = alpha * sums[3] + off + delta
        sums[4] = min(sums[4], sums[2])
        sums[5] = max(sums[5], sums[3])
        if sums[0] >= first:
            risen = up and sums[2] - sums[4] > threshold
            if risen or (down and sums[5] - sums[3] > threshold):
                sums[6] = 1.0
                signals[i] = DRIFT


@njit
def _ddm(
    values: Floats, rates: Floats, rules: tuple[float, float, float], signals: Signals
) -> None:
    warm, warning, drift = rules
    for i in range(len(values)):
        if rates[5] == DRIFT:
            rates[:] = 0.0
            rates[4] = np.inf
        rates[0] += 1.0
        rates[1] += (1.0 / rates[0]) * (values[i] - rates[1])
        rate = rates[1]
        deviation = math.sqrt(rate * (1.0 - rate) / rates[0])
        if rates[0] > warm:
            if rate + deviation <= rates[4]:
                rates[2], rates[3], rates[4] = rate, deviation, rate + deviation
            rates[5] = QUIET
            if rate + deviation > rates[2] + drift * rates[3]:
                rates[5] = DRIFT
            elif rate + deviation > rates[2] + warning * rates[3]:
                rates[5] = WARNING
            signals[i] = int(rates[5])
