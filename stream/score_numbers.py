"""Scores of numbers: errors of the model, of the mean so far, and of the last value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from learners.base import Classes, Floats, State
from stream.ring import Ring

PREDICTORS = ("model", "mean", "repeat_last")


class NumberScores:
    """MAE, RMSE and R².

    R² is one minus the squared errors over the squared distances from the mean of all targets.
    A row that was not answered, or with an infinity, counts as answered with the mean so far.
    """

    def __init__(self, window: int) -> None:
        self._count = self._unanswered = 0
        self._mean = self._spread = self._last = 0.0
        self._absolute = [0.0] * len(PREDICTORS)
        self._squared = [0.0] * len(PREDICTORS)
        # the target and the three errors
        self._recent = Ring(window, 4)

    def update(self, classes: Classes, y: Floats, value: Floats, proba: Floats | None) -> None:
        """See `stream.score.TaskScores`."""
        rows = []
        for true, guess in zip(y.tolist(), value.tolist(), strict=True):
            if not math.isfinite(guess):
                self._unanswered += 1
                guess = self._mean
            errors = (guess - true, self._mean - true, self._last - true)
            for i, error in enumerate(errors):
                self._absolute[i] += abs(error)
                self._squared[i] += error * error
            rows.append((true, *errors))
            self._count += 1
            # Welford (1962): the spread around the mean without keeping the values.
            distance = true - self._mean
            self._mean += distance / self._count
            self._spread += distance * (true - self._mean)
            self._last = true
        self._recent.extend(np.array(rows))

    def report(self) -> dict[str, Any]:
        """See `stream.score.TaskScores`."""
        rows = self._recent.rows()
        spread = float(((rows[:, 0] - rows[:, 0].mean()) ** 2).sum()) if len(rows) else 0.0
        absolute = np.abs(rows[:, 1:]).sum(axis=0).tolist()
        squared = (rows[:, 1:] ** 2).sum(axis=0).tolist()
        return {
            "count": self._count,
            "unanswered": self._unanswered,
            **_figures(self._absolute, self._squared, self._spread, self._count, "overall"),
            **_figures(absolute, squared, spread, len(rows), "recent"),
        }

    def state(self) -> State:
        """See `stream.score.TaskScores`."""
        meta = {
            "count": self._count,
            "unanswered": self._unanswered,
            "mean": self._mean,
            "spread": self._spread,
            "last": self._last,
            "absolute": list(self._absolute),
            "squared": list(self._squared),
            "recent": self._recent.count,
        }
        return State(meta=meta, arrays={"recent": self._recent.cells.copy()})

    def restore(self, state: State) -> None:
        """See `stream.score.TaskScores`."""
        meta = state.meta
        self._count, self._unanswered = meta["count"], meta["unanswered"]
        self._mean, self._spread, self._last = meta["mean"], meta["spread"], meta["last"]
        self._absolute, self._squared = list(meta["absolute"]), list(meta["squared"])
        self._recent.restore(state.arrays["recent"], meta["recent"])


def _figures(
    absolute: list[float], squared: list[float], spread: float, count: int, name: str
) -> dict[str, Any]:
    n = max(count, 1)
    figures = []
    for a, s in zip(absolute, squared, strict=True):
        figures.append({"mae": a / n, "rmse": math.sqrt(s / n)})
        if spread > 0.0:
            figures[-1]["r2"] = 1.0 - s / spread
    model, mean, repeat = figures
    if mean["mae"]:
        model["error_reduction"] = 1.0 - model["mae"] / mean["mae"]
    return {name: model, f"{name}_baselines": {"mean": mean, "repeat_last": repeat}}
