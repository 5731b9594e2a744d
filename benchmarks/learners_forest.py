"""Forests of ten Hoeffding trees and of ten Mondrian trees: compiled, and in their peers' loops.

    python -m benchmarks.learners_forest [--records 50000] [--seeds 5]

Elec2, forest covers and a drifting RBF stream, test-then-train. The adaptive random forest with
round(sqrt(d)) + 1 columns a leaf, and with 0.6 d, takes turns with CapyMOA's loop over the same
parameters on the first 50,000 records, a seed a round, on one thread and on two. The others are
slow, so three rounds are of fewer records, and both sides take the same: river's forest of the
first 20,000, leveraging bagging, random patches and CapyMOA's other roads of the first 10,000,
river's Mondrian forest of the first 5,000. On two cores all this takes about twelve minutes. What
counts is the median of the ratios within each round, and the mean of the accuracies; CapyMOA
looping in Java over an ARFF file, and on two threads of its own, is shown without a floor. The
Mondrian forest also learns three times as many records as fill its trees: its state must not grow.
Exits 1 below a floor.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from river import forest

from benchmarks.failure import reported
from benchmarks.peers.process import Peers, learners
from benchmarks.streams import STREAMS, Stream, rbf
from benchmarks.turns import (
    Figures,
    Floor,
    Pair,
    Way,
    compiled,
    examples,
    in_turns,
    judged,
    own,
    state_bytes,
    told,
)
from learners.compiled.chain import Chain
from learners.compiled.pipeline import compiled as twin_of

ROUNDS, TREES, MARGIN = 3, 10, 0.002
FLOORS = {
    "forest_1_sqrt": Floor(15.0, MARGIN),
    "forest_2_sqrt": Floor(22.0, MARGIN),
    "forest_1_share": Floor(15.0, MARGIN),
    "forest_2_share": Floor(22.0, MARGIN),
    "forest_river": Floor(100.0),
    "leveraging_bagging": Floor(8.0),
    "random_patches": Floor(8.0),
    "mondrian_river": Floor(40.0),
}
COLUMNS: dict[str, str | float] = {"sqrt": "sqrt", "share": 0.6}
OWN = "learners.compiled.forest"
CAPYMOA = "capymoa.classifier"
FOREST = "AdaptiveRandomForestClassifier"
OTHERS = {
    "leveraging_bagging": ("LeveragingBaggingClassifier", "LeveragingBagging"),
    "random_patches": ("StreamingRandomPatchesClassifier", "StreamingRandomPatches"),
}
ONE, TWO = "alluvia, one thread", "alluvia, two threads"
LOOP, RIVERS = "CapyMOA, its loop", "river, its loop"
JAVAS, JOBS = "CapyMOA, looping in Java", "CapyMOA, its loop, two threads"
FULL = 60_000
"""Records that fill trees of 20,000 nodes: they split at one record of three or so."""


def main() -> int:
    """Measure and print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--river", type=int, default=20_000)
    parser.add_argument("--others", type=int, default=10_000)
    parser.add_argument("--mondrian", type=int, default=5_000)
    asked = parser.parse_args()
    with learners() as peers, tempfile.TemporaryDirectory() as folder:
        bench = Bench(peers, Path(folder))
        streams = {name: bench.compare(make(), asked) for name, make in STREAMS.items()}
    figures = judged(streams, FLOORS)
    full, later = figures["mondrian_state"] = mondrian_state()
    print(
        f"state of a Mondrian forest: {full:,} bytes when full, "
        f"{later:,} when it learned three times as many"
    )
    figures["pass"] = figures["pass"] and later == full
    print(json.dumps(figures))
    return 0 if figures["pass"] else 1


