"""All benchmarks one after the other: one file of figures, and the plots drawn from it.

    python -m benchmarks.all [--only loop flat] [--quick] [--results DIR] [--plots DIR]

Each program runs in a process of its own, and its last line, a JSON object, goes into
benchmarks/results/<date>-<machine>.json, beside what the machine is and the versions of all
libraries; then `benchmarks.plots` draws. With --quick all run on few records, which tells that they
run and nothing more: give it other folders. Exits 1 if any program did not pass.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import described, slug
from benchmarks.peers.process import ROOT
from benchmarks.plots import draw

QUICK: dict[str, list[str]] = {
    "learners_linear": ["--records=2000"],
    "learners_tree": ["--records=5000"],
    "learners_forest": [
        "--records=2000",
        "--seeds=3",
        "--river=1000",
        "--others=1000",
        "--mondrian=500",
    ],
    "loop": ["--records=50000", "--naive=5000", "--quix=10000"],
    "flat": ["--records=4000000"],
    "replay": ["--records=6000", "--rounds=1"],
    "checkpoints": ["--records=50000", "--rounds=1"],
    "latency": ["--seconds=2"],
    "compiling": ["--rounds=1"],
    "profile": ["--records=300000"],
    "lookup": ["--records=200000", "--seconds=1"],
    "overhead": ["--records=20000", "--rounds=1"],
}
"""The programs in order, and what makes each quick."""


def main() -> int:
    """Run the programs; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", choices=list(QUICK), default=list(QUICK))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--plots", type=Path, default=ROOT / "docs" / "plots")
    asked = parser.parse_args()
    begun = datetime.datetime.now(datetime.UTC)
    report: dict[str, Any] = {"begun": begun.isoformat(timespec="seconds"), "quick": asked.quick}
    report |= {"machine": described(), "programs": {}}
    asked.results.mkdir(parents=True, exist_ok=True)
    path = asked.results / f"{begun:%Y-%m-%d}-{slug(report['machine'])}.json"
    for name in asked.only:
        print(f"\n== {name}", flush=True)
        arguments = [f"--plots={asked.plots}"] if name == "profile" else []
        report["programs"][name] = run(name, arguments + (QUICK[name] if asked.quick else []))
        # Written after each: an interruption must not cost what was measured.
        path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    draw(report, asked.plots)
    passed = {name: found["pass"] for name, found in report["programs"].items()}
    print(f"\n{path}\n{json.dumps(passed | {'pass': all(passed.values())})}")
    return 0 if all(passed.values()) else 1


def run(name: str, arguments: list[str]) -> dict[str, Any]:
    """Run one program, show its tables as they come, and return its figures."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    last = ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if last:
                print(last, end="", flush=True)
            last = line
    try:
        figures: dict[str, Any] = json.loads(last)
    except json.JSONDecodeError:
        figures = {"error": f"ended with {process.returncode} and no figures"}
    print("passed" if process.returncode == 0 else "DID NOT PASS", flush=True)
    return figures | {"pass": process.returncode == 0 and figures.get("pass", False)}


if __name__ == "__main__":
    sys.exit(main())
