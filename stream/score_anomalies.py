"""Scores of anomaly scores: the area under the ROC curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.base import Classes, Floats, State
from stream.ring import Ring

BINS = 20_000


class AnomalyScores:
    """ROC AUC: overall in 20,000 bins of the score, over the recent window exactly.

    Scores from 0 to 1 fill the upper middle half of the bins evenly; larger and negative ones
    are folded into the rest, in order. Scores in one bin count as a tie. The area is that of
    Mann and Whitney (1947): the share of pairs in which the anomaly has the higher score.
    """

    def __init__(self, window: int) -> None:
        self._bins = np.zeros((2, BINS), np.int64)
        self._recent = Ring(window, 2)

    def update(self, classes: Classes, y: Floats, value: Floats, proba: Floats | None) -> None:
        """See `stream.score.TaskScores`."""
        score = np.nan_to_num(value, nan=0.0)
        np.add.at(self._bins, (y.astype(np.int64), bin_of(score)), 1)
        self._recent.extend(np.column_stack([y, score]))

    def report(self) -> dict[str, Any]:
        """See `stream.score.TaskScores`."""
        rows = self._recent.rows()
        _, ranks = np.unique(rows[:, 1], return_inverse=True)
        recent = np.zeros((2, int(ranks.max(initial=0)) + 1), np.int64)
        np.add.at(recent, (rows[:, 0].astype(np.int64), ranks), 1)
        report: dict[str, Any] = {"count": int(self._bins.sum())}
        for name, counts in (("overall", self._bins), ("recent", recent)):
            area = area_under(counts)
            report[name] = {} if area is None else {"roc_auc": area}
            report[name]["anomalies"] = int(counts[1].sum())
            report[f"{name}_baselines"] = {"chance": {"roc_auc": 0.5}}
        return report

    def state(self) -> State:
        """See `stream.score.TaskScores`."""
        filled = np.flatnonzero(self._bins.any(axis=0))
        arrays = {
            "filled": filled,
            "counts": self._bins[:, filled],
            "recent": self._recent.cells.copy(),
        }
        return State(meta={"count": self._recent.count}, arrays=arrays)

    def restore(self, state: State) -> None:
        """See `stream.score.TaskScores`."""
        self._bins[:] = 0
        self._bins[:, state.arrays["filled"]] = state.arrays["counts"]
        self._recent.restore(state.arrays["recent"], state.meta["count"])


def bin_of(score: Floats) -> NDArray[np.int64]:
    """Return the bin of each score, rising with the score."""
    quarter = BINS / 4
    above = 3 * quarter + quarter * (1.0 - 1.0 / np.maximum(score, 1.0))
    below = quarter - quarter * (1.0 - 1.0 / (1.0 - np.minimum(score, 0.0)))
    inside = quarter + 2 * quarter * np.clip(score, 0.0, 1.0)
    place = np.where(score > 1.0, above, np.where(score < 0.0, below, inside))
    return np.clip(place, 0, BINS - 1).astype(np.int64)


def area_under(counts: NDArray[np.int64]) -> float | None:
    """Return the area from the counts of normal and anomalous rows by rising score."""
    normal, anomalous = counts.astype(np.float64)
    pairs = normal.sum() * anomalous.sum()
    if not pairs:
        return None
    below = np.cumsum(normal) - normal
    return float((anomalous * (below + normal / 2.0)).sum() / pairs)
