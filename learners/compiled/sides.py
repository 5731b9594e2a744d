"""The sides of labels for a model that only tells two apart, a block at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.base import LEARN, Examples, Floats, Label, Predictions
from learners.compiled.jit import njit
from learners.pair import Pair, refusal, speaks_for_itself

NONE = np.empty((0, 2))
"""The probabilities of a model that gives none."""


class Sides:
    """Which label is 0 and which 1, as they come.

    Parameters
    ----------
    name
        Of the estimator, for the reason of a refusal.
    classes, positive
        See `learners.pair.Pair`.
    """

    def __init__(self, name: str, classes: Sequence[Label], positive: Label | None) -> None:
        self.name = name
        self._pair = Pair(classes, positive)
        # From which row on which labels have a side, in the block last taken.
        self._changes: list[tuple[int, dict[Label, bool]]] = []
        self._labels: list[Label] = []
        self._table = self._side_of([])

    def take(self, rows: Examples) -> tuple[NDArray[np.uint8], Floats, dict[int, str]]:
        """Return by row the operation and the side of the label, and what cannot be taken."""
        labels, codes = rows.classes.labels, rows.y
        if labels != self._labels:
            self._labels, self._table = list(labels), self._side_of(labels)
        self._changes = [(0, dict(self._pair.sides))]
        sides = np.empty(len(codes))
        odd = _look_up(codes, rows.op, self._table, sides)
        while odd >= 0 and not self._pair.full:
            self._join(labels[int(codes[odd])], odd)
            self._table = self._side_of(labels)
            odd = _look_up(codes, rows.op, self._table, sides)
        if odd < 0:
            return rows.op, sides, {}
        strange = np.isnan(sides) & ((rows.op & LEARN) != 0)
        refused = {
            row: refusal(self.name, self._pair, labels[int(codes[row])])
            for row in np.flatnonzero(strange).tolist()
        }
        return np.where(strange, 0, rows.op).astype(np.uint8), sides, refused

    def answer(
        self, rows: Examples, value: Floats, proba: Floats | None, refused: dict[int, str]
    ) -> Predictions:
        """Return the answers to the rows just taken by the stream's codes.

        A side that no label had before a row cannot be answered there.
        """
        n, labels = len(rows), rows.classes.labels
        answers = np.empty(n)
        whole = np.empty((0 if proba is None else n, len(labels)))
        chances = NONE if proba is None else proba
        ends = [start for start, _ in self._changes[1:]] + [n]
        for (start, sides), end in zip(self._changes, ends, strict=True):
            codes = np.array([-1, -1])
            for code, label in enumerate(labels):
                side = sides.get(label)
                if side is not None:
                    codes[int(side)] = code
            _tell(value, chances, codes, answers, whole, start, end)
        return Predictions(answers, None if proba is None else whole, refused)

    def state(self) -> list[list[Any]]:
        """Return the labels with their sides, as JSON values."""
        return [[label, side] for label, side in self._pair.sides.items()]

    def restore(self, state: list[list[Any]]) -> None:
        """Go on from a state."""
        self._pair.sides = {label: side for label, side in state}
        self._table = self._side_of(self._labels)

    def _join(self, label: Label, row: int) -> None:
        at_once = not self._pair.sides and speaks_for_itself(label)
        self._pair.side(label)
        # What says itself what it is can be answered in the row that brings it.
        self._changes.append((row if at_once else row + 1, dict(self._pair.sides)))

    def _side_of(self, labels: Sequence[Label]) -> Floats:
        sides = self._pair.sides
        table = [math.nan if sides.get(label) is None else float(sides[label]) for label in labels]
        return np.array([*table, math.nan])


@njit
def _look_up(codes: Floats, op: NDArray[np.uint8], table: Floats, sides: Floats) -> int:
    """Fill in the side of each row's label; return the first learned row without one, or -1."""
    first = -1
    for i in range(len(codes)):
        sides[i] = math.nan if codes[i] != codes[i] else table[int(codes[i])]
        if first < 0 and op[i] & LEARN and sides[i] != sides[i]:
            first = i
    return first


@njit
def _tell(
    value: Floats,
    chances: Floats,
    codes: NDArray[np.int64],
    answers: Floats,
    whole: Floats,
    start: int,
    end: int,
) -> None:
    """Fill in the class codes of the sides answered, and their probabilities."""
    for i in range(start, end):
        side = -1 if value[i] != value[i] else int(value[i])
        answers[i] = math.nan if side < 0 or codes[side] < 0 else codes[side]
        if len(whole):
            for k in range(whole.shape[1]):
                whole[i, k] = 0.0
            for one in range(2):
                if side >= 0 and codes[one] >= 0:
                    whole[i, codes[one]] = chances[i, one]
