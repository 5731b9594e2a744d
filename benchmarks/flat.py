"""Whether the cost of a record stays flat: millions of them from Parquet, a million keys.

    python -m benchmarks.flat [--records 50000000]

A seeded generator writes a Parquet file in pieces; the service takes it as a replay does, through
its own loop, into the embedded store, with scores and a checkpoint every 10 s. The keys go round,
in a mixed order: each million of records has each key once. Exits 1 if the last million takes more
than 5% longer than the second, or if the service holds more than 3% more memory at any time after
the second than at its end.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from benchmarks.failure import BenchmarkError, reported
from benchmarks.peers.process import figures_of

MILLION, STEP = 1_000_000, 7_919
PIECE = 100_000
TIME, MEMORY = 1.05, 1.03
SCHEMA = pyarrow.schema(
    [("key", pyarrow.string())]
    + [(name, pyarrow.float64()) for name in "abcd"]
    + [("label", pyarrow.bool_())]
)


def main() -> int:
    """Write, run and print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=50 * MILLION)
    asked = parser.parse_args()
    if asked.records < 3 * MILLION:
        raise BenchmarkError(
            f"wanted 3,000,000 records at least, got {asked.records:,}: the second million is "
            "compared with the last"
        )
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "flat.parquet", asked.records)
        figures = run(Path(folder))
    times, memory, cpu = figures["times"], figures["memory"], figures["cpu"]
    figures["slower"] = times[-1] / times[1]
    figures["slower_cpu"] = cpu[-1] / cpu[1]
    figures["grown"] = max(memory[2:]) / memory[1]
    figures["pass"] = figures["slower"] <= TIME and figures["grown"] <= MEMORY
    print(
        f"{asked.records:,} records: {asked.records / sum(times):,.0f} records/s; accuracy "
        f"{figures['accuracy']:.4f}\n"
        f"each {MILLION:,}: the second took {times[1]:.2f} s, the last {times[-1]:.2f} s, "
        f"x{figures['slower']:.3f} (<= {TIME}); processor x{figures['slower_cpu']:.3f}"
        f"\nmemory {memory[1] / 2**20:.0f} MB after the second, {max(memory[2:]) / 2**20:.0f} MB "
        f"at most later, x{figures['grown']:.3f} (<= {MEMORY})"
    )
    print(json.dumps(figures))
    return 0 if figures["pass"] else 1


def write(path: Path, count: int, seed: int = 7) -> None:
    """Write four numbers, a label that a linear model can learn, and a key."""
    chance = np.random.default_rng(seed)
    with pyarrow.parquet.ParquetWriter(path, SCHEMA) as file:
        for at in range(0, count, PIECE):
            rows = np.arange(at, min(at + PIECE, count))
            a, b, c, d = chance.normal(size=(4, len(rows))).round(4)
            label = a - 2.0 * b + 0.5 * c + 0.5 * chance.normal(size=len(rows)) > 0.0
            names = [f"k{key}" for key in (rows * STEP % MILLION).tolist()]
            columns = [names, a, b, c, d, label]
            file.write_batch(
                pyarrow.record_batch([pyarrow.array(column) for column in columns], schema=SCHEMA)
            )


def run(folder: Path) -> dict[str, Any]:
    """Run the service in a process of its own, and return the figures that it prints."""
    return figures_of(
        [sys.executable, "-m", "benchmarks.flat_alluvia", str(folder), str(MILLION)], {}
    )


if __name__ == "__main__":
    sys.exit(reported(main))
