"""A replay in two processes against one: the same model, in little more than half the time.

    python -m benchmarks.replay [--records 60000] [--rounds 3]

History is a Parquet file, the model a rolling ensemble of river's naive Bayes. Whole commands
are timed in turn, and beside each one that replays ten records, for what it takes to start; the
ratio is that of the medians without the start. Exits 1 below the floor, or where digests or scores
differ; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

FLOOR = 1.8
FEW = 10
CONFIG = """
name = "past"
task = "classification"
[record]
label = "label"
[model]
pipeline = ["river.preprocessing.StandardScaler", "river.naive_bayes.GaussianNB"]
[model.window]
records = 1_000
keep = 10
[output]
log = "json"
"""


def main() -> int:
    """Replay in turn and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    taken: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "past.toml").write_text(CONFIG, "utf-8")
        write(folder / "past.parquet", asked.records)
        write(folder / "few.parquet", FEW)
        models = []
        for round_ in range(asked.rounds):
            for processes in taken:
                name = f"r{round_}-{processes}"
                start, _ = replayed(folder, f"few-{name}", "few.parquet", processes)
                seconds, model = replayed(folder, name, "past.parquet", processes)
                print(f"{processes} processes: {seconds:.1f} s, {start:.1f} to start", flush=True)
                taken[processes].append(seconds - start)
                models.append(model)
    one, two = (statistics.median(seconds) for seconds in taken.values())
    same = all(model == models[0] for model in models)
    print(f"ratio {one / two:.2f} (floor {FLOOR}); models and scores equal: {same}")
    fine = one / two >= FLOOR and same
    figures = {"one": one, "two": two, "ratio": one / two, "equal": same, "pass": fine}
    print(json.dumps(figures))
    return 0 if fine else 1


def write(path: Path, count: int, seed: int = 7) -> None:
    """Write records of six numbers whose label turns as time goes on."""
    chance = np.random.default_rng(seed)
    columns = {name: chance.normal(size=count) for name in "abcdef"}
    turn = np.sin(np.arange(count) / 5_000)
    noise = 0.3 * chance.normal(size=count)
    label = columns["a"] + columns["b"] * turn + noise > 0.0
    pyarrow.parquet.write_table(pyarrow.table({**columns, "label": label}), path)


def replayed(folder: Path, name: str, file: str, processes: int) -> tuple[float, dict[str, Any]]:
    """Replay once; return how long it took, and what model and scores came of it."""
    command = [sys.executable, "-m", "stream", "replay", "past.toml", "--as", name]
    given = ["--file", file, "--processes", str(processes)]
    begun = time.perf_counter()
    done = subprocess.run([*command, *given], cwd=folder, check=True, capture_output=True)
    seconds = time.perf_counter() - begun
    told = json.loads(done.stdout.splitlines()[-1])
    return seconds, {key: told[key] for key in ("version", "digest", "scores")}


if __name__ == "__main__":
    sys.exit(main())
