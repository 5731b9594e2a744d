"""A stream run once undisturbed and once killed again and again, and what both leave."""

from __future__ import annotations

import dataclasses
import json
import random
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from learners.errors import AlluviaError
from stream.config import load
from stream.vault_kinds import checkpoints_of
from tests import runner
from tests.faults.left import Left, held, left_by, taken
from tests.faults.shapes import Shape
from tests.streams import Stream

EVERY = 500
"""Records between checkpoints."""
TAIL = 2_000
"""No kill is drawn from the last records: a process must not end before it is killed."""
TIMEOUT = 120.0
"""Seconds after which a process that neither dies nor ends is taken for hung."""
BATCH = 8_192
"""Bytes of a batch in the log: with small ones the partitions arrive mixed."""


class TrialError(AlluviaError):
    """A process of the trial did not die, or end, as it was told to."""


@dataclasses.dataclass(frozen=True)
class Kill:
    """One kill: where it came, and where the next process goes on."""

    moment: str
    sequence: int
    resumed: int


@dataclasses.dataclass(frozen=True)
class Services:
    """The services of a trial and its folder; two databases of the Redis are its own."""

    servers: str
    redis: str
    folder: Path

    def database(self, number: int) -> str:
        """The address of one database of the Redis."""
        return urlsplit(self.redis)._replace(path=f"/{number}").geturl()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What both runs left.

    Attributes
    ----------
    records
        How many the topics hold.
    journal
        Whether the journal holds each of them exactly once; or nothing, where one partition is
        the order.
    """

    records: int
    kills: list[Kill]
    whole: Left
    killed: Left
    journal: bool

    @property
    def resumed(self) -> int:
        """How many processes went on from a sequence above 0."""
        return sum(kill.resumed > 0 for kill in self.kills)


def hold(
    services: Services,
    shape: Shape,
    learner: str,
    stream: Stream,
    kills: int,
    seed: int,
    tell: Callable[[str], None] = lambda line: None,
) -> Verdict:
    """Run a stream whole and with `kills` kills, and return what both left.

    Where no log alone tells the order, the whole run is a replay of the killed one's journal.

    Raises
    ------
    TrialError
        A process died before its kill, ended without it, or hung.
    """
    trial = Trial(services, shape, learner, f"kills-{uuid.uuid4().hex[:12]}")
    whole, killed = trial.configured("whole", 1), trial.configured("killed", 2)
    records = shape.feed(load(killed), stream, seed)
    undisturbed = None if shape.late else trial.finish(whole, 1)
    done: list[Kill] = []
    draw = random.Random(seed)
    for drawn, moment in drawn_kills(shape, kills, records - TAIL, draw):
        done.append(_kill(killed, _at(drawn, moment, done, draw), moment))
        tell(f"killed at {done[-1].sequence:,}, {moment}; to go on from {done[-1].resumed:,}")
    resumed = trial.finish(killed, 2)
    if undisturbed is None:
        undisturbed = trial.finish(whole, 1, "--replay", str(killed))
    journal = taken(load(killed)) == (held(load(killed)) if shape.late else [])
    return Verdict(records, done, undisturbed, resumed, journal)


def drawn_kills(shape: Shape, kills: int, below: int, draw: random.Random) -> list[tuple[int, str]]:
    """Return rising sequences below a bound, each with a moment; every moment comes in turn.

    What was journalled and not saved is there for sure after a kill that came in between.
    """
    moments: list[str] = []
    while len(moments) < kills:
        for moment in draw.sample(shape.moments, len(shape.moments)):
            if moment == "journalled":
                moments += [moment, "following"]
            elif moment != "following":
                moments.append(moment)
    sequences = sorted(draw.sample(range(1, below), kills))
    return list(zip(sequences, moments, strict=False))


@dataclasses.dataclass(frozen=True)
class Trial:
    """A stream, by its name, and how to run a service over it in a process.

    Attributes
    ----------
    services
        Where it is.
    shape, learner
        How it comes, and what learns.
    name
        The name of the service and of its topic.
    """

    services: Services
    shape: Shape
    learner: str
    name: str

    def configured(self, run: str, database: int, **options: int) -> Path:
        """Write the configuration of a run, with options for Kafka; return its file."""
        values = {
            "name": self.name,
            "log": {
                "kind": "kafka",
                "servers": self.services.servers,
                "group": f"{self.name}-{run}",
                "options": {
                    # A static member takes over from one that died at once, without its timeout.
                    "group_instance_id": run,
                    "batch_size": BATCH,
                    "max_partition_fetch_bytes": BATCH,
                    **options,
                },
            },
            "store": {"kind": "redis", "url": self.services.database(database)},
            "checkpoint": {"records": EVERY, "path": f"{self.name}-{run}"},
            **self.shape.tables(self.name, run, self.learner),
        }
        path = self.services.folder / f"{self.name}-{run}.toml"
        path.write_text("\n".join(toml(values)), "utf-8")
        return path

    def finish(self, path: Path, database: int, *arguments: str) -> Left:
        """Run to the end; return what is left then."""
        process = _spawn(path, *arguments)
        written, errors = _end(process)
        if process.returncode:
            raise TrialError(f"wanted a run to its end, got exit {process.returncode}: {errors}")
        told = json.loads(written.splitlines()[-1])
        return left_by(load(path), told, self.services.database(database))


def toml(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield tables as lines of TOML."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from toml(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name} = {json.dumps(value)}"


def _at(drawn: int, moment: str, done: Sequence[Kill], draw: random.Random) -> int:
    """Return the sequence from which on a process is to die, where one was drawn."""
    if moment == "restoring":
        return 0
    if moment == "following":
        return draw.randint(done[-1].resumed + 1, done[-1].sequence)
    # Soon before a checkpoint, and not its last block: that may be of labels, which store nothing.
    return drawn // EVERY * EVERY + EVERY // 2 if moment == "late" else drawn


def _kill(path: Path, at: int, moment: str) -> Kill:
    """Run until the kill."""
    process = _spawn(path, "--at", str(at), "--moment", moment)
    assert process.stdout is not None
    hung = threading.Timer(TIMEOUT, process.kill)
    hung.start()
    line = process.stdout.readline()
    hung.cancel()
    if moment == "outside" and line:
        process.kill()
    _, errors = _end(process)
    if not line or process.returncode != -signal.SIGKILL:
        raise TrialError(
            f"wanted SIGKILL at {at:,} ({moment}), got exit {process.returncode} "
            f"after {line!r}: {errors}"
        )
    newest = checkpoints_of(load(path)).newest()
    return Kill(moment, int(line.split()[1]), 0 if newest is None else newest.sequence)


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
