"""What is told of a model: its version, counts, scores and members, as JSON values."""

from __future__ import annotations

import collections
import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

from learners.base import HasMembers
from stream.loop import Loop
from stream.shard import Shard

SPAN = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How a run is going at one moment.

    Attributes
    ----------
    model
        See `model_of`.
    now, overall
        Records per second over the last two seconds and since the first block; None at first.
    lag
        Records between the last one taken and the end of the log, None if unknown.
    behind
        Seconds from the log's time of the last record taken until now; 0 where none is to come,
        None if unknown.
    checkpoint_age, stall
        Seconds since the last checkpoint, and how long it held the stream up.
    restarts
        How often the store was found to be another server: it may have forgotten predictions.
    """

    model: dict[str, Any]
    now: float | None
    overall: float | None
    lag: int | None
    behind: float | None
    checkpoint_age: float
    stall: float
    restarts: int


class Pace:
    """Measures a run each time it is looked at, between two blocks.

    Parameters
    ----------
    clock
        Seconds, rising.
    wall
        Seconds since 1970.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock, self._wall = clock, wall
        self._shard: Shard | None = None
        self._first = (0.0, 0)
        self._recent: collections.deque[tuple[float, int]] = collections.deque()

    def begin(self, loop: Loop) -> None:
        """Count from here, if the loop's model is not the one that was looked at before."""
        if loop.shard is not self._shard:
            self._shard = loop.shard
            self._first = (self._clock(), loop.shard.sequence)
            self._recent = collections.deque([self._first])

    def look(self, loop: Loop) -> Progress:
        """Return how the run is going."""
        self.begin(loop)
        here = (self._clock(), loop.shard.sequence)
        self._recent.append(here)
        while len(self._recent) > 2 and self._recent[1][0] <= here[0] - SPAN:
            self._recent.popleft()
        lag = loop.lag()
        return Progress(
            model_of(loop.shard),
            _rate(self._recent[0], here),
            _rate(self._first, here),
            lag,
            _behind(loop.shard, lag, self._wall()),
            here[0] - loop.saved_at,
            loop.stall,
            loop.restarts,
        )

    def overall(self) -> float | None:
        """Return the records per second of the run until now; None where it has but one block."""
        # What came in the first block was there before the first look.
        if self._shard is None or self._shard.sequence == self._first[1]:
            return None
        return _rate(self._first, (self._clock(), self._shard.sequence))


def model_of(shard: Shard) -> dict[str, Any]:
    """Return version, counts, scores, members and why windows were skipped, as JSON values.

    Where labels may come later, also return what waits and how late they come.
    """
    labels = {} if shard.join is None else {"labels": shard.join.report()}
    learner = shard.learner
    made_of = (learner.members, learner.skipped) if isinstance(learner, HasMembers) else ((), ())
    members, skipped = made_of
    told: dict[str, Any] = finite(
        {
            "version": f"{shard.lineage}@{shard.sequence}",
            "lineage": shard.lineage,
            "sequence": shard.sequence,
            "counts": dict(shard.counts),
            **labels,
            "scores": _scored(shard.scores.report()),
            "members": [dataclasses.asdict(member) for member in members],
            "skipped": list(skipped),
        }
    )
    return told


def finite(value: Any) -> Any:
    """Return JSON values with None for infinities and NaN, which JSON does not have.

    Examples
    --------
    >>> finite({"rmse": float("inf"), "mae": [0.5]})
    {'rmse': None, 'mae': [0.5]}
    """
    if isinstance(value, dict):
        return {name: finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _scored(report: dict[str, Any]) -> dict[str, Any]:
    """Return scores with None for each figure where there was nothing to score."""
    if report["count"]:
        return report
    return {span: _blank(part) if isinstance(part, dict) else part for span, part in report.items()}


def _blank(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _blank(inner) if isinstance(inner, dict) else None for name, inner in figures.items()
    }


def _behind(shard: Shard, lag: int | None, now: float) -> float | None:
    if not lag:
        return None if lag is None else 0.0
    taken = max((position.time for position in shard.positions.values()), default=0)
    return max(0.0, now - taken / 1000) if taken else None


def _rate(start: tuple[float, int], end: tuple[float, int]) -> float | None:
    seconds = end[0] - start[0]
    return (end[1] - start[1]) / seconds if seconds > 0.0 else None
