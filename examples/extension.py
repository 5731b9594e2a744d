"""What extending costs against retraining on everything so far, on the same records."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingClassifier

from ensembles.rolling import RollingClassifier
from learners.base import Classes, Examples


@dataclasses.dataclass(slots=True)
class Road:
    """One way to go on: seconds in all and for the last window, and right answers."""

    seconds: float = 0.0
    last: float = 0.0
    hits: int = 0

    def add(self, seconds: float, hits: int) -> None:
        """Count one window."""
        self.last = seconds
        self.seconds += seconds
        self.hits += hits


@dataclasses.dataclass(slots=True)
class Comparison:
    """Both roads over the same windows of `window` records; `tested` records were predicted."""

    windows: int
    window: int
    tested: int
    extend: Road
    retrain: Road


def compare(x: NDArray[np.float64], y: NDArray[np.int64], window: int) -> Comparison:
    """Go through a stream on both roads; a window is predicted, then learned.

    Extending fits one model on the new window, which joins the ten before it; its seconds hold
    the fit and the predictions of all members. Retraining fits a model of the same size on all
    records so far; its seconds hold the fit and the predictions of that one model.

    Parameters
    ----------
    x, y
        float64[n, d] and int64[n] of 0 and 1, in the order of the stream.
    window
        Records in a window.
    """
    model = GradientBoostingClassifier(n_estimators=30, subsample=0.5, random_state=1)
    rolling = RollingClassifier(model, window=window, keep=10)
    whole: Any = None
    extend, retrain = Road(), Road()
    windows = len(x) // window
    classes = Classes([0, 1])
    fields = tuple(f"f{i}" for i in range(x.shape[1]))
    for i in range(windows):
        new = slice(i * window, (i + 1) * window)
        rows = [dict(zip(fields, row, strict=True)) for row in x[new].tolist()]
        block = Examples.of(rows, y[new].astype(np.float64), classes)
        begun = time.perf_counter()
        answers = rolling.predict_learn(block).value
        between = time.perf_counter()
        guesses = None if whole is None else whole.predict(x[new])
        whole = clone(model).fit(x[: new.stop], y[: new.stop])
        ended = time.perf_counter()
        extend.add(between - begun, int((answers == y[new]).sum()))
        retrain.add(ended - between, 0 if guesses is None else int((guesses == y[new]).sum()))
    return Comparison(windows, window, (windows - 1) * window, extend, retrain)


def table(found: Comparison) -> str:
    """Return the comparison for a person."""
    extend, retrain = found.extend, found.retrain
    lines = [
        f"{found.windows} windows of {found.window:,} records; gradient boosting, 30 trees; "
        "fits and predictions",
        f"{'':<24}{'all windows':>13}{'last window':>14}{'accuracy':>11}",
    ]
    for name, road in (("extend", extend), ("retrain on everything", retrain)):
        accuracy = road.hits / found.tested
        lines.append(f"  {name:<22}{road.seconds:>11.2f} s{road.last:>12.3f} s{accuracy:>11.4f}")
    lines.append(
        f"  retraining took {retrain.seconds / extend.seconds:.1f} times as long in all, "
        f"{retrain.last / extend.last:.1f} times for the last window, and kept every record"
    )
    return "\n".join(lines)
