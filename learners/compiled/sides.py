"""The sides of labels for a model that only tells two apart, a block at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.base import LEARN, Examples, Floats, Label, Predictions
from learners.pair import Pair, refusal, speaks_for_itself

Change = tuple[int, dict[Label, bool]]


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
        self._changes: list[Change] = []

    def take(self, rows: Examples) -> tuple[NDArray[np.uint8], Floats, dict[int, str]]:
        """Return by row the operation and the side of the label, and what cannot be taken."""
        labels, codes = rows.classes.labels, rows.y
        self._changes = [(0, dict(self._pair.sides))]
        table = self._table(labels)
        code = np.where(np.isnan(codes), -1.0, codes).astype(np.int64)
        learned = (rows.op & LEARN) != 0
        for row in np.flatnonzero(np.isnan(table[code]) & learned).tolist():
            if self._pair.full:
                break
            if math.isnan(table[code[row]]):
                self._join(labels[code[row]], row)
                table = self._table(labels)
        sides = table[code]
        odd = np.isnan(sides) & learned
        if not odd.any():
            return rows.op, sides, {}
        refused = {
            row: refusal(self.name, self._pair, labels[code[row]])
            for row in np.flatnonzero(odd).tolist()
        }
        return np.where(odd, 0, rows.op).astype(np.uint8), sides, refused

    def answer(
        self, rows: Examples, value: Floats, proba: Floats | None, refused: dict[int, str]
    ) -> Predictions:
        """Return the answers to the rows just taken by the stream's codes.

        A side that no label had before a row cannot be answered there.
        """
        n, labels = len(rows), rows.classes.labels
        answers = np.full(n, math.nan)
        whole = None if proba is None else np.zeros((n, len(labels)))
        ends = [start for start, _ in self._changes[1:]] + [n]
        for (start, sides), end in zip(self._changes, ends, strict=True):
            for code, label in enumerate(labels):
                side = sides.get(label)
                if side is not None:
                    answers[start:end][value[start:end] == side] = code
                    if whole is not None and proba is not None:
                        whole[start:end, code] = proba[start:end, int(side)]
        if refused and whole is not None:
            whole[list(refused)] = 0.0
        if whole is not None:
            whole[np.isnan(value)] = 0.0
        return Predictions(answers, whole, refused)

    def state(self) -> list[list[Any]]:
        """Return the labels with their sides, as JSON values."""
        return [[label, side] for label, side in self._pair.sides.items()]

    def restore(self, state: list[list[Any]]) -> None:
        """Go on from a state."""
        self._pair.sides = {label: side for label, side in state}

    def _join(self, label: Label, row: int) -> None:
        at_once = not self._pair.sides and speaks_for_itself(label)
        self._pair.side(label)
        # What says itself what it is can be answered in the row that brings it.
        self._changes.append((row if at_once else row + 1, dict(self._pair.sides)))

    def _table(self, labels: Sequence[Label]) -> Floats:
        sides = self._pair.sides
        table = [math.nan if sides.get(label) is None else float(sides[label]) for label in labels]
        return np.array([*table, math.nan])
