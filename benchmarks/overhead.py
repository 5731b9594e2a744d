"""What nothing-lost costs: the loop's benchmark before and after it was built, in turns.

    python -m benchmarks.overhead [--records 1000000] [--rounds 5] [--against 41b0b16]

Before journal, late labels, outbox, rescue and health there was a revision that did the same
benchmark; it is taken out of the repository's history and run beside the present one: the same
records, broker, Redis and river model, a checkpoint every 10 s, in processes of their own that
take turns. A third way has on what the benchmark leaves off: four partitions, whose order is
journalled, a [label] table and a topic of dead letters. What counts is the median of the ratios
within each round, since a machine has faster and slower minutes. Exits 1 if the present revision
takes more than 5% longer than the earlier one; processor time is told beside it, start included.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import redis

from benchmarks.loop import TOPIC, feed, messages
from benchmarks.services import Services, running
from stream.log_kafka import KafkaAppender

ROOT = Path(__file__).parents[1]
BEFORE = "41b0b16"
"""The last revision in which a crash, a bad record or a second partition could still harm."""
FLOOR = 1.05
PARTED = f"{TOPIC}-parted"
PARTITIONS = 4
OFF = {"ALLUVIA_MODEL__COMPILE": "off"}
"""Both revisions learn with river's own code."""
ALL_ON = {
    **OFF,
    "ALLUVIA_LOG__TOPIC": PARTED,
    "ALLUVIA_DEAD__TOPIC": f"{TOPIC}-dead",
    "ALLUVIA_RECORD__ID": "id",
    "ALLUVIA_LABEL__WITHIN": "1h",
}


COMPARED = ("now", "all on")


class Figures(NamedTuple):
    """Microseconds for a record."""

    wall_us: float
    cpu_us: float


class Way(NamedTuple):
    """One way to do the benchmark: where the code is, and what is set besides."""

    tree: Path
    set: Mapping[str, str]


def main() -> int:
    """Run all ways in turns and print the figures; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", default=BEFORE)
    asked = parser.parse_args()
    rounds: list[dict[str, Figures]] = []
    with running() as services, tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "before"
        take_out(asked.against, earlier)
        ways = {"before": Way(earlier, {}), "now": Way(ROOT, OFF), "all on": Way(ROOT, ALL_ON)}
        feed(services.servers, asked.records)
        feed_parted(services.servers, asked.records)
        for number in range(asked.rounds):
            # Turned round each time: who runs first would always have the cooler machine.
            order = list(ways) if number % 2 == 0 else list(reversed(ways))
            found = {
                name: run(ways[name], services, Path(folder) / f"{number}-{name}", asked.records)
                for name in order
            }
            rounds.append(found)
            told = "   ".join(f"{name} {found[name].wall_us:.1f}" for name in ways)
            print(f"{told}   us a record", flush=True)
    figures = judged(rounds)
    for name in COMPARED:
        wall, cpu = figures["wall"][name], figures["cpu"][name]
        print(f"{name}: x{wall:.3f} of the time it took before, x{cpu:.3f} of the processor time")
    print(json.dumps(figures | {"against": asked.against}))
    return 0 if figures["pass"] else 1


def judged(rounds: list[dict[str, Figures]]) -> dict[str, Any]:
    """Return the time each way takes of that before, and whether the present one is in bounds."""
    wall, cpu = (
        {
            name: statistics.median(one[name][i] / one["before"][i] for one in rounds)
            for name in COMPARED
        }
        for i in range(2)
    )
    listed = [{name: one._asdict() for name, one in found.items()} for found in rounds]
    return {
        "rounds": listed,
        "wall": wall,
        "cpu": cpu,
        "floor": FLOOR,
        "pass": wall["now"] <= FLOOR,
    }


def take_out(revision: str, folder: Path) -> None:
    """Put the files of a revision into a folder."""
    command = ["git", "-C", str(ROOT), "archive", revision]
    packed = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(folder, filter="data")


def feed_parted(servers: str, count: int) -> None:
    """Append the records of the benchmark to a topic of several partitions."""
    appender = KafkaAppender(servers, PARTED)
    appender.create(PARTITIONS)
    appender.append(messages(count))
    appender.close()


def run(way: Way, services: Services, folder: Path, count: int) -> Figures:
    """Run one way in a process of its own, with a store that is empty."""
    folder.mkdir()
    with redis.Redis.from_url(services.redis_url) as store:
        store.flushdb()
    # Each run is a service of its own to Kafka, or it would miss the checkpoint of the one before.
    group = {"ALLUVIA_LOG__GROUP": folder.name.replace(" ", "-"), "PYTHONPATH": str(way.tree)}
    given = [services.servers, services.redis_url, str(folder), str(count)]
    before = _processor_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.loop_alluvia", *given],
        cwd=way.tree,
        env={**os.environ, **group, **way.set},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    rate = json.loads(done.stdout.splitlines()[-1])["rate"]
    return Figures(1e6 / rate, 1e6 * (_processor_seconds() - before) / count)


def _processor_seconds() -> float:
    """Return the processor time of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
