"""Nearest neighbours among the last rows: an exact search over a ring."""

from __future__ import annotations

import functools
import math
from collections.abc import Sized
from typing import Any

import numpy as np
from river import neighbors
from river.utils.math import minkowski_distance
from river.utils.vectordict import euclidean_distance_tuple

from learners.base import LEARN, PREDICT, Floats, State, Task
from learners.compiled.flow import Fields, Flow
from learners.compiled.growing import grown
from learners.compiled.nearest import classify, regress
from learners.compiled.strangers import introduced, only_numbers
from learners.compiled.twins import NoTwinError, twin
from learners.errors import LearnerFailedError

WAYS = ("mean", "median", "weighted_mean")


class Window:
    """The last rows learned, each with its target.

    A missing value counts as 0, as in river.

    Parameters
    ----------
    size
        How many rows it holds.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.fields = Fields()
        # A column for each row, so that distances to all rows are summed side by side.
        self.points = np.zeros((0, size))
        self.targets = np.zeros(size)
        # How many rows were learned.
        self.learned = np.zeros(1, np.int64)

    def take(self, flow: Flow) -> tuple[Floats, Floats, Floats]:
        """Return a block by own columns; see `learners.compiled.strangers.introduced`."""
        columns = introduced(flow, self.fields)
        self.points = grown(self.points, (len(self.fields), self.size))
        return columns

    def state(self) -> State:
        """Return a copy: the rows from the oldest to the newest."""
        learned = int(self.learned[0])
        order = np.arange(max(0, learned - self.size), learned) % self.size
        arrays = {"points": self.points[:, order], "targets": self.targets[order]}
        return State(meta={"names": list(self.fields.names)}, arrays=arrays)

    def restore(self, state: State) -> None:
        """Become the window that gave this state."""
        points, targets = state.arrays["points"], state.arrays["targets"]
        self.fields = Fields(state.meta["names"])
        self.points = grown(points, (len(points), self.size)).copy()
        self.targets = grown(targets, (self.size,)).copy()
        self.learned[0] = len(targets)


class KNNClassifier:
    """Votes of the nearest of the last rows (Fix and Hodges, 1951; Cover and Hart, 1967).

    Twin of `river.neighbors.KNNClassifier` with `LazySearch`. Where classes have equal votes, it
    answers the one learned first; river goes by the order of a set there, which depends on the
    hash seed. O(w d) to answer a row of d fields from a window of w rows, O(d) to learn it; memory
    O(w d).

    Parameters
    ----------
    neighbors
        How many of them vote.
    window
        How many rows are kept.
    power
        p of the Minkowski distance; 2 is Euclid's.
    weighted
        Whether a vote counts 1 / distance.
    softmax
        Whether votes become probabilities by softmax, and not as shares.
    """

    task = Task.CLASSIFICATION
    two_classes = False
    takes_weight = False

    def __init__(
        self, neighbors: int, window: int, power: float, weighted: bool, softmax: bool
    ) -> None:
        self._parameters = (neighbors, window, power, weighted, softmax)
        self._window = Window(window)
        self._known = 0

    @property
    def fields(self) -> Sized:
        """See `learners.compiled.pieces.Wide`."""
        return self._window.fields

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats]:
        """See `learners.compiled.chain.Model`."""
        neighbors, _, power, weighted, softmax = self._parameters
        only_numbers(flow, "KNNClassifier", PREDICT | LEARN)
        columns, window = self._window.take(flow), self._window
        value, proba = np.full(len(flow.op), math.nan), np.zeros((len(flow.op), classes))
        failed = classify(
            columns,
            flow.op,
            flow.y,
            (window.points, window.targets, window.learned),
            (neighbors, power, weighted, softmax, self._known),
            value,
            proba,
        )
        self._known = classes
        _require_finite(failed, "KNNClassifier")
        return value, proba

    def fresh(self) -> KNNClassifier:
        """See `learners.compiled.chain.Model`."""
        return KNNClassifier(*self._parameters)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        state = self._window.state()
        state.meta["known"] = self._known
        return state

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self._window.restore(state)
        self._known = state.meta["known"]


class KNNRegressor:
    """Mean or median of the nearest of the last rows.

    Twin of `river.neighbors.KNNRegressor` with `LazySearch` (Cover, "Estimation by the nearest
    neighbor rule", IEEE Trans. Information Theory, 1968). O(w d) to answer a row of d fields
    from a window of w rows, O(d) to learn it; memory O(w d).

    Parameters
    ----------
    neighbors, window, power
        See `KNNClassifier`.
    way
        How the targets become one: a place in `WAYS`.
    """

    task = Task.REGRESSION
    two_classes = False
    takes_weight = False

    def __init__(self, neighbors: int, window: int, power: float, way: int) -> None:
        self._parameters = (neighbors, window, power, way)
        self._window = Window(window)

    @property
    def fields(self) -> Sized:
        """See `learners.compiled.pieces.Wide`."""
        return self._window.fields

    def run(self, flow: Flow, classes: int) -> tuple[Floats, None]:
        """See `learners.compiled.chain.Model`."""
        neighbors, _, power, way = self._parameters
        only_numbers(flow, "KNNRegressor", PREDICT | LEARN)
        columns, window = self._window.take(flow), self._window
        value = np.full(len(flow.op), math.nan)
        failed = regress(
            columns,
            flow.op,
            flow.y,
            (window.points, window.targets, window.learned),
            (neighbors, power, way),
            value,
        )
        _require_finite(failed, "KNNRegressor")
        return value, None

    def fresh(self) -> KNNRegressor:
        """See `learners.compiled.chain.Model`."""
        return KNNRegressor(*self._parameters)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        return self._window.state()

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self._window.restore(state)


@twin(neighbors.KNNClassifier)
def _classifier(estimator: neighbors.KNNClassifier) -> KNNClassifier:
    if estimator.cleanup_every:
        raise NoTwinError("KNNClassifier with cleanup_every")
    count, window, power = _search_of(estimator)
    return KNNClassifier(count, window, power, bool(estimator.weighted), bool(estimator.softmax))


@twin(neighbors.KNNRegressor)
def _regressor(estimator: neighbors.KNNRegressor) -> KNNRegressor:
    return KNNRegressor(*_search_of(estimator), WAYS.index(estimator.aggregation_method))


def _search_of(estimator: Any) -> tuple[int, int, float]:
    """Return the number of neighbours, the window and the power of the distance."""
    name, engine = type(estimator).__name__, estimator.engine
    if type(engine) is not neighbors.LazySearch:
        raise NoTwinError(
            f"{name} with the engine {type(engine).__name__}; with neighbors.LazySearch() there is"
        )
    if estimator.n_neighbors < 1 or not engine.window_size:
        raise NoTwinError(f"{name} without neighbours or without an end to its window")
    return estimator.n_neighbors, engine.window_size, _power_of(engine.dist_func, name)


def _power_of(distance: Any, name: str) -> float:
    if distance is euclidean_distance_tuple:
        return 2.0
    function = distance.distance_function
    if isinstance(function, functools.partial) and function.func is minkowski_distance:
        power = function.keywords.get("p", 0)
        if not function.args and len(function.keywords) == 1 and 0 < power < math.inf:
            return float(power)
    raise NoTwinError(f"{name} with a distance that is not Minkowski's with p by name")


def _require_finite(failed: int, name: str) -> None:
    if failed >= 0:
        raise LearnerFailedError(
            f"wanted distances that are finite, got one beyond floating point: {name} cannot "
            "answer; scale the fields",
            failed,
        )
