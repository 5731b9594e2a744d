"""A Hoeffding tree: compiled, in CapyMOA's loop, and in river's.

    python -m benchmarks.learners_tree [--records 100000] [--rounds 3]

Elec2, the first 100,000 of the forest covers and a drifting RBF stream, test-then-train. All trees
have the same parameters (grace period 200, delta 1e-7, tie threshold 0.05, adaptive naive Bayes in
the leaves: the defaults of MOA and river). All take turns; what counts is the median of the ratios
within each round. Shown without a floor: Alluvia and CapyMOA with the delta that CapyMOA's class
sets, 0.001, and CapyMOA looping in Java over an ARFF file, where no record reaches Python. Exits 1
below 40 times CapyMOA's loop or 80 times river's on any stream, or if the accuracy is more than
.002 below either.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.failure import reported
from benchmarks.peers.process import Peers, learners
from benchmarks.streams import STREAMS, Stream
from benchmarks.turns import Floor, Pair, Way, compiled, in_turns, judged, own, told

MARGIN = 0.002
FLOORS = {"capymoa": Floor(40.0, MARGIN), "river": Floor(80.0, MARGIN)}
EAGER = 0.001
OWN = "learners.compiled.tree.HoeffdingTreeClassifier"
CAPYMOA = "capymoa.classifier.HoeffdingTree"
RIVER = "river.tree.HoeffdingTreeClassifier"
OURS, OURS_EAGER = "alluvia, compiled", f"alluvia, compiled, delta {EAGER}"
CAPYMOAS, JAVAS = "CapyMOA, its loop", "CapyMOA, looping in Java"
EAGERS, RIVERS = f"CapyMOA, its loop, delta {EAGER}", "river, its loop"
PAIRS = [
    Pair("capymoa", OURS, CAPYMOAS),
    Pair("capymoa_java", OURS, JAVAS),
    Pair("river", OURS, RIVERS),
    Pair("capymoa_eager", OURS_EAGER, EAGERS),
]


def main() -> int:
    """Measure and print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    streams = {}
    with learners() as peers, tempfile.TemporaryDirectory() as folder:
        for name, make in STREAMS.items():
            stream = make().first(asked.records)
            turns = in_turns(ways(stream, peers, Path(folder)), asked.rounds)
            streams[name] = told(name, turns, PAIRS)
    figures = judged(streams, FLOORS)
    print(json.dumps(figures))
    return 0 if figures["pass"] else 1


def ways(stream: Stream, peers: Peers, folder: Path) -> dict[str, Way]:
    """Return what takes turns."""
    data = stream.saved(folder)
    tree, eager = own(OWN), own(OWN, delta=EAGER)
    same = {"grace_period": 200, "confidence": 1e-7, "tie_threshold": 0.05}
    return {
        OURS: lambda _: compiled(tree, stream),
        CAPYMOAS: lambda _: peers.run(CAPYMOA, data, params=same),
        JAVAS: lambda _: peers.run(CAPYMOA, data, params=same, inside=True),
        RIVERS: lambda _: peers.run(RIVER, data),
        OURS_EAGER: lambda _: compiled(eager, stream),
        EAGERS: lambda _: peers.run(CAPYMOA, data, params=same | {"confidence": EAGER}),
    }


if __name__ == "__main__":
    sys.exit(reported(main))
