"""Stops services past their session, and wakes each when another has taken over.

    python -m tests.faults.zombie [--zombies N] [--seed S] [--learner L] [--shape A|B] [--records N]

Real Kafka and real Redis: its own, in a temporary folder, or those of --servers and --redis (of
which databases 1 and 2 are used). Each service stands still at a moment of the path (SIGSTOP),
alone or together with the process that reads the log for it. Once another has claimed the model
and published checkpoints of its own, the first is woken (SIGCONT) while that one goes on: nothing
of it may land, nothing in the store may go backwards, and it has to leave with the reason. In the
end all is as if nobody had ever stood still. The zombies are shared out over two shapes, see
`tests.faults.kills`. Exits 1 when something differs; the last line is one JSON object with the
figures.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import itertools
import json
import os
import random
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from stream.cli import REFUSED
from stream.config import load
from stream.vault_kinds import checkpoints_of
from tests import streams, waiting
from tests.faults.kills import services, stream_of, tell
from tests.faults.left import values
from tests.faults.member import Member, TrialError
from tests.faults.shapes import EVERY, LEARNERS, SHAPES, Shape
from tests.faults.trial import Services, Trial, Verdict
from tests.streams import Stream

MOMENTS = (
    "outside", "fetched", "learned", "storing", "stored",
    "parts", "unpublished", "published", "unsent", "sending", "positions",
)  # fmt: skip
"""Moments with something in hand that must not land."""
SESSION_MS = 2_000
SILENCE = 2.0
"""Seconds that a service may stand still alone before its reader gives the partitions up."""
PACE = 0.02
"""Seconds that a block takes at least, so that the one who took over is still at work."""
AHEAD = 2
"""Checkpoints that another publishes after its claim, before the first one is woken."""
APART = (AHEAD + 2) * EVERY
PATIENCE = 60.0
LEAVE = 30.0
REASON = "another owner"
HELD = "takes no writes (database is locked)"

Version = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Woken:
    """What became of one that was woken.

    Attributes
    ----------
    moment, alone
        Where it stood still, and whether its reader went on.
    sequence
        Of the record at which it stood.
    code, reason
        With which it left, and why.
    published
        How many checkpoints another had published when it was woken.
    backwards
        How many stored predictions were seen to go backwards meanwhile.
    gone
        Whether those that read for it are gone as well.
    """

    moment: str
    alone: bool
    sequence: int
    code: int | None
    reason: str
    published: int
    backwards: int
    gone: bool

    @property
    def refused(self) -> bool:
        """Whether it did no harm, and left with the reason."""
        said = self.reason.startswith("error: ") and REASON in self.reason
        return said and self.code == REFUSED and not self.backwards and self.gone


class Zombie:
    """A service that stands still at a moment.

    Parameters
    ----------
    path
        Its configuration.
    at, moment
        Where it stands still.
    alone
        Whether the process that reads the log for it goes on.
    """

    def __init__(self, path: Path, at: int, moment: str, alone: bool) -> None:
        self._moment, self._alone = moment, alone
        where = ("--at", str(at), "--moment", moment, "--silence", str(SILENCE))
        self.member = Member(path, "--stop", "--command", "--pace", str(PACE), *where)
        self._waiting = ThreadPoolExecutor(1)
        self._standing = self._waiting.submit(self._stop)

    def stand(self) -> None:
        """Wait until it stands still; from there on its session runs out."""
        self._standing.result()

    def wake(self, published: int, stored: Callable[[], dict[str, Version]]) -> Woken:
        """Wake it, after another published checkpoints, and wait for its end."""
        readers, backwards = self.member.readers(), 0
        before, deadline = stored(), time.monotonic() + LEAVE
        self._signal_readers(signal.SIGCONT)
        self.member.send(signal.SIGCONT)
        ended = False
        while not ended:
            ended = self.member.code is not None or time.monotonic() > deadline
            after = stored()
            backwards += sum(after[key] < before[key] for key in before.keys() & after.keys())
            before = after
        code = self.member.code
        self.member.close()
        with contextlib.suppress(AssertionError):
            waiting.until(lambda: not any(map(waiting.alive, readers)), LEAVE)
        return Woken(
            self._moment,
            self._alone,
            self._standing.result(),
            code,
            next(iter(self.member.errors[-1:]), "nothing said"),
            published,
            backwards,
            not any(map(waiting.alive, readers)),
        )

    def close(self) -> None:
        """End it, wherever it stands."""
        self.member.close()
        self._waiting.shutdown()

    def _stop(self) -> int:
        """Let it stand still as soon as it meets its moment; return the sequence."""
        sequence = self.member.met(self._moment)
        if sequence is None:
            raise TrialError(
                f"wanted a stand at {self._moment}, got exit {self.member.code}: "
                f"{self.member.errors[-1:]}"
            )
        if self._moment == "outside":
            self.member.send(signal.SIGSTOP)
        # One that stops itself is not stopped twice, or it would stop again once it is woken.
        waiting.until(lambda: self.member.stands)
        self._signal_readers(signal.SIGSTOP)
        return sequence

    def _signal_readers(self, number: signal.Signals) -> None:
        for reader in () if self._alone else self.member.readers():
            os.kill(reader, number)


def hold(
    services: Services, shape: Shape, learner: str, stream: Stream, zombies: int, seed: int
) -> tuple[Verdict, list[Woken]]:
    """Run a stream of which `zombies` services in turn stand still; return what became of them.

    Raises
    ------
    TrialError
        A process ended where it should have stood still, or hung.
    """
    trial = Trial(services, shape, learner, f"zombie-{uuid.uuid4().hex[:12]}")
    session = {"session_timeout_ms": SESSION_MS, "heartbeat_interval_ms": SESSION_MS // 5}
    whole, live = trial.configured("whole", 1), trial.configured("live", 2, session)
    records = shape.feed(load(live), stream, seed)
    woken: list[Woken] = []

    def stored() -> dict[str, Version]:
        held = values(services.database(2), trial.name)
        return {key: (int(of["lineage"]), int(of["sequence"])) for key, of in held.items() if of}

    with contextlib.ExitStack() as stack:
        standing: Zombie | None = None
        for at, moment, alone in drawn_stands(shape, zombies, records, random.Random(seed)):
            zombie = Zombie(live, at, moment, alone)
            stack.callback(zombie.close)
            if standing is not None:
                woken.append(_taken_over(live, standing, zombie.member, stored))
            zombie.stand()
            standing = zombie
        last = Member(live, "--pace", str(PACE))
        stack.callback(last.close)
        if standing is not None:
            woken.append(_taken_over(live, standing, last, stored))
        return trial.verdict(whole, live, last, records), woken


def drawn_stands(
    shape: Shape, zombies: int, records: int, draw: random.Random
) -> list[tuple[int, str, bool]]:
    """Return rising sequences, far enough from each other, each with a moment and a variant."""
    moments = MOMENTS + (("journalled",) if shape.late else ())
    variants = itertools.product(draw.sample(moments, len(moments)), draw.sample((True, False), 2))
    gap = records // (zombies + 1)
    if gap < APART:
        raise TrialError(
            f"wanted {APART} records between two stands, got {gap}: stop fewer, or "
            "give more records"
        )
    slack = gap - APART
    return [
        (gap * (i + 1) - draw.randint(0, slack), moment, alone)
        for i, (moment, alone) in enumerate(itertools.islice(itertools.cycle(variants), zombies))
    ]


def judged(verdict: Verdict, woken: list[Woken]) -> dict[str, Any]:
    """Return the figures of a trial and whether it passed."""
    figures = verdict.figures()
    return {
        "moments": collections.Counter(one.moment for one in woken),
        "alone": sum(one.alone for one in woken),
        "zombies": len(woken),
        "refused": sum(one.refused for one in woken),
        "published_meanwhile": sum(one.published for one in woken),
        "reasons": collections.Counter(_shortened(one.reason) for one in woken),
        "strange": [dataclasses.asdict(one) for one in woken if not one.refused],
        **figures,
        "passed": figures["passed"] and all(one.refused for one in woken),
    }


def main() -> None:
    """Hold the trials, print their figures, and exit 0 if nothing of a zombie landed."""
    given = _arguments()
    begun = time.monotonic()
    with services(given.servers, given.redis) as place:
        trials = list(_trials(place, given))
    figures = {
        "zombies": sum(trial["zombies"] for trial in trials),
        "refused": sum(trial["refused"] for trial in trials),
        "seconds": round(time.monotonic() - begun, 1),
        "passed": all(trial["passed"] for trial in trials),
        "trials": trials,
    }
    figures["passed"] &= figures["zombies"] == given.zombies
    print(json.dumps(figures))
    sys.exit(0 if figures["passed"] else 1)


def _taken_over(
    path: Path, zombie: Zombie, other: Member, stored: Callable[[], dict[str, Version]]
) -> Woken:
    """Wake a zombie as soon as another has claimed and published, and tell what became of it."""
    checkpoints = checkpoints_of(load(path))
    before = checkpoints.newest()
    assert before is not None
    deadline = time.monotonic() + PATIENCE
    while True:
        # One that met its own moment so soon that it publishes no more has taken over all the same.
        # So has one that waits for the file of letters, where the zombie stands in mid-write.
        stands = other.stands or any(HELD in said for said in other.errors)
        newest = checkpoints.newest()
        assert newest is not None
        published = newest.number - newest.epoch
        if newest.epoch > before.epoch and (published >= AHEAD or stands):
            break
        if time.monotonic() > deadline:
            raise TrialError(f"wanted another to take over, got none: {other.errors[-1:]}")
        time.sleep(0.02)
    woken = zombie.wake(published, stored)
    tell(f"{woken.moment} at {woken.sequence:,}, exit {woken.code}: {woken.reason}")
    return woken


def _trials(place: Services, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Hold a trial in each shape; yield its figures, or how it failed."""
    chosen = list(zip(given.shape or SHAPES, itertools.cycle(given.learner), strict=False))
    for i, (shape, learner) in enumerate(chosen):
        count = given.zombies * (i + 1) // len(chosen) - given.zombies * i // len(chosen)
        stream, source = stream_of(given.data, given.records // (2 if SHAPES[shape].late else 1))
        tell(f"{shape}, {learner}: {count} zombies")
        try:
            figures = judged(*hold(place, SHAPES[shape], learner, stream, count, given.seed + i))
        except (TrialError, AssertionError) as error:
            figures = {"zombies": 0, "refused": 0, "passed": False, "failure": str(error)}
        tell("nothing differs" if figures["passed"] else f"not passed: {figures}")
        yield {"shape": shape, "learner": learner, "data": source} | figures


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.zombie")
    parser.add_argument("--zombies", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--learner", choices=LEARNERS, nargs="*", default=("river", "sgd"))
    parser.add_argument("--shape", choices=SHAPES, action="append")
    parser.add_argument("--records", type=int, default=45_000)
    parser.add_argument("--data", type=Path, default=streams.ELEC2)
    parser.add_argument("--servers")
    parser.add_argument("--redis")
    return parser.parse_args()


def _shortened(reason: str) -> str:
    """Leave out what differs from one to the next."""
    return "".join("#" if letter.isdigit() else letter for letter in reason)


if __name__ == "__main__":
    main()
