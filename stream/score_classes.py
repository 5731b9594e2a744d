"""Scores of classes: a confusion matrix each for the model and for two guesses without skill."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.base import Classes, Floats, Label, State
from learners.compiled.jit import njit
from stream.ring import Ring

Counts = NDArray[np.int64]
LEAST = 1e-15
PREDICTORS = ("model", "majority", "repeat_last")


class ClassScores:
    """Accuracy, balanced accuracy, F1, kappa, kappa-temporal and log loss.

    The guesses without skill are the class seen most often so far, and the last label. A row
    that was not answered counts as wrong. Kappa is Cohen's (1960); kappa-temporal compares with
    the guess that the last label comes again (Žliobaitė et al., 2015).
    """

    def __init__(self, window: int, positive: Label | None) -> None:
        self._positive = positive
        self._code: int | None = None
        self._matrices = np.zeros((len(PREDICTORS), 0, 1), np.int64)
        self._seen = np.zeros(0, np.int64)
        self._majority = self._last = -1
        self._loss = self._prior_loss = 0.0
        self._has_loss = True
        # true class, the three guesses, log loss, log loss of the frequencies so far
        self._recent = Ring(window, 6)

    def update(self, classes: Classes, y: Floats, value: Floats, proba: Floats | None) -> None:
        """See `stream.score.TaskScores`."""
        if self._positive is not None:
            self._code = classes.codes.get(self._positive)
        true = y.astype(np.int64)
        guess = np.nan_to_num(value, nan=-1.0).astype(np.int64)
        self._grow(int(max(true.max(), guess.max())) + 1)
        majority, repeat, frequency = self._guesses(true)
        for place, of in enumerate((guess, majority, repeat)):
            _tally(self._matrices[place], true, of)
        self._has_loss = self._has_loss and proba is not None
        sure = np.zeros(len(true)) if proba is None else proba[np.arange(len(true)), true]
        losses = -np.log(np.clip(sure, LEAST, 1.0))
        prior_losses = -np.log(np.clip(frequency, LEAST, 1.0))
        self._loss = _add_in_order(self._loss, losses)
        self._prior_loss = _add_in_order(self._prior_loss, prior_losses)
        self._recent.extend(np.column_stack([true, guess, majority, repeat, losses, prior_losses]))

    def report(self) -> dict[str, Any]:
        """See `stream.score.TaskScores`."""
        rows = self._recent.rows()
        recent = np.zeros_like(self._matrices)
        codes = rows[:, :4].astype(np.int64)
        for matrix, of in zip(recent, codes.T[1:], strict=True):
            _tally(matrix, codes[:, 0], of)
        count = int(self._matrices[0].sum())
        n = max(len(rows), 1)
        losses = (_add_in_order(0.0, rows[:, 4]) / n, _add_in_order(0.0, rows[:, 5]) / n)
        overall = (self._loss / max(count, 1), self._prior_loss / max(count, 1))
        return {
            "count": count,
            "unanswered": int(self._matrices[0, :, -1].sum()),
            **self._figures(self._matrices, overall, "overall"),
            **self._figures(recent, losses, "recent"),
        }

    def state(self) -> State:
        """See `stream.score.TaskScores`."""
        meta = {
            "positive": self._code,
            "majority": self._majority,
            "last": self._last,
            "seen": self._seen.tolist(),
            "loss": self._loss,
            "prior_loss": self._prior_loss,
            "has_loss": self._has_loss,
            "count": self._recent.count,
        }
        arrays = {"matrices": self._matrices.copy(), "recent": self._recent.cells.copy()}
        return State(meta=meta, arrays=arrays)

    def restore(self, state: State) -> None:
        """See `stream.score.TaskScores`."""
        meta = state.meta
        self._code = meta["positive"]
        self._majority, self._last = meta["majority"], meta["last"]
        self._seen = np.array(meta["seen"], np.int64)
        self._loss, self._prior_loss = meta["loss"], meta["prior_loss"]
        self._has_loss = meta["has_loss"]
        self._matrices = state.arrays["matrices"].copy()
        self._recent.restore(state.arrays["recent"], meta["count"])

    def _grow(self, classes: int) -> None:
        known = self._matrices.shape[1]
        if classes > known:
            grown = np.zeros((len(PREDICTORS), classes, classes + 1), np.int64)
            grown[:, :known, :known] = self._matrices[:, :, :known]
            grown[:, :known, classes] = self._matrices[:, :, known]
            self._matrices = grown
            self._seen = np.pad(self._seen, (0, classes - known))

    def _guesses(self, true: Counts) -> tuple[Counts, Counts, Floats]:
        """Return what the majority and the last label would have said, and the frequencies."""
        majorities, repeats = np.empty_like(true), np.empty_like(true)
        frequencies = np.empty(len(true))
        self._majority = _foresee(self._seen, self._majority, true, majorities, frequencies)
        repeats[0], repeats[1:] = self._last, true[:-1]
        self._last = int(true[-1])
        return majorities, repeats, frequencies

    def _figures(self, matrices: Counts, losses: tuple[float, float], name: str) -> dict[str, Any]:
        model, majority, repeat = (figures_of(matrix, self._code) for matrix in matrices)
        chance = 1.0 - repeat["accuracy"]
        if chance:
            model["kappa_temporal"] = 1.0 - (1.0 - model["accuracy"]) / chance
        error = 1.0 - majority["accuracy"]
        if error:
            model["error_reduction"] = 1.0 - (1.0 - model["accuracy"]) / error
        if self._has_loss:
            model["log_loss"], majority["log_loss"] = losses
        return {name: model, f"{name}_baselines": {"majority": majority, "repeat_last": repeat}}


def figures_of(matrix: Counts, positive: int | None) -> dict[str, float]:
    """Return the figures of a confusion matrix, int64[k, k + 1], its last column unanswered."""
    total = max(int(matrix.sum()), 1)
    hits = np.diagonal(matrix).astype(np.float64)
    true, guessed = matrix.sum(axis=1), matrix[:, :-1].sum(axis=0)
    present = true > 0
    accuracy = int(np.diagonal(matrix).sum()) / total
    by_chance = float((true * guessed).sum()) / total**2
    met = true + guessed
    f1 = 2.0 * hits / np.maximum(met, 1)
    of_interest = met > 0
    if positive is not None:
        of_interest &= np.arange(len(f1)) == positive
    return {
        "accuracy": accuracy,
        "balanced_accuracy": _mean(hits[present] / true[present]),
        "f1": _mean(f1[of_interest]),
        "kappa": (accuracy - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else 0.0,
    }


@njit
def _tally(matrix: Counts, true: Counts, guess: Counts) -> None:
    """Count pairs; the last column counts what was not answered, code -1."""
    for i in range(len(true)):
        matrix[true[i], guess[i]] += 1


@njit
def _foresee(
    seen: Counts, majority: int, true: Counts, majorities: Counts, frequencies: Floats
) -> int:
    """Fill in what was seen most often before each row, and how often its class had been."""
    total = seen.sum()
    for i in range(len(true)):
        code = true[i]
        majorities[i] = majority
        frequencies[i] = seen[code] / total if total else 0.0
        seen[code] += 1
        total += 1
        if majority < 0 or seen[code] > seen[majority]:
            majority = code
    return majority


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


def _add_in_order(start: float, values: Floats) -> float:
    """Add one after another: a pairwise sum would depend on where a block was cut."""
    return float(np.cumsum(np.concatenate(([start], values)))[-1])
