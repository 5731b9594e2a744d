"""A learner that stalls for longer than Kafka lets a consumer be silent, asleep and at work.

    python -m tests.faults.slow [--interval 3000]

Real Kafka and real Redis, its own, in a temporary folder. The service must keep its partitions:
one claim, every record once. Exits 1 if not; the last line is one JSON object with the figures.
A single call of C that holds the interpreter beyond the session time-out is not tried: while it
lasts nothing of the owner runs, and after 45 s the partitions are given up.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

from stream.app import Service
from stream.config import Config
from stream.log import Message
from stream.vault_kinds import checkpoints_of
from tests import runner
from tests.faults.kills import services

RECORDS = 2_000
STALLS = 2
LEARNER = '''
import time

from river import linear_model


class Stalling(linear_model.LinearRegression):
    """Stands still at two targets: once asleep, once at work."""

    def learn_one(self, x, y, w=1.0):
        if y == 500:
            time.sleep({seconds})
        elif y == 1200:
            end = time.monotonic() + {seconds}
            while time.monotonic() < end:
                pass
        super().learn_one(x, y, w)


def learner():
    return Stalling()
'''


def hold(servers: str, redis: str, folder: Path, interval: int) -> dict[str, Any]:
    """Run the service over its stalls, with `max.poll.interval.ms` of `interval`."""
    seconds = 2 * interval / 1000
    (folder / "stalling.py").write_text(LEARNER.replace("{seconds}", str(seconds)), "utf-8")
    name = f"slow-{time.time_ns()}"
    config = Config.of(
        {
            "name": name,
            "task": "regression",
            "log": {
                "kind": "kafka",
                "servers": servers,
                "options": {
                    "max_poll_interval_ms": interval,
                    "session_timeout_ms": interval // 2,
                    "heartbeat_interval_ms": interval // 10,
                },
            },
            "store": {"kind": "redis", "url": redis},
            "record": {"label": "y"},
            "model": {"learner": "stalling.py:learner"},
            "checkpoint": {"records": 100},
        },
        folder,
    )
    runner.feed(
        config,
        (Message(b"k", json.dumps({"x": i % 7, "y": i}).encode(), i) for i in range(RECORDS)),
    )
    looks = [time.monotonic()]

    shard = Service(config).run(until_end=True, watch=lambda loop: looks.append(time.monotonic()))
    gaps = [after - before for before, after in itertools.pairwise(looks)]
    stalls = sum(gap >= seconds for gap in gaps)
    newest = checkpoints_of(config).newest()
    assert newest is not None
    figures = {
        "interval_ms": interval,
        "stalls": stalls,
        "longest_step_s": round(max(gaps), 2),
        "records": shard.sequence,
        "learned": shard.counts["learned"],
        "claims_lost": newest.epoch - 1,
    }
    once = shard.sequence == shard.counts["learned"] == RECORDS and newest.epoch == 1
    return figures | {"passed": once and stalls == STALLS}


def main() -> None:
    """Hold the trial, print its figures, and exit 0 if nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.slow")
    parser.add_argument("--interval", type=int, default=3_000)
    given = parser.parse_args()
    with services(None, None) as place:
        figures = hold(place.servers, place.redis, place.folder, given.interval)
    print(json.dumps(figures))
    sys.exit(0 if figures["passed"] else 1)


if __name__ == "__main__":
    main()
