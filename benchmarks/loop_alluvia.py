"""The service's side of `benchmarks.loop`."""

import json
import os
import sys
import time
from pathlib import Path

from benchmarks.loop import TOPIC
from stream.app import Service
from stream.config import Config
from stream.loop import Loop


def memory() -> int:
    """Return the resident set in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


servers, url, folder, count = sys.argv[1:]
config = Config.of(
    {
        "name": "loop",
        "task": "classification",
        "log": {"kind": "kafka", "servers": servers, "topic": TOPIC},
        "record": {"key": "key", "label": "label"},
        "store": {"kind": "redis", "url": url},
        "model": {
            "pipeline": [
                "river.preprocessing.StandardScaler",
                "river.linear_model.LogisticRegression",
            ]
        },
    },
    Path(folder),
)
samples: list[tuple[int, int]] = []
begun = 0.0


def watch(loop: Loop) -> None:
    """Sample memory between blocks."""
    global begun
    if loop.shard.sequence and not begun:
        begun = time.perf_counter()
    samples.append((loop.shard.sequence, memory()))


shard = Service(config).run(until_end=True, watch=watch)
seconds = time.perf_counter() - begun
half = max(size for sequence, size in samples if sequence <= int(count) / 2)
figures = {
    "rate": shard.sequence / seconds,
    "accuracy": shard.scores.report()["overall"]["accuracy"],
    "memory_half": half,
    "memory_end": max(size for _, size in samples),
}
print(json.dumps(figures))
