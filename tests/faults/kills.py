"""Kills a service with SIGKILL again and again, and compares with one that was never killed.

    python -m tests.faults.kills [--kills N] [--seed S] [--learner L] [--shape A|B] [--records N]

Real Kafka and real Redis: its own, in a temporary folder, or those of --servers and --redis (of
which databases 1 and 2 are used). The kills are shared out over three learners and two shapes, or
those that are named: in A one partition holds records with their labels, in B labels come late
in a topic of their own, four partitions each. The data is Elec2 where it is, else a generated
stream. Exits 1 when a floor is missed; the last line is one JSON object with the figures.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests import streams
from tests.faults.member import TrialError
from tests.faults.shapes import LEARNERS, SHAPES
from tests.faults.trial import Kill, Services, Verdict, hold
from tests.services import held

FLOOR = 0.75
"""The least share of processes that go on from a sequence above 0."""


def main() -> None:
    """Hold the trials, print their figures, and exit 0 if nothing differs."""
    given = _arguments()
    begun = time.monotonic()
    with services(given.servers, given.redis) as place:
        trials = list(_trials(place, given))
    kills = sum(trial["kills"] for trial in trials)
    share = sum(trial["resumed_above_0"] for trial in trials) / max(kills, 1)
    figures = {
        "kills": kills,
        "share": round(share, 3),
        "floor": FLOOR,
        "seconds": round(time.monotonic() - begun, 1),
        "passed": all(trial["passed"] for trial in trials) and kills == given.kills,
        "trials": trials,
    }
    figures["passed"] &= share >= FLOOR
    print(json.dumps(figures))
    sys.exit(0 if figures["passed"] else 1)


def judged(verdict: Verdict, kills: Sequence[Kill]) -> dict[str, Any]:
    """Return the figures of a trial and whether it passed."""
    return {
        "moments": collections.Counter(kill.moment for kill in kills),
        "kills": len(kills),
        "resumed_above_0": sum(kill.resumed > 0 for kill in kills),
        **verdict.figures(),
    }


def _trials(place: Services, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Hold a trial of each learner in each shape; yield its figures, or how it failed."""
    chosen = list(itertools.product(given.shape or SHAPES, given.learner or LEARNERS))
    for i, (shape, learner) in enumerate(chosen):
        kills = given.kills * (i + 1) // len(chosen) - given.kills * i // len(chosen)
        stream, source = stream_of(given.data, given.records // (2 if SHAPES[shape].late else 1))
        told = {"shape": shape, "learner": learner, "data": source}
        print(f"{shape}, {learner}: {kills} kills", flush=True)
        begun = time.monotonic()
        try:
            found = hold(place, SHAPES[shape], learner, stream, kills, given.seed + i, tell)
            figures = judged(*found)
            tell("nothing differs" if figures["passed"] else f"not passed: {figures}")
        except TrialError as error:
            figures = {"kills": 0, "resumed_above_0": 0, "passed": False, "failure": str(error)}
            tell(str(error))
        yield told | figures | {"seconds": round(time.monotonic() - begun, 1)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--learner", choices=LEARNERS, action="append")
    parser.add_argument("--shape", choices=SHAPES, action="append")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--data", type=Path, default=streams.ELEC2)
    parser.add_argument("--servers")
    parser.add_argument("--redis")
    return parser.parse_args()


def stream_of(data: Path, records: int) -> tuple[streams.Stream, str]:
    """Return the first records of Elec2 if it is there, else generated ones, and their name."""
    if data.exists():
        return streams.elec2(data, records), data.name
    return streams.drifting(records, seed=1), f"generated ({data.name} is not there)"


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


@contextlib.contextmanager
def services(servers: str | None, redis: str | None) -> Iterator[Services]:
    """Yield the given services, or some that live as long as the context."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if servers and redis:
            yield Services(servers, redis, folder)
            return
        with held(folder) as up:
            yield Services(up["kafka"]["servers"], up["redis"]["url"], folder)


if __name__ == "__main__":
    main()
