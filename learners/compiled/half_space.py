"""Half-space trees: how crowded the part of space is that a row falls into."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import anomaly

from learners.base import LEARN, PREDICT, Floats, State, Task
from learners.compiled.flow import Flow, Ops
from learners.compiled.jit import njit
from learners.compiled.strangers import only_numbers
from learners.compiled.twins import twin
from learners.errors import LearnerFailedError

# At a node of which less than this part of a window came by, river scores no deeper.
SPARSE = 0.1

Trees = tuple[NDArray[np.int64], Floats, Floats]


class HalfSpaceTrees:
    """Anomaly scores by the mass of random half-spaces in the window before.

    Twin of `river.anomaly.HalfSpaceTrees` (Tan, Ting and Liu, "Fast anomaly detection for
    streaming data", IJCAI 2011): river itself draws the trees, from its seed and the fields of the
    first row learned, and they are read from it. O(t h) a row for t trees of height h, amortised;
    memory O(t 2^h).

    Parameters
    ----------
    trees, height, window
        How many trees, of what height, and after how many rows their masses take effect.
    limits
        By field the least and the largest value; 0 and 1 where it is not named.
    seed
        What the trees are drawn from.
    """

    task = Task.ANOMALY
    two_classes = False
    takes_weight = False

    def __init__(
        self,
        trees: int,
        height: int,
        window: int,
        limits: dict[Any, tuple[float, float]],
        seed: int | None,
    ) -> None:
        self._parameters = (trees, height, window, limits, seed)
        # Drawn when the first row is learned.
        self._names: list[Any] | None = None
        # By tree and node, the children of node v being 2v + 1 and 2v + 2.
        self._features = np.zeros((0, 0), np.int64)
        self._thresholds = np.zeros((0, 0))
        # By tree, node, and whether of this window or of the one before.
        self._masses = np.zeros((0, 0, 2))
        self._learned = 0

    def run(self, flow: Flow, classes: int) -> tuple[Floats, None]:
        """See `learners.compiled.chain.Model`."""
        asked_rows, learned = (flow.op & PREDICT) != 0, (flow.op & LEARN) != 0
        value = np.where(asked_rows, 0.0, math.nan)
        if self._names is None:
            if not learned.any():
                return value, None
            self._draw(flow, int(learned.argmax()))
        only_numbers(flow, "HalfSpaceTrees", PREDICT | LEARN, self._names)
        asked = self._columns(flow, flow.asked)
        same = flow.taught is flow.asked
        taught = asked if same else self._columns(flow, flow.taught)
        _, height, window, _, _ = self._parameters
        trees = (self._features, self._thresholds, self._masses)
        _half_space(asked, taught, same, flow.op, height, window, self._learned, trees, value)
        self._learned += int(learned.sum())
        return value, None

    def fresh(self) -> HalfSpaceTrees:
        """See `learners.compiled.chain.Model`."""
        return HalfSpaceTrees(*self._parameters)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        names = None if self._names is None else list(self._names)
        arrays = {
            "features": self._features.copy(),
            "thresholds": self._thresholds.copy(),
            "masses": self._masses.copy(),
        }
        return State(meta={"names": names, "learned": self._learned}, arrays=arrays)

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        names = state.meta["names"]
        self._names = None if names is None else list(names)
        self._learned = state.meta["learned"]
        self._features = state.arrays["features"].copy()
        self._thresholds = state.arrays["thresholds"].copy()
        self._masses = state.arrays["masses"].copy()

    def _draw(self, flow: Flow, row: int) -> None:
        """Let river draw the trees for the fields of a row, and read them."""
        only_numbers(flow, "HalfSpaceTrees")
        values = flow.taught[row].tolist()
        x = {name: v for name, v in zip(flow.names, values, strict=True) if not math.isnan(v)}
        count, height, window, limits, seed = self._parameters
        river = anomaly.HalfSpaceTrees(count, height, window, limits, seed)
        try:
            river.learn_one(x)
        except Exception as error:
            raise LearnerFailedError(
                f"HalfSpaceTrees raised {type(error).__name__} as it drew trees for the fields of "
                f"the first row: {error}",
                row,
            ) from error
        self._names = sorted(x)
        inner = 2**height - 1
        self._features = np.zeros((count, inner), np.int64)
        self._thresholds = np.zeros((count, inner))
        self._masses = np.zeros((count, 2 * inner + 1, 2))
        for tree, root in enumerate(river.trees):
            nodes = [root]
            for v in range(inner):
                self._features[tree, v] = self._names.index(nodes[v].feature)
                self._thresholds[tree, v] = nodes[v].threshold
                nodes += nodes[v].children

    def _columns(self, flow: Flow, matrix: Floats) -> Floats:
        """Return the columns of the fields that the trees were drawn for; the rest is ignored."""
        names = self._names or []
        if flow.names == names:
            return matrix
        placed = np.full((len(matrix), len(names)), math.nan)
        for j, name in enumerate(flow.names):
            if name in names:
                placed[:, names.index(name)] = matrix[:, j]
        return placed


@twin(anomaly.HalfSpaceTrees)
def _half_space_trees(estimator: anomaly.HalfSpaceTrees) -> HalfSpaceTrees:
    return HalfSpaceTrees(
        estimator.n_trees,
        estimator.height,
        estimator.window_size,
        dict(estimator.limits),
        estimator.seed,
    )


@njit
def _half_space(
    asked: Floats,
    taught: Floats,
    same: bool,
    op: Ops,
    height: int,
    window: int,
    learned: int,
    trees: Trees,
    value: Floats,
) -> None:
    """Score and learn a block, with all trees one level further at a time.

    A walk waits at each node for memory; the walks of several trees wait together.
    """
    features, thresholds, masses = trees
    count = len(features)
    node, alive = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    largest = count * window * (2.0 ** (height + 1) - 1.0)
    for i in range(len(op)):
        scores, learns = op[i] & PREDICT and learned >= window, (op[i] & LEARN) != 0
        # Where both see the same row they go the same way, in one walk.
        both = scores and learns and same
        whole = 0.0
        for learning in (False, True):
            score, learn = scores and both == learning, learns and learning
            if not score and not learn:
                continue
            for t in range(count):
                node[t], alive[t] = 0, score
            power = 1.0
            for depth in range(height + 1):
                for t in range(count):
                    v = node[t]
                    if learn:
                        masses[t, v, 0] += 1.0
                    if alive[t]:
                        whole += masses[t, v, 1] * power
                        alive[t] = masses[t, v, 1] >= SPARSE * window
                    if depth < height:
                        j = features[t, v]
                        x = taught[i, j] if learning else asked[i, j]
                        right = not x < thresholds[t, v]
                        left = 2 * v + 1
                        if x != x:
                            right = masses[t, left, 0] < masses[t, left + 1, 0]
                        node[t] = left + right
                power *= 2.0
        if scores:
            value[i] = 1.0 - whole / largest
        learned += learns
        if learns and learned % window == 0:
            for t in range(count):
                for v in range(masses.shape[1]):
                    masses[t, v, 1] = masses[t, v, 0]
                    masses[t, v, 0] = 0.0
