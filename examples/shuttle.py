"""The main job on embedded defaults: feed, run, look up, and what extending costs.

    python -m examples.shuttle [--folder .alluvia/example]

The records are river's Shuttle data set, 49,097 sensor readings of which 7% are anomalies.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from river import datasets

from examples.extension import compare, table

CONFIG = Path(__file__).with_name("shuttle.toml")
LOOKED_UP = ("r49096", "r49000", "r20000")
WINDOW = 1_000


def main() -> int:
    """Run the example; on a terminal it ends with the panel up."""
    parser = argparse.ArgumentParser(description="The main job on embedded defaults.")
    parser.add_argument("--folder", type=Path, default=Path(".alluvia/example"))
    folder = parser.parse_args().folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(CONFIG, folder)
    records = folder / "shuttle.jsonl"
    x, y = write(records)
    config = str(folder / CONFIG.name)
    alluvia("feed", config, str(records))
    alluvia("run", config, "--until-end")
    alluvia("lookup", config, *LOOKED_UP)
    print("\nWhat extending cost against retraining a same-sized model on everything so far:")
    print(table(compare(x, y, WINDOW)), flush=True)
    if sys.stdout.isatty():
        print("\nThe service goes on; feed it more from another terminal, Ctrl-C ends it:")
        print(f"  .venv/bin/alluvia feed {config} {records}")
        alluvia("run", config)
    return 0


def write(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Write the data set as JSON lines, and return it as a matrix and labels."""
    rows, labels = [], []
    with path.open("w", encoding="utf-8") as file:
        for i, (features, label) in enumerate(datasets.Shuttle()):
            record = {"reading": f"r{i}", **features, "anomaly": label}
            file.write(json.dumps(record) + "\n")
            rows.append(list(features.values()))
            labels.append(label)
    return np.array(rows, dtype=np.float64), np.array(labels)


def alluvia(*arguments: str) -> None:
    """Run the command as a user would, and end where it fails or Ctrl-C ends it."""
    print(f"\n$ alluvia {' '.join(arguments)}", flush=True)
    with subprocess.Popen([sys.executable, "-m", "stream", *arguments]) as command:
        try:
            code = command.wait()
        except KeyboardInterrupt:
            # Ctrl-C went to the command too: a service saves and ends, and must not be killed.
            if command.wait() == 0:
                sys.exit(0)
            raise
    if code:
        sys.exit(code)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
