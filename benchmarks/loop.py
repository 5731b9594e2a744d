"""The whole loop against a naive script: the same records, broker, Redis and river model.

    python -m benchmarks.loop [--records 1000000] [--naive 100000]

Both run in processes of their own, in one go. The naive script is what one writes in ten minutes:
kafka-python's iterator, json.loads, predict_one, one redis.set for each record, learn_one; it
saves nothing. It takes the first `--naive` records of the same topic, once before and once after
Alluvia, which takes all of them with scores, guarded writes and a checkpoint every 10 s; the
faster of the two counts. Exits 1 below the floor.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.services import Services, running
from stream.log import Message
from stream.log_kafka import KafkaAppender

FLOOR = 5.0
FLAT = 1.05
TOPIC = "loop"
KEYS = 100_000


def main() -> int:
    """Run both and print the figures; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--naive", type=int, default=100_000)
    asked = parser.parse_args()
    with running() as services, tempfile.TemporaryDirectory() as folder:
        feed(services.servers, asked.records)
        place = Path(folder)
        before = measure("benchmarks.loop_naive", services, place, asked.naive)
        alluvia = measure("benchmarks.loop_alluvia", services, place, asked.records)
        after = measure("benchmarks.loop_naive", services, place, asked.naive)
    naive = max(before, after, key=lambda figures: figures["rate"])
    ratio = alluvia["rate"] / naive["rate"]
    growth = alluvia["memory_end"] / alluvia["memory_half"]
    print(f"naive script   {naive['rate']:>9,.0f} records/s  accuracy {naive['accuracy']:.4f}")
    print(f"alluvia        {alluvia['rate']:>9,.0f} records/s  accuracy {alluvia['accuracy']:.4f}")
    print(f"ratio {ratio:.1f} (floor {FLOOR}); memory of the second half x{growth:.3f} (<= {FLAT})")
    fine = ratio >= FLOOR and growth <= FLAT
    figures = {"naive": naive, "alluvia": alluvia, "ratio": ratio, "memory": growth, "pass": fine}
    print(json.dumps(figures))
    return 0 if fine else 1


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


def measure(module: str, services: Services, folder: Path, count: int) -> dict[str, float]:
    """Run one side in a process of its own; return the figures it prints last."""
    command = [sys.executable, "-m", module, services.servers, services.redis_url]
    done = subprocess.run(
        [*command, str(folder), str(count)], check=True, capture_output=True, text=True
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    sys.exit(main())
