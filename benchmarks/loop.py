"""The whole loop against a naive script and Quix Streams: the same records, broker and Redis.

    python -m benchmarks.loop [--records 1000000] [--naive 100000] [--quix 100000] [--rounds 3]

All run river's scaling and logistic regression, in processes of their own that take turns, in one
go. The naive script is what one writes in ten minutes: kafka-python's iterator, json.loads,
predict_one, one redis.set for each record, learn_one; it saves nothing. Quix Streams hosts the
same model and writes what Alluvia writes, once record by record and once all that came in 10 s
together. These are slow and take the first records of the topic; Alluvia takes all, with scores,
guarded writes and a checkpoint every 10 s, once with kafka-python and once with confluent-kafka.
What counts is the median of the ratios within each round. Exits 1 below 18 times the naive script
with kafka-python, 30 times with confluent-kafka or 20 times Quix writing record by record, or if
memory grows.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import redis

from benchmarks.failure import reported
from benchmarks.peers.process import figures_of, interpreter
from benchmarks.services import Services, running
from stream.log import Message
from stream.log_kafka import KafkaAppender

FLAT = 1.05
TOPIC = "loop"
KEYS = 100_000
PYTHON_CLIENT, CONFLUENT = "alluvia-kafka-python", "alluvia-confluent-kafka"
NAIVE, QUIX, QUIX_LATE = "naive-script", "quix-streams", "quix-streams-late-writes"
FLOORS = {
    "naive_kafka_python": (PYTHON_CLIENT, NAIVE, 18.0),
    "naive_confluent": (CONFLUENT, NAIVE, 30.0),
    "quix": (CONFLUENT, QUIX, 20.0),
    "quix_late": (CONFLUENT, QUIX_LATE, 0.0),
}
"""By figure the way, the peer and how many times as fast as it the way is to be (0: only told)."""


class Way(NamedTuple):
    """One way to take the records: which module, of how many, by which interpreter, set how."""

    module: str
    records: int
    python: str = sys.executable
    set: Mapping[str, str] = {}
    given: tuple[str, ...] = ()


def main() -> int:
    """Run all in turns and print the figures; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--naive", type=int, default=100_000)
    parser.add_argument("--quix", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    ways = {
        NAIVE: Way("benchmarks.loop_naive", asked.naive),
        PYTHON_CLIENT: _alluvia("kafka-python", asked.records),
        QUIX: _quix(asked.quix, "each"),
        QUIX_LATE: _quix(2 * asked.quix, "batch"),
        CONFLUENT: _alluvia("confluent", asked.records),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    with running() as services, tempfile.TemporaryDirectory() as folder:
        feed(services.servers, asked.records)
        for number in range(asked.rounds):
            # Turned round each time: who runs first would always have the cooler machine.
            for name in list(ways)[:: 1 if number % 2 == 0 else -1]:
                place = Path(folder) / f"{number}-{name}"
                found[name].append(measure(ways[name], services, place))
                print(f"{name:<26}{found[name][-1]['rate']:>10,.0f} records/s", flush=True)
    return judged(found)


def judged(found: Mapping[str, list[dict[str, float]]]) -> int:
    """Print what counts, and return the exit code."""
    figures: dict[str, Any] = {"rounds": found, "ratios": {}}
    for name, rounds in found.items():
        rate = statistics.median(one["rate"] for one in rounds)
        accuracy = statistics.median(one["accuracy"] for one in rounds)
        print(f"{name:<26}{rate:>10,.0f} records/s  accuracy {accuracy:.4f}, median")
    fine = True
    for figure, (ours, peer, floor) in FLOORS.items():
        pairs = zip(found[ours], found[peer], strict=True)
        ratio = statistics.median(a["rate"] / b["rate"] for a, b in pairs)
        figures["ratios"][figure] = {"ratio": ratio, "floor": floor}
        fine = fine and ratio >= floor
        print(f"{ours}: {ratio:.1f} times {peer}" + (f" (>= {floor:.0f})" if floor else ""))
    growth = max(
        one["memory_end"] / one["memory_half"]
        for name in (PYTHON_CLIENT, CONFLUENT)
        for one in found[name]
    )
    print(f"memory of the second half x{growth:.3f} (<= {FLAT})")
    figures |= {"memory": growth, "pass": fine and growth <= FLAT}
    print(json.dumps(figures))
    return 0 if figures["pass"] else 1


def feed(servers: str, count: int) -> None:
    """Append small JSON records: four numbers, a key, a label that a linear model can learn."""
    appender = KafkaAppender(servers, TOPIC)
    appender.create(1)
    appender.append(messages(count))
    appender.close()


def messages(count: int, seed: int = 7) -> Iterator[Message]:
    """Yield the records."""
    chance = random.Random(seed)
    for i in range(count):
        a, b, c, d = (round(chance.gauss(0.0, 1.0), 4) for _ in range(4))
        label = a - 2.0 * b + 0.5 * c + chance.gauss(0.0, 0.5) > 0.0
        key = f"k{chance.randrange(KEYS)}"
        text = f'{{"key":"{key}","a":{a},"b":{b},"c":{c},"d":{d},"label":{str(label).lower()}}}'
        yield Message(key.encode(), text.encode(), i)


def measure(way: Way, services: Services, folder: Path) -> dict[str, float]:
    """Run one way in a process of its own with an empty store; return what it prints last."""
    folder.mkdir()
    with redis.Redis.from_url(services.redis_url) as store:
        store.flushdb()
    given = [services.servers, services.redis_url, str(folder), str(way.records), *way.given]
    # Each run is a service of its own to Kafka, or it would miss the checkpoint of the one before.
    group = {"ALLUVIA_LOG__GROUP": folder.name} if way.set else {}
    return figures_of([way.python, "-m", way.module, *given], {**way.set, **group})


def _alluvia(client: str, count: int) -> Way:
    return Way("benchmarks.loop_alluvia", count, set={"ALLUVIA_LOG__CLIENT": client})


def _quix(count: int, how: str) -> Way:
    python = interpreter("QUIX_PYTHON", ".venv-quix", "Quix Streams and river")
    return Way("benchmarks.loop_quix", count, python, given=(TOPIC, how))


if __name__ == "__main__":
    sys.exit(reported(main))
