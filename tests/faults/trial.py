"""A stream run once undisturbed and once killed again and again, and what both leave."""

from __future__ import annotations

import dataclasses
import json
import random
import signal
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stream.config import load
from stream.vault_kinds import checkpoints_of
from tests.faults.left import Left, held, left_by, taken, values
from tests.faults.member import Member, TrialError
from tests.faults.shapes import EVERY, Shape
from tests.streams import Stream

TAIL = 2_000
"""No kill is drawn from the last records: a process must not end before it is killed."""
BATCH = 8_192
"""Bytes of a batch in the log: with small ones the partitions arrive mixed."""


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
    """What the run left that was disturbed, and the one that was not.

    Attributes
    ----------
    records
        How many the topics hold.
    journal
        Whether the journal holds each of them exactly once; or nothing, where one partition is
        the order.
    topics
        Whether predictions are sent to a topic.
    """

    records: int
    whole: Left
    tried: Left
    journal: bool
    topics: bool

    def figures(self) -> dict[str, Any]:
        """Return what is equal, and whether all is that has to be."""
        whole, tried = self.whole, self.tried
        equal = {name: whole.told[name] == tried.told[name] for name in whole.told}
        for name in ("dead", "predictions", "values"):
            equal[name] = getattr(whole, name) == getattr(tried, name)
        # Without dead letters and values two empty runs would be equal too.
        full = min(map(len, (whole.dead, whole.values))) > 0
        if self.topics:
            full = full and len(whole.predictions) > 0
        once = tried.told["sequence"] == self.records and self.journal
        return {
            "records": self.records,
            "once": once,
            "equal": equal,
            "digest": tried.told["digest"],
            "accuracy": tried.told["scores"]["overall"]["accuracy"],
            "labels": tried.told["labels"],
            "dead_letters": len(tried.dead),
            "predictions": len(tried.predictions),
            "values": len(tried.values),
            "passed": all(equal.values()) and full and once,
        }


def hold(
    services: Services,
    shape: Shape,
    learner: str,
    stream: Stream,
    kills: int,
    seed: int,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[Verdict, list[Kill]]:
    """Run a stream whole and with `kills` kills; return what both left.

    Raises
    ------
    TrialError
        A process died before its kill, ended without it, or hung.
    """
    trial = Trial(services, shape, learner, f"kills-{uuid.uuid4().hex[:12]}")
    whole, killed = trial.configured("whole", 1), trial.configured("killed", 2)
    records = shape.feed(load(killed), stream, seed)
    done: list[Kill] = []
    draw = random.Random(seed)
    # In the second half of late labels only they may be left, which store nothing.
    below = records // 2 if shape.late else records - TAIL
    for drawn, moment in drawn_kills(shape, kills, below, draw):
        done.append(kill(killed, _at(drawn, moment, done, draw), moment))
        tell(f"killed at {done[-1].sequence:,}, {moment}; to go on from {done[-1].resumed:,}")
    return trial.verdict(whole, killed, Member(killed), records), done


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

    def configured(self, run: str, database: int, options: dict[str, Any] | None = None) -> Path:
        """Write the configuration of a run, with options of its group; return its file."""
        tables = {
            "name": self.name,
            "log": {
                "kind": "kafka",
                "servers": self.services.servers,
                "group": f"{self.name}-{run}",
                "options": {
                    # A static member takes over from one that died at once, without its timeout.
                    **(options or {"group_instance_id": run}),
                    "batch_size": BATCH,
                    "max_partition_fetch_bytes": BATCH,
                },
            },
            "store": {"kind": "redis", "url": self.services.database(database)},
            "checkpoint": {**self.shape.checkpoint, "path": f"{self.name}-{run}"},
            **self.shape.tables(self.name, run, self.learner),
        }
        path = self.services.folder / f"{self.name}-{run}.toml"
        path.write_text("\n".join(toml(tables)), "utf-8")
        return path

    def verdict(self, whole: Path, tried: Path, last: Member, records: int) -> Verdict:
        """Wait for the last process of a run that was disturbed; hold it against a whole one.

        Where no log alone tells the order, the whole run is a replay of the other's journal.
        """
        left = self.left(last, tried, 2)
        replay = ("--replay", str(tried)) if self.shape.late else ()
        undisturbed = self.left(Member(whole, *replay), whole, 1)
        config = load(tried)
        journal = taken(config) == (held(config) if self.shape.late else [])
        return Verdict(records, undisturbed, left, journal, self.shape.topics)

    def left(self, member: Member, path: Path, database: int) -> Left:
        """Wait until a run has come to its end; return what is left then."""
        member.end()
        if member.code or not member.written:
            raise TrialError(
                f"wanted a run to its end, got exit {member.code}: {member.errors[-1:]}"
            )
        config = load(path)
        stored = values(self.services.database(database), config.name)
        return left_by(config, json.loads(member.written[-1]), stored)


def toml(tables: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield tables as lines of TOML."""
    for name, value in tables.items():
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


def kill(path: Path, at: int, moment: str) -> Kill:
    """Run until the kill."""
    member = Member(path, "--at", str(at), "--moment", moment)
    sequence = member.met(moment)
    if moment == "outside" and sequence is not None:
        member.send(signal.SIGKILL)
    member.end()
    if sequence is None or member.code != -signal.SIGKILL:
        raise TrialError(
            f"wanted SIGKILL at {at:,} ({moment}), got exit {member.code}: {member.errors[-1:]}"
        )
    newest = checkpoints_of(load(path)).newest()
    return Kill(moment, sequence, 0 if newest is None else newest.sequence)
