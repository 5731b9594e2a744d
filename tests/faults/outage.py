"""Takes away what a service needs while it works, and gives it back: it must go on by itself.

    python -m tests.faults.outage [--kind K] [--times N] [--seed S] [--records N]

Real Kafka and real Redis, its own, in a temporary folder. In each kind of outage one service runs
over a stream, and some times in mid-stream something is gone: Redis or the broker or both are
killed with SIGKILL, Redis has no memory left, the disk of the checkpoints is full, the network
stands still. It comes back once the service has said that it waits. What is left in the end must
equal what a service left that was not disturbed, and no key of Redis may ever have gone backwards.
Exits 1 if not; the last line is one JSON object with the figures. It wants root, for a small disk.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from learners.errors import AlluviaError
from stream.app import Service
from stream.config import load
from stream.shard import Shard
from stream.vault_kinds import checkpoints_of
from tests import streams
from tests.faults.dying import told_of
from tests.faults.grounds import Grounds, clear, fill, grounds, small_disk
from tests.faults.left import Left, held, left_by, taken, values
from tests.faults.member import Member
from tests.faults.saboteur import Saboteur, said
from tests.faults.shapes import EVERY, SHAPES
from tests.faults.trial import Services, Trial
from tests.faults.watchman import Watchman

DEADLINE = 300.0
"""Seconds after which a service that has not come to the end is taken for hung."""
WARNINGS = 9
"""The most lines for one outage: the readers of two topics, the producer and the store say that
they wait, and that they do not any more; and the store is another one."""
IMPATIENT = {"request_timeout_ms": 3_000, "delivery_timeout_ms": 4_000}
"""What Kafka's client has lost on the way it sends again no sooner than that."""
LEAVES = itertools.cycle((48 * 1024, 0, 24 * 1024, 8 * 1024))
"""Bytes that a full disk has left: it is not always the first to write that finds it full."""
WHOLE, HURT = 1, 2
"""Databases of the Redis."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of outage.

    Attributes
    ----------
    shapes
        The shapes of streams in which it is tried.
    begin, end
        Bring it about, and put it right; given the grounds and the folder of checkpoints.
    proxied
        Whether the service reaches Kafka and Redis through the proxies.
    restarts
        Whether the service must notice another Redis each time.
    keeping
        Whether Redis keeps all that it acknowledges.
    """

    shapes: str
    begin: Callable[[Grounds, Path], None]
    end: Callable[[Grounds, Path], None]
    proxied: bool = False
    restarts: bool = False
    keeping: bool = True


KINDS = {
    "redis killed": Kind("A", lambda g, _: g.kill("redis"), lambda g, _: g.revive(), restarts=True),
    "redis forgets": Kind(
        "A", lambda g, _: g.kill("redis"), lambda g, _: g.revive(), restarts=True, keeping=False
    ),
    "redis full": Kind("A", lambda g, _: g.limit("1mb"), lambda g, _: g.limit("0")),
    "redis stalls": Kind(
        "A", lambda g, _: g.redis.stall(), lambda g, _: g.redis.resume(), proxied=True
    ),
    "disk full": Kind(
        "AB", lambda _, folder: fill(folder, next(LEAVES)), lambda _, folder: clear(folder)
    ),
    "broker killed": Kind("AB", lambda g, _: g.kill("kafka"), lambda g, _: g.revive()),
    "both killed": Kind(
        "AB", lambda g, _: g.kill("kafka", "redis"), lambda g, _: g.revive(), restarts=True
    ),
    "broker stalls": Kind(
        "AB", lambda g, _: g.kafka.stall(), lambda g, _: g.kafka.resume(), proxied=True
    ),
}


