"""Ways of doing the same, measured in turns, and what comes of it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.failure import BenchmarkError
from benchmarks.streams import Stream
from learners.base import LEARN, PREDICT, Classes, Examples, Learner, State
from learners.table import MISSING, Table
from stream.errors import ConfigError
from stream.imports import find

BLOCK = 5_000
ENOUGH_SECONDS = 0.5

Figures = dict[str, Any]
Way = Callable[[int], Figures]
Turns = dict[str, list[Figures]]


class Floor(NamedTuple):
    """How many times as fast as its peer a figure is to be, and how much less accurate it may be.

    Without a margin the accuracy is only shown.
    """

    times: float
    margin: float = math.inf


class Pair(NamedTuple):
    """What a figure compares: one of our ways, and one of a peer's."""

    figure: str
    ours: str
    peer: str


def in_turns(ways: Mapping[str, Way], rounds: int) -> Turns:
    """Measure each way in each round, in an order that turns round each time.

    A way is called with the number of the round, from 0. Who runs first would always have the
    cooler machine.
    """
    found: Turns = {name: [] for name in ways}
    for number in range(rounds):
        order = list(ways)[:: 1 if number % 2 == 0 else -1]
        for name in order:
            found[name].append(ways[name](number))
    return found


def rate(turns: Sequence[Figures]) -> float:
    """Return the median of the records a second."""
    return float(statistics.median(one["rate"] for one in turns))


def accuracy(turns: Sequence[Figures]) -> float:
    """Return the mean of the accuracies."""
    return float(statistics.mean(one["accuracy"] for one in turns))


def ratio(ours: Sequence[Figures], theirs: Sequence[Figures]) -> float:
    """Return how many times as fast we are: the median of the ratios within each round."""
    rounds = zip(ours, theirs, strict=True)
    return float(statistics.median(a["rate"] / b["rate"] for a, b in rounds))


def compiled(learner: Learner, stream: Stream, enough: float = ENOUGH_SECONDS) -> Figures:
    """Test, then train an untrained learner on a stream in columns, block by block.

    What takes too little time to tell is done again, each time by an untrained one, until it has
    taken `enough` seconds.
    """
    rows = examples(stream)
    learner.fresh().predict_learn(rows[: min(BLOCK, len(rows))])
    seconds, passes, right = 0.0, 0, 0
    while not passes or seconds < enough:
        fresh = learner.fresh()
        begun = time.perf_counter()
        values = [
            fresh.predict_learn(rows[at : at + BLOCK]).value for at in range(0, len(rows), BLOCK)
        ]
        seconds += time.perf_counter() - begun
        passes += 1
        right = int((np.concatenate(values) == stream.y).sum())
    return {"rate": passes * len(rows) / seconds, "accuracy": right / len(rows)}


def own(path: str, **params: Any) -> Learner:
    """Return a learner of the project's own, named as in a configuration."""
    try:
        learner: Learner = find(path, Path())(**params)
    except ConfigError as error:
        raise BenchmarkError(str(error)) from error
    return learner


def examples(stream: Stream) -> Examples:
    """Return a stream as a learner sees it: columns, each row to be answered and learned."""
    n = len(stream.y)
    nothing = np.full((n, 0), MISSING, np.int32)
    return Examples(
        Table(stream.names, stream.x, [], nothing, []),
        np.full(n, PREDICT | LEARN, np.uint8),
        stream.y.astype(np.float64),
        np.ones(n),
        np.zeros(n, np.int64),
        Classes(range(int(stream.y.max()) + 1)),
    )


def state_bytes(state: State) -> int:
    """Return the size of the arrays of a state."""
    own = sum(array.nbytes for array in state.arrays.values())
    return own + sum(state_bytes(member) for member in state.members.values())


def told(stream: str, turns: Turns, pairs: Sequence[Pair]) -> Figures:
    """Print the ways, and return by figure how much faster and more accurate we are."""
    print(f"{stream}, {len(next(iter(turns.values())))} rounds")
    for way, found in turns.items():
        times = [
            f"x{ratio(turns[pair.ours], found):,.1f} {pair.figure}"
            for pair in pairs
            if pair.peer == way
        ]
        told = f"{rate(found):>12,.0f} records/s  accuracy {accuracy(found):.4f}"
        print(f"  {way:<34}{told}  {', '.join(times)}", flush=True)
    return {
        pair.figure: {
            "times": ratio(turns[pair.ours], turns[pair.peer]),
            "accuracy_over": accuracy(turns[pair.ours]) - accuracy(turns[pair.peer]),
            "ours": {"rate": rate(turns[pair.ours]), "accuracy": accuracy(turns[pair.ours])},
            "peer": {"rate": rate(turns[pair.peer]), "accuracy": accuracy(turns[pair.peer])},
            "turns": {"ours": turns[pair.ours], "peer": turns[pair.peer]},
        }
        for pair in pairs
    }


def judged(streams: Mapping[str, Figures], floors: Mapping[str, Floor]) -> Figures:
    """Print and return the worst of all streams by figure, and whether all are in bounds.

    Parameters
    ----------
    streams
        By stream what `told` returned.
    floors
        Of the figures that count; the others are only shown.
    """
    worst: Figures = {}
    fine = True
    for figure, floor in floors.items():
        found = [one[figure] for one in streams.values()]
        times = min(one["times"] for one in found)
        over = min(one["accuracy_over"] for one in found)
        fine = fine and times >= floor.times and over >= -floor.margin
        worst[figure] = {"times": times, "floor": floor.times, "accuracy_over": over}
        bound = "" if math.isinf(floor.margin) else f" (>= -{floor.margin})"
        print(
            f"{figure:<20} at least {times:8,.1f} times its peer (>= {floor.times:,.0f}), "
            f"accuracy {over:+.4f}{bound}"
        )
    return {"streams": streams, "worst": worst, "pass": fine}
