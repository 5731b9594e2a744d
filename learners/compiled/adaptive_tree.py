"""The Hoeffding tree that forgets where it errs: river's twin."""

from __future__ import annotations

import copy
import functools
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from river import drift, tree

from learners.base import State
from learners.compiled.adaptive_trees import run
from learners.compiled.adaptive_watch import Habits, Watch
from learners.compiled.alarm import alarms
from learners.compiled.care import Care, Stand
from learners.compiled.forest import as_usual
from learners.compiled.grove import Grove, room_for
from learners.compiled.jit import lean
from learners.compiled.look import look_of
from learners.compiled.packing import copied, packed
from learners.compiled.pool import KIND, LEFT, NUMBER, PARENT, Pool, Whole, widened
from learners.compiled.route import next_child
from learners.compiled.rules import Rules
from learners.compiled.tree import river_rules
from learners.compiled.trees import Rows
from learners.compiled.twins import NoTwinError, twin
from learners.pending import Pending
from learners.table import Floats


class AdaptiveTree(Grove):
    """One tree of river's conventions, each node of which watches its errors.

    Hoeffding adaptive tree (Bifet and Gavaldà, 2009). Time of a row: O(depth x (depth + fields x
    classes in the leaf)). Memory: that of a Hoeffding tree, and 2.7 kilobytes for each node.

    Parameters
    ----------
    rules
        How it grows.
    habits
        How it watches its errors.
    seed
        Of the random numbers.
    nominal
        Fields whose numbers are words.
    """

    def __init__(self, rules: Rules, habits: Habits, seed: int, nominal: frozenset[Any]) -> None:
        super().__init__(rules, Care(), [1], seed, nominal=nominal)
        self.habits = habits
        self._watch = _grown(Watch(np.empty(0, np.int64), np.empty((0, 2)), alarms(0)), 1)

    @property
    def draws(self) -> bool:
        """See `learners.compiled.grove.Grove`."""
        return self.habits.drawn

    def fresh(self) -> Self:
        """See `learners.compiled.chain.Model.fresh`."""
        return type(self)(self.rules, self.habits, self.seed, self.nominal)

    def state(self) -> State:
        """Return a copy of what the tree holds."""
        pool, stand = self._pools[0]
        used = int(pool.used[0])
        watch = Watch._make(array[:used].copy() for array in self._watch)
        make = functools.partial(_packed, copied(pool), copy.deepcopy(stand), watch)
        return State(meta=self._meta(), arrays=Pending(make))

    def restore(self, state: State) -> None:
        """Go on from a state."""
        super().restore(state)
        own = (np.array(state.arrays[f"0.{name}"]) for name in Watch._fields)
        self._watch = _grown(Watch._make(own), 1)
        node, beside = self._pools[0][0].node, self._watch.beside
        branches = np.flatnonzero(beside >= 0)
        node[beside[branches], PARENT] = node[branches, PARENT]

    def _pool(self, i: int, votes: Floats, rows: Rows) -> None:
        pool, stand = self._pools[i]
        classes = votes.shape[2]
        d, c, words = rows.taught.shape[1], rows.codes.shape[1], rows.ranks.shape[1]
        look, need, at = look_of(d, c, classes, words), (0, 0, 0, 0), 0
        while at < len(rows.op):
            pool = widened(pool, need, d, c, 0, True)
            self._watch = _grown(self._watch, len(pool.node))
            at, way = run(
                pool, self._watch, self.rules, self.habits, stand, rows, look, at, votes[0]
            )
            need = room_for(way, max(2, words), classes, c)
        self._pools[i] = (pool, stand)


def _grown(watch: Watch, nodes: int) -> Watch:
    """Return what is known of nodes with room for so many; kernels fill rows as they take them."""
    if len(watch.beside) >= nodes:
        return watch
    larger = Watch._make(np.zeros((nodes, *old.shape[1:]), old.dtype) for old in watch)
    for old, new in zip(watch, larger, strict=True):
        new[: len(old)] = old
    return larger


def _packed(pool: Pool, stand: Stand, watch: Watch) -> dict[str, NDArray[Any]]:
    """Return the arrays of a state: leaves beside branches come after the root."""
    tree_nodes = np.empty(len(pool.node), np.int64)
    tree_nodes = tree_nodes[: _in_order(pool, stand.roots[0, 0], tree_nodes)]
    beside = watch.beside[tree_nodes]
    order = np.concatenate((tree_nodes[:1], beside[beside >= 0], tree_nodes[1:]))
    kept, _ = packed(pool, order[: max(len(order) - len(tree_nodes) + 1, 0)])
    places = np.full(len(pool.node) + 1, -1, np.int64)
    places[order] = np.arange(len(order))
    own = stand._replace(roots=places[stand.roots])._asdict()
    seen = Watch(places[watch.beside[order]], watch.error[order], watch.windows[order])._asdict()
    return {f"0.{name}": array for name, array in (kept | own | seen).items()}


@lean
def _in_order(pool: Pool, root: int, order: Whole) -> int:
    """List the nodes of a tree, level by level; return how many there are."""
    n, done = 0, 0
    if root >= 0:
        order[0] = root
        n = 1
    while done < n:
        node = order[done]
        done += 1
        if pool.node[node, KIND] >= NUMBER:
            child: Any = np.int64(pool.node[node, LEFT])
            while child >= 0:
                order[n] = child
                n += 1
                child = np.int64(next_child(pool, node, child))
    return n


@twin(tree.HoeffdingAdaptiveTreeClassifier)
def _adaptive_tree(estimator: tree.HoeffdingAdaptiveTreeClassifier) -> AdaptiveTree:
    """Return river's tree with river's conventions; with `bootstrap_sampling` of its distribution.

    See `learners.compiled.tree` for what of a river tree has no like here. One thing is added: the
    leaf beside the root goes on learning where river lets it sleep, when it met no column that
    could split it. As in river a leaf beside a branch takes its place as soon as it splits.
    """
    name, detector = type(estimator).__name__, estimator.drift_detector
    if type(detector) is not drift.ADWIN or not as_usual(detector):
        raise NoTwinError(f"{name} with {detector!r}")
    if not 0.0 < estimator.switch_significance <= 1.0:
        raise NoTwinError(f"{name} with switch_significance={estimator.switch_significance!r}")
    if not estimator.drift_window_threshold >= 0:
        raise NoTwinError(f"{name} with drift_window_threshold below 0")
    habits = Habits(
        delta=float(detector.delta),
        least=float(estimator.drift_window_threshold),
        significance=float(estimator.switch_significance),
        drawn=bool(estimator.bootstrap_sampling),
    )
    nominal = frozenset(estimator.nominal_attributes or ())
    return AdaptiveTree(river_rules(estimator), habits, estimator.seed or 0, nominal)