class Course:
    """A stream of one shape on some grounds, and what is left of it where nothing is disturbed."""

    def __init__(
        self, place: Grounds, shape: str, learner: str, stream: streams.Stream, seed: int
    ) -> None:
        self.grounds, self.shape = place, SHAPES[shape]
        self._learner, self._name = learner, f"outage-{uuid.uuid4().hex[:12]}"
        self._draw = random.Random(seed)
        whole = self._trial(place.services).configured("whole", WHOLE)
        self.records = self.shape.feed(load(whole), stream, seed)
        self._whole: Left | None = None
        if not self.shape.late:
            self._whole = self._trial(place.services).left(Member(whole), whole, WHOLE)

    def hold(self, name: str, times: int, seconds: float) -> dict[str, Any]:
        """Disturb a service so often, each time for so many seconds; return what came of it."""
        kind, place = KINDS[name], self.grounds
        services = place.proxied if kind.proxied else place.services
        run = name.replace(" ", "-")
        options = {"group_instance_id": run} | IMPATIENT
        path = self._trial(services).configured(run, HURT, options)
        folder = load(path).checkpoint.path
        with contextlib.ExitStack() as stack:
            stack.enter_context(place.remembering(kind.keeping))
            place.empty(HURT)
            if name == "disk full":
                stack.enter_context(small_disk(folder))
            told = stack.enter_context(said())
            watchman = Watchman(place.services.database(HURT), self._name)
            saboteur = Saboteur(
                lambda: kind.begin(place, folder),
                lambda: kind.end(place, folder),
                self._moments(times),
                seconds,
                told,
            )
            with watchman, contextlib.closing(saboteur):
                shard = self._disturbed(path, saboteur)
            stored = values(place.services.database(HURT), self._name)
            hurt = left_by(load(path), told_of(shard), stored)
            figures = self._judged(kind, path, hurt, saboteur) | {"said": sorted(set(told))}
        figures |= {"looks": watchman.looks, "backwards": watchman.backwards[:3]}
        figures["passed"] &= watchman.looks > 0 and not watchman.backwards
        return figures

    def _moments(self, times: int) -> list[int]:
        """Return the sequences from which on something is to be gone."""
        share = self.records // (times + 1)
        return [self._draw.randrange(share * i + EVERY, share * (i + 1)) for i in range(times)]

    def _disturbed(self, path: Path, saboteur: Saboteur) -> Shard:
        deadline = time.monotonic() + DEADLINE
        return Service(load(path)).run(True, lambda: time.monotonic() > deadline, saboteur)

    def _judged(self, kind: Kind, path: Path, hurt: Left, saboteur: Saboteur) -> dict[str, Any]:
        """Return the figures of a disturbed run, and whether it passed but for the watchman."""
        whole = self._whole or self._replayed(path)
        equal = {name: whole.told[name] == hurt.told[name] for name in whole.told}
        for name in ("dead", "predictions"):
            equal[name] = getattr(whole, name) == getattr(hurt, name)
        gone = [int(whole.values[key]["sequence"]) for key in whole.values.keys() - hurt.values]
        # What Redis forgot was written before it was killed last; one that keeps forgets nothing.
        last = 0 if kind.keeping else saboteur.moments[-1]
        equal["values"] = hurt.values.items() <= whole.values.items()
        equal["values"] &= max(gone, default=0) <= last and bool(gone) != kind.keeping
        journal = taken(load(path)) == (held(load(path)) if self.shape.late else [])
        newest = checkpoints_of(load(path)).newest()
        checks = {
            "once": hurt.told["sequence"] == self.records and journal,
            "full": min(map(len, (whole.dead, whole.predictions, whole.values))) > 0,
            "told": all(0 < lines <= WARNINGS for lines in saboteur.lines),
            "passed_by_itself": saboteur.all_came,
            "counted": saboteur.restarts == kind.restarts * len(saboteur.moments),
        }
        return {
            "outages_at": saboteur.moments,
            "seconds_out": saboteur.seconds,
            "seconds_back": saboteur.back,
            "lines_each": saboteur.lines,
            "restarts_counted": saboteur.restarts,
            "claims": 0 if newest is None else newest.epoch,
            "records": self.records,
            "values": len(hurt.values),
            "values_gone": len(gone),
            "equal": equal,
            "checks": checks,
            "digest": hurt.told["digest"],
            "passed": all(equal.values()) and all(checks.values()),
        }

    def _replayed(self, path: Path) -> Left:
        """Return what is left of the order that a disturbed service took, undisturbed."""
        trial = self._trial(self.grounds.services)
        self.grounds.empty(WHOLE)
        whole = trial.configured(f"{path.stem}-again", WHOLE)
        return trial.left(Member(whole, "--replay", str(path)), whole, WHOLE)

    def _trial(self, services: Services) -> Trial:
        return Trial(services, self.shape, self._learner, self._name)


def main() -> None:
    """Hold each kind of outage, print the figures, and exit 0 if nothing differs."""
    given = _arguments()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name, grounds(Path(name)) as place:
        trials = list(_trials(place, given))
    passed = all(trial["passed"] for trial in trials)
    seconds = round(time.monotonic() - begun, 1)
    print(json.dumps({"trials": trials, "seconds": seconds, "passed": passed}))
    sys.exit(0 if passed else 1)


def _trials(place: Grounds, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    chosen = given.kind or list(KINDS)
    for shape, learner in (("A", "river"), ("B", "sgd")):
        names = [name for name in chosen if shape in KINDS[name].shapes]
        if not names:
            continue
        records = given.records // (2 if SHAPES[shape].late else 1)
        if streams.ELEC2.exists():
            stream = streams.elec2(limit=records)
        else:
            stream = streams.drifting(records, given.seed)
        course = Course(place, shape, learner, stream, given.seed)
        for name in names:
            begun = time.monotonic()
            try:
                figures = course.hold(name, given.times, given.out)
            except AlluviaError as error:  # of the service that was disturbed, or of the other one
                figures = {"passed": False, "failure": str(error)}
            took = round(time.monotonic() - begun, 1)
            print(f"{shape}, {name}: {'passed' if figures['passed'] else figures}", flush=True)
            yield {"shape": shape, "learner": learner, "kind": name, **figures, "seconds": took}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.outage")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--out", type=float, default=3.0, help="seconds of an outage, at least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=20_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
