"""A loop over an embedded log and store, with everything in reach of a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from river import naive_bayes

from learners.base import Classes, Task
from learners.from_river import FromRiver
from stream.checkpoint import Checkpoints
from stream.dead import DeadLetters
from stream.decode import Decoder
from stream.errors import PartitionsRevokedError
from stream.folder import Folder
from stream.intake import Live
from stream.journal import Mark
from stream.journal_file import FileJournal
from stream.log import Run
from stream.log_embedded import EmbeddedLog
from stream.loop import Loop
from stream.rescue import Rescue
from stream.score import Scores
from stream.sections import RecordConfig
from stream.shard import Shard
from stream.store_embedded import EmbeddedStore
from stream.writer import Writer

N = 100
NEVER = 3_600.0
TRUST = frozenset({"tests.test_rescue.Thirteen"})


class Watched(EmbeddedLog):
    """A log that notes what was polled and committed."""

    revoke_at: int | None = None

    def __init__(self, path: Path) -> None:
        super().__init__(path, "t", "g")
        self.blocks: list[int] = []
        self.commits: list[tuple[dict[int, int], str]] = []

    def poll(self, limit: int, timeout: float) -> Run | None:
        if self.revoke_at is not None and sum(self.blocks) >= self.revoke_at:
            raise PartitionsRevokedError("wanted to go on, got revoked")
        run = super().poll(limit, timeout)
        if run is not None:
            self.blocks.append(len(run))
        return run

    def commit(self, positions: Any, metadata: str) -> None:
        self.commits.append((dict(positions), metadata))


class Clock:
    """Seconds that pass only when they are told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A loop over an embedded log and store in a folder, with everything in reach."""

    def __init__(
        self,
        folder: Path,
        every: float = NEVER,
        records: int | None = None,
        model: Any = None,
        task: Task = Task.CLASSIFICATION,
    ) -> None:
        self.log = Watched(folder / "log.db")
        self.store = EmbeddedStore(folder / "store.db", "name")
        self.dead = DeadLetters(folder / "dead.db")
        self.shard = Shard(
            FromRiver(model or naive_bayes.GaussianNB(), trust=TRUST),
            Decoder(RecordConfig(label="y"), task, Classes()),
            Scores(task),
        )
        self.checkpoints = Checkpoints(Folder(folder / "checkpoints"), "name", {}, "")
        self.shard.restore(self.checkpoints.claim(self.shard.snapshot()), self.checkpoints.state)
        self.store.claim(self.checkpoints.epoch)
        self.writer = Writer(self.store, lambda: False)
        if not self.shard.begun("t"):
            self.shard.begin("t", {0: 0})
        self.clock = Clock()
        self.live = Live([self.log])
        held = self.checkpoints.held
        mark = None if held.journal is None else Mark(**held.journal)
        self.journal = FileJournal(Folder(folder / "checkpoints"), self.checkpoints.epoch, mark)
        self.loop = Loop(
            self.shard, self.live, self.writer, self.dead, self.checkpoints, every, records,
            self.clock, journal=self.journal, ordered=False,
            rescue=Rescue(lambda topic: EmbeddedLog(folder / "log.db", topic, None), 0.2),
        )  # fmt: skip
        self.log.acquire(1.0)
        self.published: list[int] = []

    def run(self, until: int | None = N, stop: Callable[[], bool] = lambda: False) -> None:
        self.live.seek(self.shard.positions.values())
        self.loop.run(stop, None if until is None else {("t", 0): until}, self.watch)

    def watch(self, loop: Loop) -> None:
        newest = self.checkpoints.newest()
        assert newest is not None
        if newest.sequence not in self.published:
            self.published.append(newest.sequence)

    @property
    def saved(self) -> int:
        newest = self.checkpoints.newest()
        assert newest is not None
        return newest.sequence

    def close(self) -> None:
        self.writer.close()
        self.store.close()
        self.dead.close()
        self.journal.close()
        self.log.close()
