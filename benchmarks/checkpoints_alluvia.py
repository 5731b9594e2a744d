"""The service's side of `benchmarks.checkpoints`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.loop import TOPIC
from stream.app import Service
from stream.config import Config
from stream.loop import Loop


class Stalls:
    """Notes for how long records waited for each checkpoint, and when the first block was done."""

    def __init__(self) -> None:
        self.begun = 0.0
        self.first = 0
        self.saved_at = 0.0
        self.stalls: list[float] = []

    def __call__(self, loop: Loop) -> None:
        """Look at the loop between two blocks."""
        if loop.shard.sequence and not self.begun:
            self.begun, self.first = time.perf_counter(), loop.shard.sequence
            self.saved_at = loop.saved_at
        if self.begun and loop.saved_at != self.saved_at:
            self.saved_at = loop.saved_at
            self.stalls.append(loop.stall * 1e3)


def main(servers: str, url: str, folder: str, every: str) -> None:
    """Run one way up to the topic's end and print the figures."""
    config = Config.of(
        {
            "name": "forest",
            "task": "classification",
            "log": {"kind": "kafka", "servers": servers, "topic": TOPIC},
            "record": {"key": "key", "label": "label"},
            "store": {"kind": "redis", "url": url},
            "model": {"learner": "learners.compiled.forest.AdaptiveRandomForestClassifier"},
            "checkpoint": {"every": every},
        },
        Path(folder),
    )
    watch = Stalls()
    shard = Service(config).run(True, watch=watch)
    seconds = time.perf_counter() - watch.begun
    figures = {
        "rate": (shard.sequence - watch.first) / seconds,
        "accuracy": shard.scores.report()["overall"]["accuracy"],
        "stalls_ms": watch.stalls,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
