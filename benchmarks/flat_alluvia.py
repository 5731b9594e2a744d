"""The service's side of `benchmarks.flat`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.loop_alluvia import memory
from stream.app import Service
from stream.config import Config
from stream.loop import Loop
from stream.sources import open_files


class Watch:
    """Samples records, seconds, processor seconds and memory between blocks."""

    def __init__(self) -> None:
        self.samples: list[tuple[int, float, float, int]] = []

    def __call__(self, loop: Loop) -> None:
        """Take a sample."""
        self.samples.append(
            (loop.shard.sequence, time.perf_counter(), time.process_time(), memory())
        )


def main(folder: str, part: str) -> None:
    """Replay the file and print the figures of each part."""
    place, watch = Path(folder), Watch()
    files = open_files(configuration(place), [place / "flat.parquet"], "flat")
    shard = Service(configuration(place), [files]).run(watch=watch)
    sequence, wall, cpu, held = np.array(watch.samples).T
    # A part ends inside a block: its time is that of the line between the samples.
    ends = np.arange(0, shard.sequence + 1, int(part))
    figures = {
        "times": np.diff(np.interp(ends, sequence, wall)).tolist(),
        "cpu": np.diff(np.interp(ends, sequence, cpu)).tolist(),
        "memory": [
            float(held[(sequence > first) & (sequence <= first + int(part))].max())
            for first in ends[:-1]
        ],
        "accuracy": shard.scores.report()["overall"]["accuracy"],
    }
    print(json.dumps(figures))


def configuration(folder: Path) -> Config:
    """Return scaling and logistic regression, compiled, from a file to the embedded store."""
    steps = ["river.preprocessing.StandardScaler", "river.linear_model.LogisticRegression"]
    return Config.of(
        {
            "name": "flat",
            "task": "classification",
            "record": {"key": "key", "label": "label"},
            "store": {"kind": "embedded"},
            "model": {"pipeline": steps, "compile": "auto"},
        },
        folder,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
