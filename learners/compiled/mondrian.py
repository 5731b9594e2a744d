"""Aggregated Mondrian forests with bounded memory."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import forest

from learners.base import LEARN, PREDICT, Floats, State, Task
from learners.compiled.flow import Fields, Flow
from learners.compiled.mondrian_nodes import COUNT, LABELS, MASS, SIZE, WHOLE
from learners.compiled.mondrian_trees import Rules, grow
from learners.compiled.strangers import only_numbers
from learners.compiled.twins import NoTwinError, twin
from learners.compiled.twister import SHEET, words_of, write
from learners.errors import LearnerFailedError

NODES = 20_000
"""The most nodes of a tree where the estimator sets no `max_nodes`."""


class MondrianForest:
    """An aggregated Mondrian forest (Mourtada, Gaïffas and Scornet, 2021).

    Twin of `river.forest.AMFClassifier` and `AMFRegressor`, up to the last draw: it has their
    generator ("AMF: Aggregated Mondrian forests for online learning", JRSS B 83(3)). Where river
    keeps its classes in a set and answers by its order if two are equally probable, this answers
    the class learned first.

    River's trees grow for ever unless `max_nodes` is set (its issue 1454); here `NODES` takes its
    place, and a tree of so many nodes learns on without splitting. So memory is at most
    8 (2 d + k + 11) bytes a node, d being the fields and k the classes. O(t (d + k) log n) a row
    for t trees that have seen n rows.

    Parameters
    ----------
    task
        Whether it answers with classes or with numbers.
    trees
        How many.
    rules
        See `learners.compiled.mondrian_trees.Rules`.
    seed
        What the seeds of the trees are drawn from.
    """

    two_classes = False
    takes_weight = False

    def __init__(self, task: Task, trees: int, rules: Rules, seed: int | None) -> None:
        self.task = task
        self._parameters = (trees, rules, seed)
        self.fields = Fields()
        self._known = 0
        # See `learners.compiled.mondrian_trees.Forest`; there is room for more nodes than are used.
        self._nodes = np.zeros((trees, 1, LABELS))
        self._nodes[:, 0, [MASS, WHOLE]] = 1.0
        self._ranges = np.zeros((trees, 1, 2, 0))
        self._links = np.full((trees, 1, 4), -1, np.int32)
        self._marks = np.tile(np.array([1, SHEET]), (trees, 1))
        seeds = random.Random(seed)
        self._words = np.array([words_of(seeds.randint(0, 9999999)) for _ in range(trees)])
        self._sheets = np.zeros((trees, SHEET))

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats | None]:
        """See `learners.compiled.chain.Model`."""
        only_numbers(flow, self._name, PREDICT | LEARN)
        _, rules, _ = self._parameters
        numbers = self.task is Task.REGRESSION
        width = 1 if numbers else classes
        asked, taught = self.fields.match(flow)
        learned = (flow.op & LEARN) != 0
        answered = (flow.op & PREDICT) != 0
        if self._nodes[0, 0, COUNT] == 0.0:
            answered[: int(learned.argmax()) + 1 if learned.any() else None] = False
        self._make_room(int(learned.sum()), width)
        answers = np.zeros((len(flow.op), width))
        failed = grow(
            asked,
            taught,
            flow.op,
            flow.y,
            self._order(),
            -1 if numbers else self._known,
            rules,
            (
                self._nodes,
                self._ranges,
                self._links,
                self._marks,
                self._words,
                self._sheets,
            ),
            answers,
        )
        if failed >= 0:
            raise LearnerFailedError(
                "wanted a row at a finite distance from those before, got one beyond floating "
                f"point: {self._name} cannot learn it; scale the fields",
                failed,
            )
        self._known = classes
        if numbers:
            return np.where(answered, answers[:, 0], math.nan), None
        best = answers.argmax(axis=1) if classes else 0
        return np.where(answered, best, math.nan), answers

    def fresh(self) -> MondrianForest:
        """See `learners.compiled.chain.Model`."""
        return MondrianForest(self.task, *self._parameters)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        arrays: dict[str, NDArray[Any]] = {
            "nodes": self._packed(self._nodes),
            "ranges": self._packed(self._ranges),
            "links": self._packed(self._links),
            "marks": self._marks.copy(),
            "words": self._words.copy(),
        }
        return State(meta={"names": list(self.fields.names), "known": self._known}, arrays=arrays)

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self.fields = Fields(state.meta["names"])
        self._known = state.meta["known"]
        self._marks = state.arrays["marks"].copy()
        self._words = state.arrays["words"].copy()
        for words, sheet in zip(self._words, self._sheets, strict=True):
            write(words, sheet)
        self._nodes = self._spread(state.arrays["nodes"])
        self._ranges = self._spread(state.arrays["ranges"])
        self._links = self._spread(state.arrays["links"])

    def _packed(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return what is of the nodes there are, tree after tree."""
        sizes = self._marks[:, SIZE].tolist()
        return np.concatenate([tree[:size] for tree, size in zip(array, sizes, strict=True)])

    def _spread(self, packed: NDArray[Any]) -> NDArray[Any]:
        """Return it with room for more nodes."""
        sizes = self._marks[:, SIZE].tolist()
        array = np.zeros((len(sizes), self._room(0), *packed.shape[1:]), packed.dtype)
        start = 0
        for tree, size in zip(array, sizes, strict=True):
            tree[:size] = packed[start : start + size]
            start += size
        return array

    def _room(self, rows: int) -> int:
        """Return how many nodes a tree has room for when that many rows were learned.

        Memory that no node has touched is not taken, so there is much from the start.
        """
        _, (*_, cap), _ = self._parameters
        # A split adds two nodes, and takes place below the cap.
        most = int(self._marks[:, SIZE].max()) + 2 * rows
        return min(max(1 << most.bit_length(), NODES + 1), max(cap + 1, 1))

    def _make_room(self, rows: int, labels: int) -> None:
        """Make room for what that many rows can add, and for new fields and labels."""
        trees, old, had = self._nodes.shape
        room, fields = max(self._room(rows), old), len(self.fields)
        was = self._ranges.shape[3]
        if room > old or LABELS + labels > had:
            nodes = np.zeros((trees, room, LABELS + labels))
            self._move(self._nodes, nodes[..., :had])
            self._nodes = nodes
        if room > old or fields > was:
            ranges = np.zeros((trees, room, 2, fields))
            for tree, size in zip(ranges, self._marks[:, SIZE].tolist(), strict=True):
                tree[:size, :, was:] = math.nan
            self._move(self._ranges, ranges[..., :was])
            self._ranges = ranges
        if room > old:
            links = np.zeros((trees, room, 4), np.int32)
            self._move(self._links, links)
            self._links = links

    def _move(self, array: NDArray[Any], to: NDArray[Any]) -> None:
        sizes = self._marks[:, SIZE].tolist()
        for old, new, size in zip(array, to, sizes, strict=True):
            new[:size] = old[:size]

    def _order(self) -> NDArray[np.int64]:
        names = self.fields.names
        try:
            return np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
        except TypeError as error:
            raise LearnerFailedError(
                f"wanted names of fields that can be put in order, got others: {self._name} draws "
                f"from them in order ({error})",
                0,
            ) from error

    @property
    def _name(self) -> str:
        return "AMFRegressor" if self.task is Task.REGRESSION else "AMFClassifier"


@twin(forest.AMFClassifier)
def _classifier(estimator: forest.AMFClassifier) -> MondrianForest:
    if estimator.dirichlet <= 0.0:
        raise NoTwinError("AMFClassifier without dirichlet")
    rules = (
        float(estimator.step),
        float(estimator.dirichlet),
        bool(estimator.use_aggregation),
        bool(estimator.split_pure),
        _cap(estimator),
    )
    return MondrianForest(Task.CLASSIFICATION, estimator.n_estimators, rules, estimator.seed)


@twin(forest.AMFRegressor)
def _regressor(estimator: forest.AMFRegressor) -> MondrianForest:
    rules = (float(estimator.step), 0.0, bool(estimator.use_aggregation), True, _cap(estimator))
    return MondrianForest(Task.REGRESSION, estimator.n_estimators, rules, estimator.seed)


def _cap(estimator: Any) -> int:
    if estimator.n_estimators < 1:
        raise NoTwinError(f"{type(estimator).__name__} without trees")
    return NODES if estimator.max_nodes is None else int(estimator.max_nodes)
