"""What checkpoints every 10 s cost a service that learns a forest of ten trees.

    python -m benchmarks.checkpoints [--records 2000000] [--rounds 3]

The same records go from Kafka through an adaptive random forest to Redis twice in each round, in
processes of their own that take turns: with a checkpoint every 10 s, and with the one at the end
alone. What counts is the median of the ratios within each round, and the longest time for which
records waited for a checkpoint. Exits 1 if checkpoints take more than 3% of the throughput, or if
one stalled the loop for more than 50 ms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import redis

from benchmarks.failure import reported
from benchmarks.loop import feed
from benchmarks.peers.process import figures_of
from benchmarks.services import Services, running

COST, STALL_MS = 0.03, 50.0
EVERY = {"every 10 s": "10s", "at the end": "1d"}


def main() -> int:
    """Run both ways in turns and print the figures; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    rounds: list[dict[str, dict[str, Any]]] = []
    with running() as services, tempfile.TemporaryDirectory() as folder:
        feed(services.servers, asked.records)
        run(services, Path(folder) / "warm", "1d")  # compiles
        for number in range(asked.rounds):
            order = list(EVERY) if number % 2 == 0 else list(reversed(EVERY))
            found = {
                name: run(services, Path(folder) / f"{number}-{name[:2]}", EVERY[name])
                for name in order
            }
            rounds.append(found)
            told = "   ".join(f"{name} {found[name]['rate']:,.0f}" for name in EVERY)
            waits = ", ".join(f"{stall:.1f}" for stall in found["every 10 s"]["stalls_ms"])
            print(f"{told} records/s   stalls {waits} ms", flush=True)
    cost = 1 - statistics.median(
        one["every 10 s"]["rate"] / one["at the end"]["rate"] for one in rounds
    )
    stalls = [stall for one in rounds for stall in one["every 10 s"]["stalls_ms"]]
    fine = cost <= COST and bool(stalls) and max(stalls) <= STALL_MS
    print(f"cost {cost:.1%} (<= {COST:.0%}); longest stall {max(stalls, default=0):.1f} ms")
    print(json.dumps({"rounds": rounds, "cost": cost, "stalls_ms": stalls, "pass": fine}))
    return 0 if fine else 1


def run(services: Services, folder: Path, every: str) -> dict[str, Any]:
    """Run one way in a process of its own, with a store that is empty."""
    folder.mkdir()
    with redis.Redis.from_url(services.redis_url) as store:
        store.flushdb()
    command = [sys.executable, "-m", "benchmarks.checkpoints_alluvia"]
    return figures_of(
        [*command, services.servers, services.redis_url, str(folder), every],
        {"ALLUVIA_LOG__GROUP": folder.name},
    )


if __name__ == "__main__":
    sys.exit(reported(main))
