"""Twenty million records with late labels: memory, open files and cost must stay as they are.

    python -m tests.faults.soak [--records 20000000] [--slice 1000000] [--keys 1000000]

Real Kafka and real Redis, its own, in a temporary folder; the log is fed while the service runs,
and takes some 80 bytes a record there. Half of the records are features, the others their labels,
some of which come early or never. What is judged is the service with the process that reads for
it, from the second slice on: the most memory and the most open files seen in any slice, and the
processor time of a record in the last one, since other processes take their share of the clock.
Exits 1 when a bound is missed; the last line is one JSON object with the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from stream.log import Message
from stream.log_kinds import open_appender
from stream.process import PINNED
from tests import runner
from tests.faults.kills import services
from tests.faults.member import TrialError
from tests.faults.soaking import configured
from tests.faults.trial import Services

MEMORY, COST = 1.03, 1.10
LOOKS, AHEAD = 4, 2
"""A slice is told of in so many parts, and so many are fed before they are asked for."""
HUNG = 300.0
"""Seconds without a word after which the service is taken for hung."""
GROUP, LATE = 1_000, 20
"""Labels come in groups of so many ids, each so many groups after its features."""
FIRST, BEGUN = 10**9, 1_700_000_000_000
"""The first id and time: later ones are as long, and so take as much room."""


def main() -> None:
    """Soak the service, print the figures, and exit 0 if everything stayed as it was."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--records", type=int, default=20_000_000)
    parser.add_argument("--slice", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, default=1_000_000)
    given = parser.parse_args()
    with services(None, None) as place:
        figures = hold(place, given.records, given.slice, given.keys, _tell)
    print(json.dumps(figures))
    sys.exit(0 if figures["passed"] else 1)


def hold(
    place: Services,
    records: int,
    of_slice: int,
    keys: int,
    tell: Callable[[str], None] = lambda line: None,
    memory: float = MEMORY,
    cost: float = COST,
) -> dict[str, Any]:
    """Run the service over the records, and judge it by bounds of growth.

    Raises
    ------
    TrialError
        It did not come to its end.
    """
    every = of_slice // LOOKS
    told: list[dict[str, Any]] = []
    for line in _lines(place, records, every, keys):
        told.append(line)
        if "memory" in line and len(told) % LOOKS == 0:
            tell(_shown(slices(told)[-1]))
    end = told.pop() if told else {}
    if "labels" not in end or end["records"] != records:
        raise TrialError(f"wanted {records:,} records to the end, got {end}")
    figures = judged(slices(told), memory, cost)
    figures["passed"] &= end["labels"]["matched"] > 0.35 * records
    return {"keys": keys, **end, **figures}


def judged(parts: Sequence[dict[str, float]], memory: float, cost: float) -> dict[str, Any]:
    """Return the figures of the slices from the second on, and whether they stay in bounds."""
    second, last = parts[1], parts[-1]
    growth = max(part["memory_mb"] for part in parts[1:]) / second["memory_mb"]
    files = max(part["files"] for part in parts[1:]) - second["files"]
    dearer = last["cpu_us"] / second["cpu_us"]
    return {
        "memory": {"growth": round(growth, 4), "bound": memory},
        "files": {"more": files, "bound": 0},
        "cost": {"ratio": round(dearer, 4), "bound": cost},
        "wall_us": [part["wall_us"] for part in parts],
        "cpu_us": [part["cpu_us"] for part in parts],
        "memory_mb": [part["memory_mb"] for part in parts],
        "open_files": [part["files"] for part in parts],
        "passed": growth <= memory and files <= 0 and dearer <= cost,
    }


def slices(told: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Return what each slice took: its peaks, and microseconds for a record."""
    parts = []
    before = {"records": 0, "cpu": 0.0, "wall": 0.0}
    for i in range(0, len(told), LOOKS):
        looks = told[i : i + LOOKS]
        after = looks[-1]
        taken = after["records"] - before["records"]
        parts.append(
            {
                "records": after["records"],
                "memory_mb": round(max(look["memory"] for look in looks) / 2**20, 1),
                "files": max(look["files"] for look in looks),
                "cpu_us": round(1e6 * (after["cpu"] - before["cpu"]) / taken, 2),
                "wall_us": round(1e6 * (after["wall"] - before["wall"]) / taken, 2),
            }
        )
        before = after
    return parts


def messages(keys: int, seed: int = 1) -> Iterator[Message]:
    """Yield features and labels without end."""
    for number in itertools.count():
        features, _ = _group(number, keys, seed)
        for pair in itertools.zip_longest(features, _labels(number, keys, seed)):
            yield from filter(None, pair)


@functools.lru_cache(LATE + 3)
def _group(number: int, keys: int, seed: int) -> tuple[list[Message], list[bool]]:
    """Return the features of a group of ids, a millisecond each, and what their labels are."""
    draw = np.random.default_rng([seed, number])
    cells = draw.normal(size=(GROUP, 3)).round(4)
    labels: list[bool] = (cells @ [1.0, -2.0, 0.5] + draw.normal(size=GROUP) > 0.0).tolist()
    features = []
    columns = zip(*cells.T.tolist(), draw.integers(keys, size=GROUP).tolist(), strict=True)
    for n, (a, b, c, key) in enumerate(columns, number * GROUP):
        text = f'{{"id":{FIRST + n},"a":{a},"b":{b},"c":{c}}}'
        features.append(Message(b"k%d" % key, text.encode(), BEGUN + n))
    return features, labels


def _labels(number: int, keys: int, seed: int) -> list[Message]:
    """Return the labels that come among a group's features, in an order of their own."""
    found = []
    for group in (number - LATE, number + 1):
        if group < 0:
            continue
        for n, label in enumerate(_group(group, keys, seed)[1], group * GROUP):
            early, never = n % 100 == 1, n % 50 == 0
            if not never and early == (group > number):
                text = f'{{"id":{FIRST + n},"label":{str(label).lower()}}}'
                found.append(Message(None, text.encode(), BEGUN + number * GROUP))
    random.Random(seed + number).shuffle(found)
    return found


def _lines(place: Services, records: int, every: int, keys: int) -> Iterator[dict[str, Any]]:
    """Run the service, feed it as it goes on, and yield what it tells."""
    name = f"soak-{uuid.uuid4().hex[:12]}"
    config = configured(place.servers, place.redis, place.folder, name, every)
    left = itertools.islice(messages(keys), records)
    with contextlib.closing(open_appender(config)) as appender:
        appender.create(1)
        appender.append(itertools.islice(left, AHEAD * every))
        given = [place.servers, place.redis, str(place.folder), name, str(records), str(every)]
        command = [sys.executable, "-m", "tests.faults.soaking", *given]
        process = subprocess.Popen(
            command, env=os.environ | PINNED, cwd=runner.ROOT, stdout=subprocess.PIPE
        )
        with process:
            while line := _line(process):
                yield json.loads(line)
                appender.append(itertools.islice(left, every))


def _line(process: subprocess.Popen[bytes]) -> bytes:
    """Return the next line that a process writes, b"" if it ended or is hung."""
    assert process.stdout is not None
    hung = threading.Timer(HUNG, process.kill)
    hung.start()
    try:
        return process.stdout.readline()
    finally:
        hung.cancel()


def _shown(part: dict[str, float]) -> str:
    return (
        f"{part['records']:>12,} records  {part['memory_mb']:>8,.1f} MB  {part['files']} files  "
        f"{part['cpu_us']:.1f} us of processor time a record, {part['wall_us']:.1f} us in all"
    )


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
