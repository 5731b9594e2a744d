"""From a record's append in Kafka to its prediction's being readable in Redis.

    python -m benchmarks.latency [--rates 1000 10000 50000] [--seconds 20]

The service runs as its users run it. A producer appends records at each rate; a few hundred of
them a second carry a key of their own, and a reader asks Redis for that key, over and over, from
just before the append until the prediction is there. So the times hold producing, Kafka, fetching,
learning, writing and a look-up, all on the same cores; between two look-ups the reader sleeps for
half a millisecond, which is in them too. Exits 1 if at 10,000 records a second the p99 is not
below 25 ms, or a prediction was not seen.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import redis

from benchmarks.loop import TOPIC, messages
from benchmarks.services import Services, running
from stream.log_kafka import KafkaAppender

FLOOR_RATE, FLOOR_MS = 10_000, 25.0
PROBES = 200
WARM_RATE = 100
SETTLE = 3.0
PATIENCE = 10.0
PAUSE = 0.0005
CONFIG = """
name = "latency"
task = "classification"
[log]
kind = "kafka"
servers = "{servers}"
topic = "{topic}"
[record]
key = "key"
label = "label"
[store]
kind = "redis"
url = "{url}"
[model]
pipeline = ["river.preprocessing.StandardScaler", "river.linear_model.LogisticRegression"]
compile = "auto"
"""


def main() -> int:
    """Measure each rate and print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rates", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    figures: dict[str, Any] = {}
    with running() as services, tempfile.TemporaryDirectory() as folder:
        appender = KafkaAppender(services.servers, TOPIC)
        appender.create(1)
        appender.close()
        with service(services, Path(folder)):
            measure(services, WARM_RATE, PATIENCE)
            for rate in asked.rates:
                figures[str(rate)] = found = measure(services, rate, asked.seconds)
                print(
                    f"{rate:>7,} records/s  p50 {found['p50']:6.1f}  p99 {found['p99']:6.1f}  "
                    f"p99.9 {found['p99.9']:6.1f} ms  ({found['count']:,} measured, "
                    f"{found['lost']:,} not seen, offered {found['offered']:,.0f}/s)"
                )
    judged = figures.get(str(FLOOR_RATE))
    figures["pass"] = judged is not None and judged["p99"] < FLOOR_MS and not judged["lost"]
    print(json.dumps(figures))
    return 0 if figures["pass"] else 1


def measure(services: Services, rate: int, seconds: float) -> dict[str, float]:
    """Offer records at a rate for some seconds; return how long the marked ones took, in ms."""
    reader = Reader(services.redis_url)
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": services.servers,
            "linger.ms": 1,
            "queue.buffering.max.messages": 2_000_000,
        }
    )
    chances = messages(min(rate * 2, 100_000), seed=rate)
    texts = [message.value or b"" for message in chances]
    every = max(rate // PROBES, 1)
    begun = time.perf_counter()
    sent = 0
    while (passed := time.perf_counter() - begun) < SETTLE + seconds:
        due = int(passed * rate)
        for i in range(sent, due):
            text = texts[i % len(texts)]
            if i % every == 0 and passed > SETTLE:
                key = f"probe-{rate}-{i}"
                text = b'{"key":"%s",' % key.encode() + text.partition(b",")[2]
                reader.watch(key)
            producer.produce(TOPIC, text)
        sent = max(sent, due)
        producer.poll(0)
        time.sleep(0.0005)
    offered = sent / (time.perf_counter() - begun)
    producer.flush(10)
    times, lost = reader.close()
    return summary(times) | {"lost": lost, "offered": offered}


class Reader:
    """Asks Redis for keys, oldest first, until each has a prediction."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)
        self._waiting: list[tuple[str, float]] = []
        self._changed = threading.Condition()
        self._times: list[float] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def watch(self, key: str) -> None:
        """Ask for a key from now on."""
        with self._changed:
            self._waiting.append((f"alluvia:{{latency}}:prediction:{key}", time.perf_counter()))
            self._changed.notify()

    def close(self) -> tuple[list[float], int]:
        """Wait for the last; return the seconds each took, and how many never came."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._client.close()
        return self._times, len(self._waiting)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                key, since = self._waiting[0]
            if self._client.hexists(key, "prediction"):
                self._times.append(time.perf_counter() - since)
                self._waiting.pop(0)
            elif time.perf_counter() - since > PATIENCE:
                return
            else:
                time.sleep(PAUSE)


def summary(times: list[float]) -> dict[str, float]:
    """Return the count and percentiles in ms."""
    ordered = sorted(times) or [float("inf")]
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    found = {
        name: ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1e3
        for name, share in shares.items()
    }
    return {"count": len(times), **found}


@contextlib.contextmanager
def service(services: Services, folder: Path) -> Iterator[None]:
    """Run the service as a user does."""
    path = folder / "latency.toml"
    path.write_text(CONFIG.format(servers=services.servers, url=services.redis_url, topic=TOPIC))
    process = subprocess.Popen(
        [sys.executable, "-m", "stream", "run", str(path)], stdout=subprocess.DEVNULL, cwd=folder
    )
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError(f"wanted a service that runs, got one that ended: {process.poll()}")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
