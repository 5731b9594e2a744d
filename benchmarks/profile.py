"""Where the time of a record goes: by process and thread, and as a flame graph.

    python -m benchmarks.profile [--records 2000000] [--plots docs/plots]

The service of `benchmarks.loop` runs twice: once alone, with the time that each of its threads, the
process that reads Kafka, the broker and Redis had of a processor; once under py-spy, whose samples
are drawn. Only what is done while records flow counts. Passes if it ran.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.failure import BenchmarkError, reported
from benchmarks.flame import drawn, stacks
from benchmarks.loop import feed
from benchmarks.peers.process import ROOT, figures_of, interpreter, last_line
from benchmarks.services import Services, running

HERTZ = 250


def main() -> int:
    """Run both and print the table; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--plots", type=Path, default=ROOT / "docs" / "plots")
    asked = parser.parse_args()
    with running() as services, tempfile.TemporaryDirectory() as folder:
        feed(services.servers, asked.records)
        figures = figures_of(
            [
                *(sys.executable, "-m", "benchmarks.profile_alluvia"),
                *(services.servers, services.redis_url, folder, *map(str, services.pids)),
            ],
            {"ALLUVIA_LOG__GROUP": "alone"},
        )
        raw = sampled(services, Path(folder), asked.records)
    asked.plots.mkdir(parents=True, exist_ok=True)
    (asked.plots / "flame.svg").write_text(drawn(stacks(raw)), "utf-8")
    print(f"{figures['rate']:,.0f} records/s, {1e6 / figures['rate']:.2f} us each")
    for name, spent in figures["us"].items():
        print(f"{name:<34}{spent:>6.2f} us of a processor for a record")
    print(f"{'all':<34}{sum(figures['us'].values()):>6.2f}")
    print(json.dumps(figures | {"pass": True}))
    return 0


def sampled(services: Services, folder: Path, records: int) -> str:
    """Run the service under py-spy; return its stacks, a line each with how often it was seen."""
    python = interpreter("PEERS_PYTHON", ".venv-peers", "py-spy")
    out, place = folder / "stacks", folder / "sampled"
    place.mkdir()
    command = [str(Path(python).parent / "py-spy"), "record", "--format", "raw", "--threads"]
    command += ["--subprocesses", "--rate", str(HERTZ), "--output", str(out), "--", sys.executable]
    command += ["-m", "benchmarks.loop_alluvia", services.servers, services.redis_url, str(place)]
    done = subprocess.run([*command, str(records)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode or not out.exists():
        raise BenchmarkError(f"wanted samples of py-spy, got: {last_line(done.stderr)}")
    return out.read_text("utf-8")


if __name__ == "__main__":
    sys.exit(reported(main))
