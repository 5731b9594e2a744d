"""The service's side of `benchmarks.loop` and `benchmarks.lookup`."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from benchmarks.loop import TOPIC
from benchmarks.services import Services
from stream.app import Service
from stream.config import Config
from stream.loop import Loop


def configuration(services: Services, folder: Path) -> Config:
    """Return what both run: scaling and logistic regression from Kafka to Redis."""
    steps = ["river.preprocessing.StandardScaler", "river.linear_model.LogisticRegression"]
    return Config.of(
        {
            "name": "loop",
            "task": "classification",
            "log": {"kind": "kafka", "servers": services.servers, "topic": TOPIC},
            "record": {"key": "key", "label": "label"},
            "store": {"kind": "redis", "url": services.redis_url},
            "model": {"pipeline": steps, "compile": "auto"},
        },
        folder,
    )


def memory() -> int:
    """Return the resident set in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Samples memory between blocks, and notes when the first block was done."""

    def __init__(self) -> None:
        self.begun = 0.0
        self.first = 0
        self.samples: list[tuple[int, int]] = []

    def __call__(self, loop: Loop) -> None:
        """Take a sample."""
        sequence = loop.shard.sequence
        if sequence and not self.begun:
            self.begun, self.first = time.perf_counter(), sequence
        self.samples.append((sequence, memory()))


def main(servers: str, url: str, folder: str, count: str) -> None:
    """Run up to the topic's end and print the figures."""
    watch = Watch()
    shard = Service(configuration(Services(servers, url), Path(folder))).run(True, watch=watch)
    seconds = time.perf_counter() - watch.begun
    half = int(count) / 2
    figures = {
        "rate": (shard.sequence - watch.first) / seconds,
        "accuracy": shard.scores.report()["overall"]["accuracy"],
        "memory_half": max(size for sequence, size in watch.samples if sequence <= half),
        "memory_end": max(size for _, size in watch.samples),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
