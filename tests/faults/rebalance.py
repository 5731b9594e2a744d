"""Adds and removes instances of a service in mid-stream: 1 -> 3 -> 2 -> 1, again and again.

    python -m tests.faults.rebalance [--rounds N] [--seed S] [--learner L] [--records N] [--pace S]

Real Kafka and real Redis: its own, in a temporary folder, or those of --servers and --redis (of
which databases 1 and 2 are used). Instances of one service share a consumer group, topics of four
partitions and a folder of checkpoints. Whoever takes over stands still in the middle of its
restore, and then: nothing comes, an instance comes, one goes, it is killed (SIGKILL), or it is
told to leave. In the end every record must have had its effect once. Exits 1 if not; the last
line is one JSON object with the figures.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import random
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from stream.config import load
from stream.vault_kinds import checkpoints_of
from tests import streams
from tests.faults.kills import services, stream_of, tell
from tests.faults.member import Member, TrialError
from tests.faults.shapes import EVERY, LEARNERS, SHAPES, Shape
from tests.faults.trial import Services, Trial, Verdict
from tests.streams import Stream

SESSION_MS = 3_000
PATIENCE = 60.0
ENDS = ("told to leave", "killed", "killed with its reader")
DURING = ("nothing comes", "one comes", "one goes", "it is killed", "it is told to leave")
"""What happens while the new owner restores."""


class Group:
    """The instances of one service, of which one holds the partitions.

    Parameters
    ----------
    path
        Their configuration.
    pace
        Seconds that a block takes at least.
    draw
        Decides who goes, and how.
    """

    def __init__(self, path: Path, pace: float, draw: random.Random) -> None:
        self._path, self._pace, self._draw = path, pace, draw
        self._checkpoints = checkpoints_of(load(path))
        self._members: list[Member] = []
        self._owner: Member | None = None

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._members)

    def add(self, count: int) -> None:
        """Start instances, and wait until they stand by."""
        where = ("--stop", "--moment", "restoring", "--at", "0", "--pace", str(self._pace))
        come = [Member(self._path, *where) for _ in range(count)]
        self._members += come
        if self._owner is not None:
            self._wait_for(lambda: all(any("standing by" in e for e in m.errors) for m in come))

    def take_over(self) -> None:
        """Wait until one has begun to restore, and stands still there."""
        self._wait_for(lambda: any(member.stands for member in self._members))
        self._owner = next(member for member in self._members if member.stands)

    def go_on(self) -> None:
        """Let the one who restores go on, and wait until it has published."""
        assert self._owner is not None
        before = self._sequence()
        self._owner.send(signal.SIGCONT)
        self._wait_for(lambda: self._sequence() >= before + EVERY)

    def end_owner(self, how: str) -> None:
        """End the one who holds the partitions."""
        assert self._owner is not None
        owner, self._owner = self._owner, None
        self._end(owner, how)

    def end_other(self, how: str) -> None:
        """End one who stands by."""
        self._end(self._draw.choice([m for m in self._members if m is not self._owner]), how)

    def close(self) -> None:
        """End all at once."""
        for member in self._members:
            member.close()

    def _end(self, member: Member, how: str) -> None:
        self._members.remove(member)
        readers = member.readers() if how == ENDS[2] else []
        number = signal.SIGTERM if how == ENDS[0] else signal.SIGKILL
        member.send(number)
        for reader in readers:
            os.kill(reader, signal.SIGKILL)
        member.send(signal.SIGCONT)
        member.end()
        wanted = 0 if number == signal.SIGTERM else -number
        if member.code != wanted:
            raise TrialError(f"wanted exit {wanted}, got {member.code}: {member.errors[-3:]}")

    def _sequence(self) -> int:
        newest = self._checkpoints.newest()
        return 0 if newest is None else newest.sequence

    def _wait_for(self, condition: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            ended = [member for member in self._members if member.code is not None]
            if ended:
                raise TrialError(
                    f"wanted an instance to live on, got exit {ended[0].code} at "
                    f"{self._sequence():,}: {ended[0].errors[-3:]}"
                )
            if time.monotonic() > deadline:
                said = [member.errors[-1:] for member in self._members]
                raise TrialError(f"wanted one to go on within {PATIENCE:.0f} s, got none: {said}")
            time.sleep(0.02)


def hold(
    services: Services,
    shape: Shape,
    learner: str,
    stream: Stream,
    rounds: int,
    seed: int,
    pace: float,
) -> tuple[Verdict, list[str]]:
    """Run a stream while instances come and go; return what is left, and what happened.

    Raises
    ------
    TrialError
        An instance ended where it should have gone on, or nobody goes on.
    """
    trial = Trial(services, shape, learner, f"rebalance-{uuid.uuid4().hex[:12]}")
    session = {"session_timeout_ms": SESSION_MS, "heartbeat_interval_ms": SESSION_MS // 5}
    whole, live = trial.configured("whole", 1), trial.configured("live", 2, session)
    records = shape.feed(load(live), stream, seed)
    draw = random.Random(seed)
    acts: list[str] = []
    with contextlib.closing(Group(live, pace, draw)) as group:
        group.add(1)
        group.take_over()
        group.go_on()
        for during in _drawn(DURING, rounds, draw):
            acts += _round(group, during, draw)
        group.end_owner(ENDS[0])
    with contextlib.closing(Member(live)) as last:
        return trial.verdict(whole, live, last, records), acts


def judged(verdict: Verdict, acts: list[str]) -> dict[str, Any]:
    """Return the figures of a trial and whether it passed."""
    return {"takeovers": len(acts), "acts": collections.Counter(acts), **verdict.figures()}


def main() -> None:
    """Hold the trial, print its figures, and exit 0 if every record had its effect once."""
    given = _arguments()
    begun = time.monotonic()
    shape = SHAPES["B"]
    stream, source = stream_of(given.data, given.records // 2)
    with services(given.servers, given.redis) as place:
        try:
            found = hold(place, shape, given.learner, stream, given.rounds, given.seed, given.pace)
            figures = judged(*found)
        except TrialError as error:
            figures = {"passed": False, "failure": str(error)}
    told = {"rounds": given.rounds, "learner": given.learner, "data": source}
    print(json.dumps(told | figures | {"seconds": round(time.monotonic() - begun, 1)}))
    sys.exit(0 if figures["passed"] else 1)


def _round(group: Group, during: str, draw: random.Random) -> list[str]:
    """Go from 1 to 3, to 2 and to 1 again; return how each owner ended, and what came meanwhile."""
    acts = []
    group.add(2)
    how = draw.choice(ENDS)
    group.end_owner(how)
    group.take_over()
    acts.append(f"{how}; {during} meanwhile")
    if during == "one comes":
        group.add(1)
    elif during == "one goes":
        group.end_other(draw.choice(ENDS))
    elif during != "nothing comes":
        how = ENDS[0] if during == "it is told to leave" else draw.choice(ENDS[1:])
        group.end_owner(how)
        group.take_over()
        acts.append(f"{how} while it restored")
    group.go_on()
    tell("; ".join(acts))
    while group.size > 1:
        if draw.random() < 0.5:
            group.end_other(draw.choice(ENDS))
            continue
        how = draw.choice(ENDS)
        group.end_owner(how)
        group.take_over()
        group.go_on()
        acts.append(f"{how}; nothing comes meanwhile")
        tell(acts[-1])
    return acts


def _drawn(among: tuple[str, ...], count: int, draw: random.Random) -> list[str]:
    """Return so many of them, each in turn."""
    found: list[str] = []
    while len(found) < count:
        found += draw.sample(among, len(among))
    return found[:count]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.rebalance")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--learner", choices=LEARNERS, default="river")
    parser.add_argument("--records", type=int, default=80_000)
    parser.add_argument("--pace", type=float, default=0.2)
    parser.add_argument("--data", type=Path, default=streams.ELEC2)
    parser.add_argument("--servers")
    parser.add_argument("--redis")
    return parser.parse_args()


if __name__ == "__main__":
    main()
