"""Damages the files of a checkpoint folder, one after the other, and starts the service again.

    python -m tests.faults.torn [--tries N] [--seed S] [--learner L] [--shape A|B] [--records N]

A service is killed (SIGKILL) several times; what it leaves is copied for each try, and a file of
the checkpoint folder is cut, one bit of it flipped, or it is taken away. Then the service either
goes on to its end, from the checkpoint before if it has to, and all is as if nothing had
happened; or it refuses with a sentence that tells what to do, and once the file is brought back
all is as if nothing had happened. The embedded log and store; `--on-services` so many tries are
held with real Kafka and real Redis, its own. Exits 1 when anything else happens; the last line is
one JSON object with the figures.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import io
import itertools
import json
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stream import dead
from stream.cli import FINE, REFUSED, invoke
from stream.config import Config, load
from stream.errors import JournalError
from stream.inspection import restored
from stream.journal import Entry
from stream.journal_segment import chain
from stream.log_kinds import read_topic
from stream.vault_kinds import journal_end, open_vault
from tests import runner, streams
from tests.faults import damage
from tests.faults.damage import Damage
from tests.faults.dying import replayed, told_of
from tests.faults.kills import services, stream_of, tell
from tests.faults.left import Left, held, left_by, taken
from tests.faults.member import Member, TrialError
from tests.faults.shapes import LEARNERS, SHAPES, Shape
from tests.faults.trial import Services, Trial, kill, toml
from tests.streams import Stream

NAME = "torn"
EVERY = 100
ENDINGS = (("stored", 12), ("unsent", 12), ("restoring", 0), ("stored", 0))
"""Moments at which the last service before the damage is killed, and twentieths of the records.

