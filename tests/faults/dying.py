"""A service that dies: it kills itself with SIGKILL at a moment of the path, at a sequence.

    python -m tests.faults.dying CONFIG.toml [--at SEQUENCE --moment MOMENT] [--stop] [--command]
    python -m tests.faults.dying CONFIG.toml --replay CONFIG.toml

The doubles here only cause the fault; what they wrap is the real path. Just before its death the
process writes the moment and the sequence as one line. One that comes to the end of its log, or
is told by a signal to leave, writes what its live shard holds, so that nothing is read through a
checkpoint. With --stop it stands still there with SIGSTOP, once, and goes on when it is woken;
with --command it is `alluvia run --until-end`, with the exit code of that. With --replay it is
not killed, and takes the journal of another service to its end, into a model of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from learners.base import State
from learners.digests import digest
from stream import app, cli, courier, kafka_kinds, manifest, replay, session, vault_kinds
from stream.checkpoint import Checkpoints
from stream.config import Config, load
from stream.errors import PartitionsRevokedError
from stream.folder import Folder
from stream.inspection import restored
from stream.intake import Came, History, Intake
from stream.journal import Tick
from stream.log import Message, Place, Run
from stream.log_kinds import open_producer
from stream.log_process import SILENCE_SECONDS, ProcessLog
from stream.loop import Loop
from stream.manifest import Manifest
from stream.process import Interruption
from stream.producer import Producer
from stream.receipt import Receipt
from stream.report import finite
from stream.shard import Shard
from stream.store import Entry, Store
from stream.store_kinds import open_store
from tests.faults import sending
from tests.faults.moments import MOMENTS, ORDERED, Death

LATE_SECONDS = 0.3
"""How long a block is kept from the store: time enough to publish a checkpoint that must wait."""


class DyingLoop(Loop):
    """A loop of which a block ends at the sequence of death, and takes its time."""

    def __init__(
        self, death: Death, pace: float, shard: Shard, intake: Intake, *given: Any, **named: Any
    ) -> None:
        super().__init__(shard, intake, *given, **named)
        self._death, self._pace = death, pace
        self._follows = isinstance(intake, History)

    def step(self, came: Came) -> None:
        death = self._death
        time.sleep(self._pace)
        if isinstance(came, Run):
            death.taken = self.shard.sequence + len(came)
            death.meet("fetched", death.taken)
            death.meet("outside", death.taken)
        super().step(came)
        if self._follows:
            death.meet("following", self.shard.sequence)
        elif death.moment == "revoked" and self.shard.sequence >= death.at:
            death.revoked = True
            raise PartitionsRevokedError("wanted to go on, got the partitions taken away")

    def take(self, came: Run | Tick) -> None:
        if self._ordered:
            self._death.meet("journalled", self._death.taken)
        super().take(came)

    def _limit(self) -> int:
        left = self._death.at - self.shard.sequence
        return min(super()._limit(), left) if left > 0 else super()._limit()


class DyingStore:
    """A store that may take half a block."""

    def __init__(self, store: Store, death: Death) -> None:
        self._store = store
        self._death = death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def claim(self, epoch: int) -> None:
        self._store.claim(epoch)
        self._death.claimed = True

    def put(self, entries: Sequence[Entry]) -> int:
        last = max(entry.sequence for entry in entries)
        self._death.meet("learned", last)
        if self._death.moment == "late" and last >= self._death.at:
            self._death.published.wait(LATE_SECONDS)
            self._death.meet("late", last)
        half = len(entries) // 2
        count = self._store.put(entries[:half])
        self._death.meet("storing", last)
        count += self._store.put(entries[half:])
        self._death.meet("stored", last)
        return count


class DyingCheckpoints(Checkpoints):
    """Checkpoints of which one may be restored in part."""

    def __init__(self, death: Death, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._death = death

    def state(self, of: Manifest, name: str) -> State:
        if name != "learner":
            self._death.meet("restoring", of.sequence)
        return super().state(of, name)


class DyingFolder(Folder):
    """A folder that may be left with part of a checkpoint."""

    def __init__(self, path: Path, death: Death) -> None:
        super().__init__(path)
        self._death = death

    def add_part(self, data: bytes) -> str:
        name = super().add_part(data)
        self._death.meet("parts", self._death.taken)
        return name

    def create(self, name: str, data: bytes) -> bool:
        sequence = manifest.from_bytes(data).sequence if name.startswith("manifest") else -1
        self._death.meet("unpublished", sequence)
        if self._death.revoked:
            self._death.meet("revoked", sequence)
        created = super().create(name, data)
        if sequence >= self._death.at:
            self._death.published.set()
        self._death.meet("published", sequence)
        return created


class DyingProducer(sending.DyingProducer):
    """A producer that dies in its first sending from the sequence of death on."""

    def __init__(self, producer: Producer, death: Death) -> None:
        super().__init__(producer, death.moment, 1)
        self._death = death
        self._sequence = 0

    def send(
        self,
        messages: Iterable[tuple[str, Message]],
        positions: Mapping[Place, int],
        metadata: str,
    ) -> None:
        self._sequence = Receipt.parsed(metadata).sequence
        if self._sequence >= self._death.at:
            super().send(messages, positions, metadata)
        else:
            self._producer.send(messages, positions, metadata)

    def _meet(self, moment: str) -> None:
        self._death.meet(moment, self._sequence)


def _dying_folder(death: Death) -> type[Folder]:
    """Return a class: what opens a folder asks whether it is one."""

    class Dying(DyingFolder):
        def __init__(self, path: Path, stop: Callable[[], bool]) -> None:
            super().__init__(path, death)

    return Dying


@contextlib.contextmanager
def doubles(death: Death, pace: float = 0.0, silence: float = SILENCE_SECONDS) -> Iterator[None]:
    """Put what dies in the place of what does not.

    Each block takes `pace` seconds more; a process that stands still for `silence` seconds gives
    its partitions up.
    """
    with (
        mock.patch.object(session, "Loop", functools.partial(DyingLoop, death, pace)),
        mock.patch.object(vault_kinds, "Checkpoints", functools.partial(DyingCheckpoints, death)),
        mock.patch.object(vault_kinds, "Folder", _dying_folder(death)),
        mock.patch.object(
            courier, "open_producer", lambda given: DyingProducer(open_producer(given), death)
        ),
        mock.patch.object(app, "QUIET_TRIES", 1),  # who stands by says so at once
        mock.patch.object(app, "open_store", lambda given: DyingStore(open_store(given), death)),
        mock.patch.object(
            kafka_kinds, "ProcessLog", functools.partial(ProcessLog, silence=silence)
        ),
    ):
        yield


def replayed(killed: Path, config: Config) -> Shard:
    """Take the journal of another service, as `alluvia replay --journal` does.

    Only the place of the replayed model is another: its name and its topics stay those of the
    service, so that all it sends and stores can be compared.
    """
    with mock.patch.object(replay, "renamed", lambda original, name: config):
        replay.replay(killed, config.name, [], None, None, journal=True)
    return restored(config)[1]


def told_of(shard: Shard) -> dict[str, Any]:
    """Return what a shard holds, as JSON values."""
    told: dict[str, Any] = finite(
        {
            "sequence": shard.sequence,
            "digest": digest(shard.learner.estimator),
            "scores": shard.scores.report(),
            "counts": dict(shard.counts),
            "decoder": shard.decoder.state(),
            "labels": None if shard.join is None else shard.join.report(),
        }
    )
    return told


def main() -> None:
    """Run a configuration as the arguments say."""
    given = _arguments()
    config = load(given.config)
    if given.replay is not None:
        print(json.dumps(told_of(replayed(given.replay, config))))
        return
    death = Death(given.at, given.moment, signal.SIGSTOP if given.stop else signal.SIGKILL)
    with doubles(death, given.pace, given.silence):
        if given.command:
            sys.argv = ["alluvia", "run", str(given.config), "--until-end"]
            cli.main()
        stop = Interruption()
        stop.listen()
        shard = app.Service(config).run(until_end=True, stop=stop)
    print(json.dumps(told_of(shard)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--at", type=int, default=sys.maxsize)
    parser.add_argument("--moment", choices=MOMENTS + ORDERED, default="")
    parser.add_argument("--stop", action="store_true")
    parser.add_argument("--command", action="store_true")
    parser.add_argument("--pace", type=float, default=0.0)
    parser.add_argument("--silence", type=float, default=SILENCE_SECONDS)
    parser.add_argument("--replay", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
