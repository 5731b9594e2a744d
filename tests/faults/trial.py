"""A stream run once undisturbed and once killed again and again, and what differs in the end."""

from __future__ import annotations

import dataclasses
import json
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from learners.errors import AlluviaError
from stream.app import checkpoints_of
from stream.config import Config
from stream.log import Message
from tests import runner
from tests.faults.dying import MOMENTS
from tests.streams import LABEL

EVERY = 1_000
"""Records between checkpoints."""
TAIL = 1_000
"""No kill is drawn from the last records: a process must not end before it is killed."""
TIMEOUT = 60.0
"""Seconds after which a process that neither dies nor ends is taken for hung."""


class TrialError(AlluviaError):
    """A process of the trial did not die, or end, as it was told to."""


@dataclasses.dataclass(frozen=True)
class Kill:
    """One kill: what was drawn, where it came, and where the next process went on."""

    drawn: int
    moment: str
    sequence: int
    resumed: int


@dataclasses.dataclass(frozen=True)
class Place:
    """The services of a trial and its folder; two databases of the Redis are its own."""

    servers: str
    redis: str
    folder: Path

    def database(self, number: int) -> str:
        """The address of one database of the Redis."""
        return urlsplit(self.redis)._replace(path=f"/{number}").geturl()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What both runs left."""

    kills: list[Kill]
    whole: runner.Outcome
    killed: runner.Outcome
    whole_values: dict[str, dict[str, str]]
    killed_values: dict[str, dict[str, str]]

    @property
    def resumed(self) -> int:
        """How many processes went on from a sequence above 0."""
        return sum(kill.resumed > 0 for kill in self.kills)


def hold(
    place: Place,
    messages: Sequence[Message],
    kills: int,
    seed: int,
    tell: Callable[[str], None] = lambda line: None,
) -> Verdict:
    """Run the stream whole and with `kills` kills, and return what both left.

    Raises
    ------
    TrialError
        A process died before its kill, ended without it, or hung.
    """
    name = f"kills-{uuid.uuid4().hex[:12]}"
    whole = _configured(place, name, "whole", 1)
    killed = _configured(place, name, "killed", 2)
    runner.feed(_config(whole), messages)
    undisturbed = _finish(whole)
    tell(f"never killed: {undisturbed.counts}")
    done = []
    for drawn, moment in drawn_kills(kills, len(messages) - TAIL, seed):
        sequence = _kill(killed, drawn, moment)
        done.append(Kill(drawn, moment, sequence, _sequence(killed)))
        tell(f"killed at {sequence:,}, {moment}; to go on from {done[-1].resumed:,}")
    resumed = _finish(killed)
    return Verdict(
        done,
        undisturbed,
        resumed,
        _values(place.database(1), name),
        _values(place.database(2), name),
    )


def drawn_kills(kills: int, below: int, seed: int) -> list[tuple[int, str]]:
    """Return rising sequences below a bound, each with a moment; every moment comes in turn."""
    draw = random.Random(seed)
    sequences = sorted(draw.sample(range(1, below), kills))
    moments: list[str] = []
    while len(moments) < kills:
        moments += draw.sample(MOMENTS, len(MOMENTS))
    return [
        (-(-at // EVERY) * EVERY if moment == "late" else at, moment)
        for at, moment in zip(sequences, moments, strict=False)
    ]


def _configured(place: Place, name: str, run: str, database: int) -> Path:
    values: dict[str, Any] = {
        "name": name,
        "task": "classification",
        "log": {
            "kind": "kafka",
            "servers": place.servers,
            "group": f"{name}-{run}",
            # A static member takes over from one that died at once, without its session timeout.
            "options": {"group_instance_id": run},
        },
        "record": {"label": LABEL, "positive": "UP"},
        "model": {
            "pipeline": [
                "river.preprocessing.StandardScaler",
                "river.linear_model.LogisticRegression",
            ]
        },
        "store": {"kind": "redis", "url": place.database(database)},
        "checkpoint": {"records": EVERY, "path": f"{name}-{run}"},
    }
    path = place.folder / f"{name}-{run}.json"
    path.write_text(json.dumps(values), "utf-8")
    return path


def _config(path: Path) -> Config:
    return Config.of(json.loads(path.read_text("utf-8")), path.parent)


def _sequence(path: Path) -> int:
    newest = checkpoints_of(_config(path)).newest()
    return 0 if newest is None else newest.sequence


def _finish(path: Path) -> runner.Outcome:
    process = _spawn(path)
    written, errors = _end(process)
    if process.returncode:
        raise TrialError(f"wanted a run to its end, got exit {process.returncode}: {errors}")
    return runner.Outcome(**json.loads(written), dead=runner.dead_letters(_config(path)))


def _kill(path: Path, at: int, moment: str) -> int:
    """Run until the kill; return the sequence at which it came."""
    process = _spawn(path, "--at", str(at), "--moment", moment)
    assert process.stdout is not None
    line = process.stdout.readline()
    if moment == "outside" and line:
        process.kill()
    _, errors = _end(process)
    if not line or process.returncode != -signal.SIGKILL:
        raise TrialError(
            f"wanted SIGKILL at {at:,} ({moment}), got exit {process.returncode} "
            f"after {line!r}: {errors}"
        )
    return int(line.split()[1])


def _spawn(path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.dying", str(path), *arguments],
        cwd=runner.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait for the end; return what was written, and the last line of what went wrong."""
    try:
        written, errors = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        written, errors = process.communicate()
    return written, (errors.strip().splitlines() or ["nothing said"])[-1]


def _values(url: str, name: str) -> dict[str, dict[str, str]]:
    """Return every stored prediction as HGETALL shows it."""
    with Redis.from_url(url, decode_responses=True, protocol=2) as redis:
        keys = sorted(redis.scan_iter(f"alluvia:{{{name}}}:prediction:*", count=1_000))
        pipeline = redis.pipeline(transaction=False)
        for key in keys:
            pipeline.hgetall(key)
        return dict(zip(keys, pipeline.execute(), strict=True))
