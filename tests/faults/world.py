"""A service that was killed, with its log and its store in one folder, to be damaged."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import random
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from stream import tuning
from stream.cli import FINE, invoke
from stream.config import Config, load
from stream.errors import JournalError
from stream.inspection import restored
from stream.journal import Entry
from stream.journal_segment import chain
from stream.log_kinds import read_topic
from stream.vault_kinds import journal_end, open_vault
from tests import runner
from tests.faults import damage
from tests.faults.dying import replayed, told_of
from tests.faults.judgement import REFUSING, WENT_ON, Try, compared, refuses, told
from tests.faults.left import Left, held, left_by, taken
from tests.faults.member import TrialError
from tests.faults.shapes import Shape
from tests.faults.trial import kill, toml
from tests.streams import Stream

NAME = "torn"
EVERY = 100
ENDS = (("stored", 3), ("published", 5), ("unsent", 7))
"""Moments at which the services before the last are killed, and twentieths of the records."""
SECOND = 0.2
"""The share of tries in which a second file is damaged."""


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
        Where it was killed last, as in `ENDS`.
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
        self._order = _order(self._path)
        self._wholes: dict[tuple[Entry, ...], Left] = {}
        self._folders = [folder]
        if not shape.late:
            # One partition is the order: no other run may leave anything else.
            self._keep((), self._undisturbed(folder.with_name("whole")))
            self._folders.append(self._listed(folder.with_name("listed")))

    def attempt(self, folder: Path, draw: random.Random) -> Try:
        """Damage a copy of it, and start the service there."""
        begun = draw.choice(self._folders)
        shutil.copytree(begun, folder)
        path = folder / self._path.name
        place, original = (load(one).checkpoint.path for one in (path, begun / self._path.name))
        damages = damage.drawn(original, draw, 1 + (draw.random() < SECOND))
        for one in damages:
            one.do(place)
        lost = _order(path) not in (self._order, None)
        code, sentence = _started(path)
        outcome = WENT_ON
        if refuses(code, sentence):
            outcome, lost = REFUSING, False
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
        return Try(damages, told(outcome, differs, damages, sentence), sentence)

    def _differences(self, path: Path, lost: bool) -> list[str]:
        """Return in what a service that came to its end differs from one that went on whole.

        What a journal told of the records behind the checkpoint cannot be missed when its end is
        `lost`, just as after a crash. They are taken in another order then, and where the store
        has a prediction of a higher sequence, that stays.
        """
        config = load(path)
        left = self._left(config)
        try:
            whole = self._whole(path)
        except JournalError as error:
            return [f"a replay, which says: {error}"]
        differs = [name for name in whole.told if whole.told[name] != left.told[name]]
        if whole.predictions != left.predictions:
            differs.append("predictions")
        differs += compared(left.dead, whole.dead)
        if left.told["sequence"] != self._records:
            differs.append("records")
        if taken(config) != (held(config) if self._shape.late else []):
            differs.append("journal")
        if _stripped(whole.values, lost) != _stripped(left.values, lost):
            differs.append("values")
        return differs

    def _whole(self, path: Path) -> Left:
        """Return what a run leaves that takes the records in the same order; one for each order."""
        order = tuple(_entries(path))
        if order not in self._wholes:
            whole = load(self._configured(path.parent, "whole"))
            with _quiet():
                replayed(path, whole)
            self._keep(order, self._left(whole))
        return self._wholes[order]

    def _keep(self, order: tuple[Entry, ...], left: Left) -> None:
        self._wholes[order] = left
        # By now all is imported: each checkpoint would look for garbage among it.
        gc.freeze()

    def _undisturbed(self, folder: Path) -> Left:
        shutil.copytree(self._folder, folder)
        code, sentence = _started(folder / self._path.name)
        if code != FINE:
            raise TrialError(f"wanted a run to its end, got exit {code}: {sentence}")
        return self._left(load(folder / self._path.name))

    def _listed(self, folder: Path) -> Path:
        """Return a copy of which the dead letters were read: then the file holds them, no log."""
        shutil.copytree(self._folder, folder)
        with _quiet():
            invoke(["dead", str(folder / self._path.name)])
        return folder

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
    warned = logging.StreamHandler(said)
    logging.getLogger().addHandler(warned)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(said),
            mock.patch.object(tuning, "gc"),
        ):
            yield said
    finally:
        logging.getLogger().removeHandler(warned)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _order(path: Path) -> list[Entry] | None:
    """Return what the journal of a service tells; None if it says that it is broken."""
    try:
        return list(_entries(path))
    except JournalError:
        return None


def _entries(path: Path) -> Iterator[Entry]:
    config = load(path)
    return chain(open_vault(config), None, journal_end(config))


def _stripped(values: Mapping[str, Any], lost: bool) -> dict[str, Any]:
    """Return the record that each stored prediction is of, if that is all there is to compare."""
    return {
        key: (one.topic, one.partition, one.offset) if lost and one is not None else one
        for key, one in values.items()
    }