class Bench:
    """All comparisons on one stream.

    Parameters
    ----------
    peers
        The other libraries' loops.
    folder
        Where they find the records.
    """

    def __init__(self, peers: Peers, folder: Path) -> None:
        self._peers, self._folder = peers, folder

    def compare(self, stream: Stream, asked: argparse.Namespace) -> Figures:
        """Print and return what comes of it."""
        found: Figures = {}
        for name, columns in COLUMNS.items():
            part = stream.first(asked.records)
            pairs = [Pair(f"forest_1_{name}", ONE, LOOP), Pair(f"forest_2_{name}", TWO, LOOP)]
            ways = self.forests(part, columns)
            found |= told(f"{stream.name}, {name}", in_turns(ways, asked.seeds), pairs)
        part = stream.first(asked.others)
        pairs = [Pair("capymoa_java", ONE, JAVAS), Pair("capymoa_2", TWO, JOBS)]
        found |= told(f"{stream.name}, other roads", in_turns(self.roads(part), ROUNDS), pairs)
        for name in OTHERS:
            turns = in_turns(self.others(name, part), ROUNDS)
            found |= told(f"{stream.name}, {name}", turns, [Pair(name, ONE, LOOP)])
        turns = in_turns(self.rivers(stream.first(asked.river)), ROUNDS)
        found |= told(f"{stream.name}, river", turns, [Pair("forest_river", ONE, RIVERS)])
        turns = in_turns(self.mondrians(stream.first(asked.mondrian)), ROUNDS)
        return found | told(
            f"{stream.name}, Mondrian", turns, [Pair("mondrian_river", ONE, RIVERS)]
        )

    def forests(self, stream: Stream, columns: str | float) -> dict[str, Way]:
        """Return our forest on one thread and two, and CapyMOA's loop."""
        data = stream.saved(self._folder)
        return {
            ONE: _forest(stream, columns, 1),
            TWO: _forest(stream, columns, 2),
            LOOP: self._capymoa(FOREST, data, max_features=columns),
        }

    def roads(self, stream: Stream) -> dict[str, Way]:
        """Return CapyMOA's other roads beside its loop."""
        data = stream.saved(self._folder)
        return self.forests(stream, "sqrt") | {
            JAVAS: self._capymoa(FOREST, data, True, max_features="sqrt"),
            JOBS: self._capymoa(FOREST, data, max_features="sqrt", number_of_jobs=2),
        }

    def others(self, name: str, stream: Stream) -> dict[str, Way]:
        """Return another ensemble of ten Hoeffding trees, ours and CapyMOA's."""
        mine, capymoa = OTHERS[name]
        threads = {"threads": 1} if name == "random_patches" else {}
        return {
            ONE: lambda number: compiled(
                own(f"{OWN}.{mine}", n_models=TREES, seed=1 + number, **threads), stream
            ),
            LOOP: self._capymoa(capymoa, stream.saved(self._folder)),
        }

    def rivers(self, stream: Stream) -> dict[str, Way]:
        """Return our forest and river's."""
        data = stream.saved(self._folder)
        return {
            ONE: _forest(stream, "sqrt", 1),
            RIVERS: lambda number: self._peers.run(
                "river.forest.ARFClassifier", data, params={"n_models": TREES, "seed": 1 + number}
            ),
        }

    def mondrians(self, stream: Stream) -> dict[str, Way]:
        """Return a Mondrian forest and its twin."""
        data = stream.saved(self._folder)
        return {
            ONE: lambda number: compiled(_mondrian(1 + number), stream),
            RIVERS: lambda number: self._peers.run(
                "river.forest.AMFClassifier",
                data,
                params={"n_estimators": TREES, "seed": 1 + number},
            ),
        }

    def _capymoa(self, name: str, data: Path, inside: bool = False, **more: str | float) -> Way:
        params = {"ensemble_size": TREES} | more
        return lambda number: self._peers.run(
            f"{CAPYMOA}.{name}", data, params=params | {"random_seed": 1 + number}, inside=inside
        )


def mondrian_state() -> tuple[int, int]:
    """Return the bytes of a Mondrian forest's state when its trees are full, and much later."""
    rows = examples(rbf(3 * FULL))
    learner = _mondrian(1)
    learner.predict_learn(rows[:FULL])
    full = state_bytes(learner.state())
    learner.predict_learn(rows[FULL:])
    return full, state_bytes(learner.state())


def _forest(stream: Stream, columns: str | float, threads: int) -> Way:
    return lambda number: compiled(
        own(
            f"{OWN}.{FOREST}",
            n_models=TREES,
            max_features=columns,
            seed=1 + number,
            threads=threads,
        ),
        stream,
    )


def _mondrian(seed: int) -> Chain:
    return twin_of(forest.AMFClassifier(n_estimators=TREES, seed=seed))


if __name__ == "__main__":
    sys.exit(reported(main))
