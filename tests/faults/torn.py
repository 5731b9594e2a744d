"""Damages the files of a checkpoint folder, one after the other, and starts the service again.

    python -m tests.faults.torn [--tries N] [--seed S] [--learner L] [--shape A|B] [--records N]

A service is killed (SIGKILL) several times; what it leaves is copied for each try, and a file of
the checkpoint folder is cut, one bit of it flipped, or it is taken away. Then the service either
goes on to its end, from the checkpoint before if it has to, and all is as if nothing had
happened; or it refuses with a sentence that tells what to do, and once the file is brought back
all is as if nothing had happened. Dead letters may be lost with their file, if it says so. The
embedded log and store; `--on-services` so many tries are held with real Kafka and real Redis, its
own. Exits 1 when anything else happens; the last line is one JSON object with the figures.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests import streams
from tests.faults.judgement import Try, judged
from tests.faults.kills import services, stream_of, tell
from tests.faults.shapes import LEARNERS, SHAPES, Shape
from tests.faults.torn_services import hold_on_services
from tests.faults.world import World
from tests.streams import Stream

ENDINGS = (("stored", 12), ("unsent", 12), ("restoring", 0), ("stored", 0))
"""Moments at which the last service before the damage is killed, and twentieths of the records.

At 0 it has claimed, and not published.
"""
MEMORY = Path("/dev/shm")
"""A file is damaged when its writer is dead: a disk would only be slower."""


def hold(
    folder: Path,
    shape: Shape,
    learner: str,
    stream: Stream,
    ending: tuple[str, int],
    tries: int,
    seed: int,
) -> list[Try]:
    """Make a world and damage it so many times."""
    world = World(folder / "world", shape, learner, stream, ending, seed)
    draw = random.Random(seed)
    done = []
    for i in range(tries):
        copy = folder / f"try-{i}"
        done.append(world.attempt(copy, draw))
        if not done[-1].fine:
            tell(f"{done[-1]}")
        shutil.rmtree(copy)
    return done


def main() -> None:
    """Hold the tries, print their figures, and exit 0 if each did what it may."""
    given = _arguments()
    begun = time.monotonic()
    done = [*_worlds(given), *_on_services(given)]
    figures = judged(done) | {"seconds": round(time.monotonic() - begun, 1)}
    figures["passed"] &= figures["tries"] == given.tries + given.on_services
    print(json.dumps(figures))
    sys.exit(0 if figures["passed"] else 1)


def _worlds(given: argparse.Namespace) -> Iterator[Try]:
    """Yield the tries, shared out over learners, shapes and endings."""
    chosen = list(itertools.product(given.shape or SHAPES, given.learner))
    for i, (shape, learner) in enumerate(chosen):
        tries = given.tries * (i + 1) // len(chosen) - given.tries * i // len(chosen)
        ending = ENDINGS[i % len(ENDINGS)]
        stream, source = stream_of(given.data, given.records // (2 if SHAPES[shape].late else 1))
        tell(f"{shape}, {learner}, killed last at {ending[0]}: {tries} tries, {source}")
        with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
            place = Path(name)
            yield from hold(place, SHAPES[shape], learner, stream, ending, tries, given.seed + i)


def _on_services(given: argparse.Namespace) -> Iterator[Try]:
    """Yield the tries with real Kafka and real Redis."""
    if not given.on_services:
        return
    stream, _ = stream_of(given.data, given.records)
    shapes = given.shape or list(SHAPES)
    with services(None, None) as place:
        for i in range(given.on_services):
            shape, learner = shapes[i % len(shapes)], given.learner[i % len(given.learner)]
            done = hold_on_services(place, SHAPES[shape], learner, stream, given.seed + i)
            tell(f"on services, {shape}, {learner}: {done.outcome}")
            yield done


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.torn")
    parser.add_argument("--tries", type=int, default=600)
    parser.add_argument("--on-services", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--learner", choices=LEARNERS, nargs="*", default=list(LEARNERS))
    parser.add_argument("--shape", choices=SHAPES, action="append")
    parser.add_argument("--records", type=int, default=2_000)
    parser.add_argument("--data", type=Path, default=streams.ELEC2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
