"""Fuzzes what strangers write, guided by coverage: records, and the configuration.

    python -m tests.faults.fuzz [--minutes 5] [--seed 1] [--target decode|config]

Each target for some minutes; see `tests.faults.promises` for what must hold. An input that
breaks it ends the run of its target, and is printed in base64. Exits 1 if there is one; the last
line is one JSON object with the figures.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from stream.config import Config
from stream.refusal import table_in
from tests import runner
from tests.command import CONFIG
from tests.configuring import BASE
from tests.decoding import BAD, GOOD
from tests.faults.promises import WAYS

TARGETS = ("decode", "config")
LONGEST = 4_096
SLOW_SECONDS = 10
"""An input that takes longer counts as one that hangs."""
WORDS = {
    "decode": ["{", "}", "[", "]", ":", ",", "null", "true", "1e999", "-0", "NaN", "\\ud800"],
    "config": ["[", "]", "[[", "]]", "{", "}", "=", '"""', "'", "inf", "nan", "1979-05-27", "0x"],
}


def main() -> None:
    """Fuzz, print the figures, and exit 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=TARGETS, action="append")
    given = parser.parse_args()
    found = {}
    for target in given.target or TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            found[target] = hold(Path(folder), target, round(60 * given.minutes), given.seed)
        print(f"{target}: {found[target]}", flush=True)
    passed = all(one["passed"] for one in found.values())
    print(json.dumps({"minutes": given.minutes, **found, "passed": passed}))
    sys.exit(0 if passed else 1)


def hold(folder: Path, target: str, seconds: int, seed: int) -> dict[str, Any]:
    """Fuzz one target; return how much was tried and covered, and what was found."""
    inputs = folder / "inputs"
    inputs.mkdir()
    for i, data in enumerate(_seeds(target)):
        (inputs / f"seed-{i}").write_bytes(data)
    words = folder / "words"
    words.write_text("\n".join(map(_quoted, _words(target))), "utf-8")
    options = {
        "max_total_time": seconds,
        "seed": seed,
        "max_len": LONGEST,
        "timeout": SLOW_SECONDS,
        "dict": words,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.fuzzing", target]
        + [f"-{name}={value}" for name, value in options.items()]
        + [str(inputs)],
        cwd=runner.ROOT,
        capture_output=True,
        check=False,
    )
    raised, told = (data.decode("utf-8", "replace") for data in (done.stdout, done.stderr))
    return _figures(folder, done.returncode, raised, told)


def _figures(folder: Path, code: int, raised: str, told: str) -> dict[str, Any]:
    tried = re.search(r"stat::number_of_executed_units: (\d+)", told)
    covered = re.findall(r"cov: (\d+)", told)
    cases = [base64.b64encode(path.read_bytes()).decode() for path in folder.glob("*-*")]
    return {
        "tried": int(tried[1]) if tried else 0,
        "covered": int(covered[-1]) if covered else 0,
        "cases": cases,
        "told": "" if code == 0 else (raised or told)[-2_000:],
        "passed": code == 0 and tried is not None and not cases,
    }


def _seeds(target: str) -> Iterator[bytes]:
    """Yield inputs to begin with."""
    if target == "config":
        yield from (text.encode() for text in (BASE, CONFIG))
        yield from (path.read_bytes() for path in runner.ROOT.glob("examples/*.toml"))
        return
    bad = [value for value, _ in BAD.values() if len(value) < LONGEST]
    for way in range(len(WAYS)):
        yield bytes([way]) + b"\n".join(
            b"\0" + value for value in (GOOD, *bad[way :: len(WAYS)], GOOD)
        )


def _words(target: str) -> Iterator[str]:
    """Yield words that inputs are made of."""
    yield from WORDS[target]
    if target == "config":
        yield from sorted(set(_names(Config)))
    else:
        yield from (f'"{name}":' for name in ("x", "y", "id", "t", "w", "k", "a", "of", "n", "b"))


def _names(table: type[BaseModel]) -> Iterable[str]:
    for name, field in table.model_fields.items():
        yield name
        inner = table_in(field.annotation)
        if inner is not None:
            yield from _names(inner)


def _quoted(word: str) -> str:
    """Return a word as a line of libFuzzer's dictionary."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    main()
