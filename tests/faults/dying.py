"""A service that dies: it kills itself with SIGKILL at a moment of the path, at a sequence.

    python -m tests.faults.dying CONFIG.json [--at SEQUENCE --moment MOMENT]

The doubles here only cause the fault; what they wrap is the real log, store and folder. Just
before its death the process writes the moment and the sequence as one line; one that comes to the
end of the log writes what its live shard holds, so that nothing is read through a checkpoint.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from stream import app, manifest
from stream.config import Config
from stream.folder import Folder
from stream.log import Log, Run
from stream.log_kinds import open_log
from stream.shard import Shard
from stream.store import Entry, Store
from stream.store_kinds import open_store
from tests import runner

MOMENTS = (
    "fetched",  # records have come, and nothing was done with them
    "learned",  # the block is learned, and nothing of it is stored
    "storing",  # half of the block is in the store
    "stored",  # the whole block is in the store
    "parts",  # one part of a checkpoint is written
    "unpublished",  # all parts are written, the manifest is not
    "published",  # the manifest is there, the group has not heard of it
    "late",  # the last block before a checkpoint waits for the store
    "outside",  # whenever another process's SIGKILL comes
)

LATE_SECONDS = 0.3
"""How long a block is kept from the store: time enough to publish a checkpoint that must wait."""


class Death:
    """When to die; sequences are offsets + 1, since the topic has one partition and no gaps."""

    def __init__(self, at: int, moment: str) -> None:
        self.at = at
        self.moment = moment
        self.fetched = 0
        self.claimed = False
        self.published = threading.Event()

    def meet(self, moment: str, sequence: int) -> None:
        """Die if this is the moment, from the given sequence on and only after the claim."""
        if moment == self.moment and self.claimed and sequence >= self.at:
            os.write(1, f"{moment} {sequence}\n".encode())
            if moment != "outside":
                os.kill(os.getpid(), signal.SIGKILL)


class DyingLog:
    """A log whose blocks end at the sequence of death."""

    def __init__(self, log: Log, death: Death) -> None:
        self._log = log
        self._death = death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def seek(self, positions: Mapping[int, int]) -> None:
        self._death.fetched = positions[0]
        self._log.seek(positions)

    def poll(self, limit: int, timeout: float) -> Run | None:
        death = self._death
        if death.fetched < death.at:
            limit = min(limit, death.at - death.fetched)
        run = self._log.poll(limit, timeout)
        if run is not None:
            death.fetched = run.offsets[-1] + 1
            death.meet("fetched", death.fetched)
            death.meet("outside", death.fetched)
        return run


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


class DyingFolder(Folder):
    """A folder that may be left with part of a checkpoint."""

    def __init__(self, path: Path, death: Death) -> None:
        super().__init__(path)
        self._death = death

    def add_part(self, data: bytes) -> str:
        name = super().add_part(data)
        self._death.meet("parts", self._death.fetched)
        return name

    def create(self, name: str, data: bytes) -> bool:
        sequence = manifest.from_bytes(data).sequence if name.startswith("manifest") else -1
        self._death.meet("unpublished", sequence)
        created = super().create(name, data)
        if sequence >= self._death.at:
            self._death.published.set()
        self._death.meet("published", sequence)
        return created


def run(config: Config, death: Death) -> Shard:
    """Run the service to the end of its log, or to its death."""
    with (
        mock.patch.object(app, "open_log", lambda *given: DyingLog(open_log(*given), death)),
        mock.patch.object(app, "open_store", lambda given: DyingStore(open_store(given), death)),
        mock.patch.object(app, "Folder", lambda path: DyingFolder(path, death)),
    ):
        return app.Service(config).run(until_end=True)


def main() -> None:
    """Run a configuration as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--at", type=int)
    parser.add_argument("--moment", choices=MOMENTS)
    given = parser.parse_args()
    config = Config.of(json.loads(given.config.read_text("utf-8")), given.config.parent)
    death = Death(sys.maxsize if given.at is None else given.at, given.moment or "")
    left = runner.outcome(run(config, death), config)
    figures = dataclasses.asdict(left)
    del figures["dead"]
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
