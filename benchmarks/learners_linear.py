"""Scaling and logistic regression: compiled, in river's loop, and by partial_fit one by one.

    python -m benchmarks.learners_linear [--records 20000] [--rounds 3]

The first records of Elec2 and of a drifting RBF stream, test-then-train: Alluvia takes them from
columns in blocks of 5,000, river as dicts that are already made, scikit-learn as rows of a matrix
(StandardScaler and SGDClassifier with log loss, river's constant rate of 0.01 and no penalty). All
take turns; what counts is the median of the ratios within each round, on the slower of the two
streams. Exits 1 below 100 times river or 1,000 times partial_fit, or if the compiled accuracy is
not river's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from river import linear_model, preprocessing

from benchmarks.failure import reported
from benchmarks.peers.process import Peers, learners
from benchmarks.streams import STREAMS, Stream
from benchmarks.turns import Floor, Pair, Way, compiled, in_turns, judged, told
from learners.compiled.pipeline import compiled as twin_of

SAME = 1e-9
FLOORS = {"river": Floor(100.0, SAME), "partial_fit": Floor(1_000.0)}
OURS, RIVERS, SKLEARNS = "alluvia, compiled", "river, its loop", "scikit-learn, partial_fit"
PAIRS = [Pair("river", OURS, RIVERS), Pair("partial_fit", OURS, SKLEARNS)]
RIVER = ["river.preprocessing.StandardScaler", "river.linear_model.LogisticRegression"]
SKLEARN = ["sklearn.preprocessing.StandardScaler", "sklearn.linear_model.SGDClassifier"]
SGD = {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.01, "alpha": 0.0}


def main() -> int:
    """Measure and print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    streams = {}
    with learners() as peers, tempfile.TemporaryDirectory() as folder:
        for name in ("elec2", "rbf"):
            stream = STREAMS[name]().first(asked.records)
            turns = in_turns(ways(stream, peers, Path(folder)), asked.rounds)
            streams[name] = told(name, turns, PAIRS)
    figures = judged(streams, FLOORS)
    figures["same"] = all(abs(one["river"]["accuracy_over"]) < SAME for one in streams.values())
    print(f"accuracy {'equal' if figures['same'] else 'NOT equal'} to river's")
    figures["pass"] = figures["pass"] and figures["same"]
    print(json.dumps(figures))
    return 0 if figures["pass"] else 1


def ways(stream: Stream, peers: Peers, folder: Path) -> dict[str, Way]:
    """Return what takes turns."""
    data = stream.saved(folder)
    learner = twin_of(preprocessing.StandardScaler() | linear_model.LogisticRegression())
    return {
        OURS: lambda _: compiled(learner, stream),
        RIVERS: lambda _: peers.run(RIVER, data),
        SKLEARNS: lambda number: peers.run(SKLEARN, data, params=SGD | {"random_state": number}),
    }


if __name__ == "__main__":
    sys.exit(reported(main))
