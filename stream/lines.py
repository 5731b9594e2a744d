"""Lines that tell how a run is going where there is no terminal, plain or JSON."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

from stream.loop import Loop
from stream.report import Pace, Progress
from stream.tables import NONE, labels_line, number, rate, words


class Lines:
    """Prints a line at an interval; to be called between blocks.

    Parameters
    ----------
    name
        What is running.
    pace
        Measures the run.
    form
        "plain" or "json".
    interval
        Seconds between lines.
    show
        Prints a line.
    clock
        Seconds, rising.
    """

    def __init__(
        self,
        name: str,
        pace: Pace,
        form: str,
        interval: float,
        show: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._pace = pace
        self._json = form == "json"
        self._interval = interval
        self._show = show
        self._clock = clock
        self._shown = clock()

    def __call__(self, loop: Loop) -> None:
        """Print a line, if the last one is old enough."""
        self._pace.begin(loop)
        now = self._clock()
        if now - self._shown < self._interval:
            return
        self._shown = now
        progress = self._pace.look(loop)
        self._show(_json(self._name, progress) if self._json else _plain(self._name, progress))


def event(name: str, kind: str, values: dict[str, Any]) -> str:
    """Return what happened in a service as a line of JSON."""
    return json.dumps({"event": kind, "name": name, **values})


def _json(name: str, progress: Progress) -> str:
    values = dataclasses.asdict(progress)
    return event(name, "progress", values.pop("model") | values)


def _plain(name: str, progress: Progress) -> str:
    model = progress.model
    counts, scores = model["counts"], model["scores"]
    metric = next(iter(scores["overall"]), None)
    parts = [
        f"{name} {model['version']}: {counts['records']:,} records",
        f"{rate(progress.now)} now, {rate(progress.overall)} overall",
        f"lag {NONE if progress.lag is None else f'{progress.lag:,}'}",
    ]
    if metric is not None:
        parts += [_span(scores, metric, "overall"), _span(scores, metric, "recent")]
    if model["members"]:
        parts.append(f"{len(model['members'])} members")
    if "labels" in model:
        parts.append(labels_line(model["labels"]))
    parts.append(f"{counts['set_aside']:,} dead letters")
    parts.append(f"checkpoint {progress.checkpoint_age:.0f} s ago")
    parts += [f"a window was skipped: {reason}" for reason in model["skipped"][-1:]]
    return "; ".join(parts)


def _span(scores: dict[str, Any], metric: str, span: str) -> str:
    baselines = ", ".join(
        f"{words(name)} {number(figures.get(metric))}"
        for name, figures in scores[f"{span}_baselines"].items()
    )
    return f"{span} {words(metric)} {number(scores[span].get(metric))} ({baselines})"
