"""Kills a service with SIGKILL again and again, and compares with one that was never killed.

    python -m tests.faults.kills [--kills 20] [--seed 1] [--records N] [--data FILE.csv.gz]

Real Kafka and real Redis: its own, in a temporary folder, or those of --servers and --redis (of
which databases 1 and 2 are used). The data is Elec2 where it is, else a generated stream. Exits
1 when a floor is missed; the last line is one JSON object with the figures.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import streams
from tests.faults.trial import Place, TrialError, Verdict, hold
from tests.runner import ROOT

CORRUPT = 0.01
FLOOR = 0.75
"""The least share of processes that go on from a sequence above 0."""


def main() -> None:
    """Hold the trial, print its figures, and exit 0 if nothing differs."""
    given = _arguments()
    stream, source = _stream(given.data, given.records)
    messages = streams.corrupted(stream, CORRUPT, given.seed)
    print(f"data: {source}, {len(messages):,} records, {CORRUPT:.0%} of them broken", flush=True)
    begun = time.monotonic()
    figures: dict[str, Any] = {"data": source, "records": len(messages), "kills": given.kills}
    try:
        with _services(given.servers, given.redis) as place:
            verdict = hold(place, messages, given.kills, given.seed, _tell)
        figures |= judged(verdict)
    except TrialError as error:
        figures |= {"passed": False, "failure": str(error)}
    figures["seconds"] = round(time.monotonic() - begun, 1)
    print(json.dumps(figures))
    sys.exit(0 if figures["passed"] else 1)


def judged(verdict: Verdict) -> dict[str, Any]:
    """Return the figures of a trial and whether it passed."""
    whole, killed = verdict.whole, verdict.killed
    share = verdict.resumed / max(len(verdict.kills), 1)
    equal = {
        "digest": whole.digest == killed.digest,
        "scores": whole.report == killed.report,
        "counts": whole.counts == killed.counts,
        "dead_letters": whole.dead == killed.dead,
        "values": verdict.whole_values == verdict.killed_values,
    }
    # Without dead letters and values two empty runs would be equal too.
    full = min(len(whole.dead), len(verdict.whole_values)) > 0
    return {
        "moments": collections.Counter(kill.moment for kill in verdict.kills),
        "resumed_above_0": verdict.resumed,
        "share": share,
        "floor": FLOOR,
        "equal": equal,
        "digest": whole.digest,
        "accuracy": whole.report["overall"]["accuracy"],
        "dead_letters": len(whole.dead),
        "values": len(verdict.whole_values),
        "passed": all(equal.values()) and full and share >= FLOOR,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int)
    parser.add_argument("--data", type=Path, default=streams.ELEC2)
    parser.add_argument("--servers")
    parser.add_argument("--redis")
    return parser.parse_args()


def _stream(data: Path, records: int | None) -> tuple[streams.Stream, str]:
    if data.exists():
        return streams.elec2(data, records), data.name
    return streams.drifting(records or 45_000, seed=1), f"generated ({data.name} is not there)"


def _tell(line: str) -> None:
    print(line, flush=True)


@contextlib.contextmanager
def _services(servers: str | None, redis: str | None) -> Iterator[Place]:
    """Yield the given services, or some that live as long as the context."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if servers and redis:
            yield Place(servers, redis, folder)
            return
        script = [sys.executable, str(ROOT / "docker" / "services.py"), "--folder", name]
        subprocess.run([*script, "up"], check=True, stdout=subprocess.DEVNULL)
        try:
            up = json.loads((folder / "services.json").read_text("utf-8"))
            yield Place(up["kafka"]["servers"], up["redis"]["url"], folder)
        finally:
            subprocess.run([*script, "down"], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