At 0 it has claimed, and not published.
"""
ENDS = (("stored", 3), ("published", 5), ("unsent", 7))
"""The same of those before it."""
REMEDY = re.compile(r": (bring|rebuild|make|move|set|choose|start|check|install|is) ")
LETTERS = {f"{dead.FILE}{suffix}" for suffix in ("", "-wal", "-shm")}
SAYS = "dead letters that were set aside"
SAID, UNSEEN = "went on, and said which letters are lost", "went on, with a letter altered"
"""What SQLite lets happen to its file of letters, which is no part of a checkpoint."""
SECOND = 0.2
"""The share of tries in which a second file is damaged."""


@dataclasses.dataclass(frozen=True)
class Try:
    """What came of one try: `outcome` is "went on", "refused", or what must not be."""

    damages: list[Damage]
    outcome: str
    sentence: str

    @property
    def fine(self) -> bool:
        """Whether the service did what it may."""
        return self.outcome in ("went on", "refused", SAID, UNSEEN)


class World:
    """A service that was killed, with its log and its store in one folder.

    Parameters
    ----------
    folder
        Where it is made.
    shape, learner
        How records come, and what learns.
    stream
        The records.
    ending
        Where it was killed last; see `ENDINGS`.
    seed
        Of the records that are broken.
    """

    def __init__(
        self,
        folder: Path,
        shape: Shape,
        learner: str,
        stream: Stream,
        ending: tuple[str, int],
        seed: int,
    ) -> None:
        self._folder, self._shape, self._learner = folder, shape, learner
        folder.mkdir()
        self._path = self._configured(folder, "tried")
        config = load(self._path)
        self._records = shape.feed(config, stream, seed)
        self._keys = sorted(
            {message.key.decode() for _, _, message in read_topic(config, config.log.topic)
             if message.key is not None}
        )  # fmt: skip
        for moment, twentieths in (*ENDS, ending):
            kill(self._path, self._records * twentieths // 20, moment)
        # One partition is the order: no other run may leave anything else.
        self._undisturbed = None if shape.late else self._whole(folder.with_name("whole"))

    def attempt(self, folder: Path, draw: random.Random) -> Try:
        """Damage a copy of it, and start the service there."""
        shutil.copytree(self._folder, folder)
        path = folder / self._path.name
        place, original = load(path).checkpoint.path, load(self._path).checkpoint.path
        damages = damage.drawn(original, draw, 1 + (draw.random() < SECOND))
        for one in damages:
            one.do(place)
        lost = _order(path) not in (_order(self._path), None)
        code, sentence = _started(path)
        outcome = "went on"
        if code == REFUSED and REMEDY.search(sentence):
            outcome, lost = "refused", False
            for one in damages:
                damage.bring_back(one, original, place)
            code, again = _started(path)
            sentence = sentence if code == FINE else again
        if code != FINE:
            return Try(damages, f"exit {code} after it {outcome}", sentence)
        if _order(path) is None:
            # What it needs to go on is whole; what a replay needs besides says that it is not.
            for one in damages:
                if one.kind == "journal":
                    damage.bring_back(one, original, place)
        differs = self._differences(path, lost)
        return Try(damages, _told(outcome, differs, damages, sentence), sentence)

    def _differences(self, path: Path, lost: bool) -> list[str]:
        """Return in what a service that came to its end differs from one that went on whole.

        What a journal told of the records behind the checkpoint cannot be missed when its end is
        `lost`, just as after a crash. They are taken in another order then, and where the store
        has a prediction of a higher sequence, that stays.
        """
        config = load(path)
        left = self._left(config)
        try:
            whole = self._undisturbed or self._replayed(path)
        except JournalError as error:
            return [f"a replay, which says: {error}"]
        differs = [name for name in whole.told if whole.told[name] != left.told[name]]
        differs += [n for n in ("dead", "predictions") if getattr(whole, n) != getattr(left, n)]
        if left.told["sequence"] != self._records:
            differs.append("records")
        if taken(config) != (held(config) if self._shape.late else []):
            differs.append("journal")
        if _stripped(whole.values, lost) != _stripped(left.values, lost):
            differs.append("values")
        return differs

    def _whole(self, folder: Path) -> Left:
        shutil.copytree(self._folder, folder)
        code, sentence = _started(folder / self._path.name)
        if code != FINE:
            raise TrialError(f"wanted a run to its end, got exit {code}: {sentence}")
        return self._left(load(folder / self._path.name))

    def _replayed(self, path: Path) -> Left:
        whole = load(self._configured(path.parent, "whole"))
        with _quiet():
            replayed(path, whole)
        return self._left(whole)

    def _left(self, config: Config) -> Left:
        values = dict(zip(self._keys, runner.stored(config, self._keys), strict=True))
        return left_by(config, told_of(restored(config)[1]), values)

    def _configured(self, folder: Path, run: str) -> Path:
        values = {
            "name": NAME,
            "log": {"path": "log.db", "group": run},
            "store": {"path": f"{run}.db", "ttl": "none"},
            "checkpoint": {"records": EVERY, "path": f"checkpoints-{run}"},
            **self._shape.tables(NAME, run, self._learner),
        }
        path = folder / f"{run}.toml"
        path.write_text("\n".join(toml(values)), "utf-8")
        return path


def hold_on_services(
    services: Services, shape: Shape, learner: str, stream: Stream, seed: int
) -> Try:
    """Hold one try with real Kafka and real Redis."""
    trial = Trial(services, shape, learner, f"torn-{uuid.uuid4().hex[:12]}")
    whole, path = trial.configured("whole", 1), trial.configured("live", 2)
    records = shape.feed(load(path), stream, seed)
    kill(path, records // 3, "stored")
    kill(path, records * 2 // 3, "unsent")
    place = load(path).checkpoint.path
    original = place.with_name(f"{place.name}-copy")
    shutil.copytree(place, original)
    # Whose tail is lost is told from one that crashed by nothing: see `World`.
    damages = damage.drawn(original, random.Random(seed), 1, besides=("journal",))
    damages[0].do(place)
    outcome, member = "went on", Member(path, "--command")
    member.end()
    if member.code == REFUSED and REMEDY.search(member.errors[-1]):
        outcome = "refused"
        damage.bring_back(damages[0], original, place)
        member = Member(path, "--command")
        member.end()
    sentence = next(iter(member.errors[-1:]), "")
    if member.code != FINE:
        return Try(damages, f"exit {member.code} after it {outcome}", sentence)
    figures = trial.verdict(whole, path, Member(path), records).figures()
    differs = [name for name, same in figures["equal"].items() if not same]
    differs += [] if figures["once"] else ["records"]
    return Try(damages, _told(outcome, differs, damages, sentence), sentence)


def judged(tries: Sequence[Try]) -> dict[str, Any]:
    """Return the figures of tries and whether all passed."""
    kinds = collections.Counter(one.kind for each in tries for one in each.damages)
    ways = collections.Counter(one.way for each in tries for one in each.damages)
    refusals = collections.Counter(
        re.sub("[0-9a-f]*[0-9][0-9a-f]*|/[^ ]*", "#", one.sentence)
        for one in tries if one.outcome == "refused"
    )  # fmt: skip
    return {
        "tries": len(tries),
        "went_on": sum(one.outcome == "went on" for one in tries),
        "refused": sum(one.outcome == "refused" for one in tries),
        "letters_lost_and_said": sum(one.outcome == SAID for one in tries),
        "letters_altered": sum(one.outcome == UNSEEN for one in tries),
        "kinds": kinds,
        "ways": ways,
        "refusals": refusals,
        "strange": [dataclasses.asdict(one) for one in tries if not one.fine],
        "passed": len(tries) > 0 and all(one.fine for one in tries),
    }


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
    """Hold the tries, print their figures, and exit 0 if each did one of two things."""
    given = _arguments()
    begun = time.monotonic()
    done = list(_worlds(given))
    if given.on_services:
        with services(None, None) as place:
            for i in range(given.on_services):
                shape = (given.shape or list(SHAPES))[i % len(given.shape or SHAPES)]
                stream, _ = stream_of(given.data, given.records)
                learner = given.learner[i % len(given.learner)]
                done.append(hold_on_services(place, SHAPES[shape], learner, stream, given.seed + i))
                tell(f"on services, {shape}, {learner}: {done[-1].outcome}")
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
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            yield from hold(place, SHAPES[shape], learner, stream, ending, tries, given.seed + i)


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


def _started(path: Path) -> tuple[int, str]:
    """Run the command on a service to its end; return its exit code and what it said last."""
    with _quiet() as said:
        code = invoke(["run", str(path), "--until-end"])
    lines = said.getvalue().strip().splitlines()
    return code, "; ".join(lines[-1:] if code else lines)


@contextlib.contextmanager
def _quiet() -> Iterator[io.StringIO]:
    """Keep what is printed and who takes signals to a command; yield what it says is wrong."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            yield said
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _told(outcome: str, differs: list[str], damages: list[Damage], sentence: str) -> str:
    """Return the outcome of a try that came to its end, and in what it differs."""
    if differs == ["dead"] and {one.kind for one in damages} & LETTERS:
        return SAID if SAYS in sentence else UNSEEN
    return f"{outcome}, and differs in {differs}" if differs else outcome


def _order(path: Path) -> list[Entry] | None:
    """Return what the journal of a service tells; None if it says that it is broken."""
    config = load(path)
    try:
        return list(chain(open_vault(config), None, journal_end(config)))
    except JournalError:
        return None


def _stripped(values: Mapping[str, Any], lost: bool) -> dict[str, Any]:
    """Return the record that each stored prediction is of, if that is all there is to compare."""
    return {
        key: (one.topic, one.partition, one.offset) if lost and one is not None else one
        for key, one in values.items()
    }


if __name__ == "__main__":
    main()
