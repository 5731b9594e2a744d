"""How long a first start takes: cold, when kernels are compiled, and once they are cached.

    python -m benchmarks.compiling [--rounds 3]

Services on embedded defaults, each in a process of its own, from its start to the end of its first
block: the example of `make run`, a compiled pipeline, and a compiled forest. Cold has an empty
NUMBA_CACHE_DIR, cached the one just filled. Exits 1 if a median is not below 15 s cold, imports and
all, or below 2 s cached behind the imports, which are the same where nothing is compiled; what they
take is told beside.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.failure import reported
from benchmarks.loop import messages
from benchmarks.peers.process import ROOT, figures_of
from examples import shuttle

FLOORS = {"cold": 15.0, "cached": 2.0}
RECORDS = 1_000
CONFIG = """
name = "start"
task = "classification"
[log]
kind = "embedded"
[record]
key = "key"
label = "label"
[store]
kind = "embedded"
[model]
"""
MODELS = {
    "pipeline": """
pipeline = ["river.preprocessing.StandardScaler", "river.linear_model.LogisticRegression"]
compile = "auto"
""",
    "forest": """
learner = "learners.compiled.forest.AdaptiveRandomForestClassifier"
""",
}


def main() -> int:
    """Start each service cold and cached and print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    figures: dict[str, Any] = {"services": {}}
    fine = True
    with tempfile.TemporaryDirectory() as name:
        for service, config in prepared(Path(name)).items():
            found = measure(config, Path(name) / "run", asked.rounds)
            figures["services"][service] = found
            for way, floor in FLOORS.items():
                total, imports = found[way]["seconds"], found[way]["imports"]
                judged = total if way == "cold" else total - imports
                fine = fine and judged < floor
                print(
                    f"{service:<10}{way:<8}{judged:6.2f} s (< {floor:.0f}); {total:.2f} s in all, "
                    f"of which imports {imports:.2f}; processor {found[way]['processor']:.2f} s",
                    flush=True,
                )
    figures["pass"] = fine
    print(json.dumps(figures))
    return 0 if fine else 1


def prepared(folder: Path) -> dict[str, Path]:
    """Return the configurations by service, each in a folder that has been fed."""
    (folder / "run-example").mkdir()
    example = folder / "run-example" / shuttle.CONFIG.name
    shutil.copy(shuttle.CONFIG, example)
    shuttle.write(example.with_name("all.jsonl"))
    lines = example.with_name("all.jsonl").read_text("utf-8").splitlines(keepends=True)
    configs, records = {"make run": example}, {"make run": "".join(lines[:RECORDS])}
    for name, model in MODELS.items():
        (folder / name).mkdir()
        configs[name] = folder / name / "start.toml"
        configs[name].write_text(CONFIG + model, "utf-8")
        values = ((message.value or b"").decode() for message in messages(RECORDS))
        records[name] = "\n".join(values)
    for name, config in configs.items():
        file = config.with_name("records.jsonl")
        file.write_text(records[name], "utf-8")
        command = [sys.executable, "-m", "stream", "feed", str(config), str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return configs


def measure(config: Path, place: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Start a service cold and then cached, some times; return the medians."""
    taken: dict[str, list[dict[str, float]]] = {way: [] for way in FLOORS}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            for way in FLOORS:
                taken[way].append(started(config, place, Path(cache)))
    return {
        way: {name: statistics.median(one[name] for one in found) for name in found[0]}
        for way, found in taken.items()
    }


def started(config: Path, place: Path, cache: Path) -> dict[str, float]:
    """Start a service in a copy of its folder, and return what it took."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(config.parent, place)
    return figures_of(
        [sys.executable, "-m", "benchmarks.first_block", str(place / config.name)],
        {"NUMBA_CACHE_DIR": str(cache), "BEGUN": str(time.time())},
    )


if __name__ == "__main__":
    sys.exit(reported(main))
