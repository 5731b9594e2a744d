import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river import dummy, naive_bayes, stats

from learners.base import PREDICT, Classes, Examples, Task
from learners.from_river import FromRiver
from stream import loop as module
from stream.checkpoint import Checkpoints
from stream.dead import DeadLetters
from stream.decode import Decoder
from stream.errors import PartitionsRevokedError, StoreError, StreamError
from stream.folder import Folder
from stream.intake import Live
from stream.journal import Mark, Skip
from stream.journal_file import FileJournal
from stream.log import Message, Run
from stream.log_embedded import EmbeddedAppender, EmbeddedLog
from stream.loop import Loop
from stream.rescue import Rescue
from stream.score import Scores
from stream.sections import RecordConfig
from stream.shard import Shard
from stream.store_embedded import EmbeddedStore
from stream.writer import Writer

N = 100
NEVER = 3_600.0
TRUST = frozenset({"tests.test_loop.Thirteen"})


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


def value(i: int) -> bytes:
    return b"not JSON" if i % 10 == 7 else json.dumps({"x": i % 5, "y": "UP"}).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with closing(EmbeddedAppender(tmp_path / "log.db", "t")) as appender:
        appender.create(1)
        appender.append(Message(b"k%d" % i, value(i), i) for i in range(N))
    return tmp_path


@pytest.fixture
def make(folder: Path) -> Iterator[Callable[..., Bench]]:
    opened: list[Bench] = []

    def make(**given: Any) -> Bench:
        opened.append(Bench(folder, **given))
        return opened[-1]

    yield make
    for bench in opened:
        bench.close()


Make = Callable[..., Bench]


def test_records_go_the_whole_path(make: Make) -> None:
    bench = make()
    bench.run()
    assert bench.shard.sequence == bench.saved == N
    assert bench.shard.counts["learned"] == N - 10
    assert [letter.offset for letter in bench.dead.letters()] == list(range(7, N, 10))
    assert bench.shard.scores.report()["count"] == N - 10
    found = bench.store.get([f"k{i}" for i in range(N)])
    assert [i for i, entry in enumerate(found) if entry is None] == list(range(7, N, 10))
    last = found[-1]
    assert last is not None
    assert (last.prediction, last.sequence, last.offset) == ('"UP"', N, N - 1)


@pytest.mark.parametrize("until", [1, 33, N])
def test_it_ends_at_an_offset_and_goes_on_from_it(make: Make, until: int) -> None:
    first = make()
    first.run(until)
    assert first.shard.offsets == {("t", 0): until}
    assert first.saved == until
    first.close()
    second = make()
    assert second.shard.sequence == until
    second.run()
    assert second.shard.sequence == N
    whole = second.shard.scores.report()
    assert whole["count"] == N - 10
    assert len(list(second.dead.letters())) == 10


def test_it_ends_where_only_gaps_lie_before_the_end(make: Make, folder: Path) -> None:
    """As after compaction, or where the last offsets are markers of transactions."""
    with closing(sqlite3.connect(folder / "log.db")) as log, log:
        log.execute("DELETE FROM record WHERE offset BETWEEN 50 AND 59")
    bench = make()
    bench.run(55)
    assert bench.shard.offsets == {("t", 0): 50}
    assert bench.saved == 50
    bench.run()
    assert bench.shard.offsets == {("t", 0): N}
    assert bench.shard.sequence == N - 10


def test_checkpoints_lie_at_multiples_of_records(make: Make) -> None:
    bench = make(records=30)
    bench.run()
    assert bench.published == [30, 60, 90]
    assert bench.saved == N
    assert [commit[0] for commit in bench.log.commits] == [{0: at} for at in (30, 60, 90, N)]
    number = bench.checkpoints.number
    assert bench.log.commits[-1][1] == f"{bench.shard.lineage}:{number}:{N}"


def test_a_checkpoint_is_due_after_a_time(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USUAL", 10)
    monkeypatch.setattr(module, "LARGEST", 10)
    bench = make(every=2.0)

    def second_passes(loop: Loop) -> None:
        bench.watch(loop)
        bench.clock.now += 1.0

    bench.live.seek(bench.shard.positions.values())
    bench.loop.run(lambda: False, {("t", 0): N}, second_passes)
    assert bench.published == [0, 30, 50, 70, 90]


def test_a_checkpoint_that_stalls_comes_more_seldom(make: Make) -> None:
    bench = make(every=1.0)
    publish = bench.checkpoints.publish

    def slow(snapshot: Any) -> Any:
        bench.clock.now += 2.0
        return publish(snapshot)

    bench.checkpoints.publish = slow  # type: ignore[method-assign]  # takes its time
    bench.run(50)
    assert bench.loop.stall == 2.0
    bench.clock.now += 99.0
    bench.run(None, stop=lambda: bench.shard.sequence == N)
    assert bench.published == [0, 50]


def test_nothing_taken_is_nothing_to_save(make: Make) -> None:
    bench = make()
    bench.run()
    number = bench.checkpoints.number
    bench.run()
    bench.loop.save()
    assert bench.checkpoints.number == number
    assert len(bench.log.commits) == 1


def test_a_place_to_begin_at_is_saved_before_anything_is_taken(make: Make) -> None:
    first = make()
    first.shard.begin("warm-up", {0: 5})
    first.loop.save()
    first.close()
    assert make().shard.offsets["warm-up", 0] == 5


def test_it_stops_between_blocks_and_saves(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USUAL", 7)
    monkeypatch.setattr(module, "LARGEST", 7)
    bench = make()
    bench.run(None, stop=lambda: bench.shard.sequence >= 20)
    assert bench.shard.sequence == bench.saved == 21


def test_blocks_grow_while_they_are_quick_and_shrink_when_they_are_slow(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "USUAL", 4)
    bench = make()
    take = bench.shard.take
    seconds = iter([0.0, 0.0, 0.0, 2.0, 2.0, 5.0, *[0.5] * N])

    def lasting(run: Run) -> Any:
        bench.clock.now += next(seconds)
        return take(run)

    bench.shard.take = lasting  # type: ignore[method-assign,assignment]  # takes its time
    bench.run()
    assert bench.log.blocks[:8] == [4, 8, 16, 32, 16, 8, 4, 4]
    assert sum(bench.log.blocks) == N


def test_partitions_that_are_taken_away_end_it_and_what_was_taken_can_be_saved(make: Make) -> None:
    bench = make(records=10)
    bench.log.revoke_at = 25
    with pytest.raises(PartitionsRevokedError):
        bench.run()
    assert bench.shard.sequence == 30
    bench.loop.save()
    assert bench.saved == 30


class Thirteen(dummy.StatisticRegressor):  # type: ignore[misc]  # river has no types here
    """A regressor that raises on some targets, half-changed."""

    def learn_one(self, x: Any, y: Any) -> None:
        super().learn_one(x, y)
        if y % 13 == 0:
            raise ZeroDivisionError(f"thirteen divides {y:.0f}")


def numbers(folder: Path, targets: Iterable[int]) -> None:
    with closing(EmbeddedAppender(folder / "log.db", "t")) as appender:
        appender.create(1)
        appender.append(
            Message(b"k%d" % i, json.dumps({"y": y}).encode(), i) for i, y in enumerate(targets)
        )


def regression(folder: Path, records: int) -> Bench:
    return Bench(folder, NEVER, records, Thirteen(stats.Mean()), Task.REGRESSION)


@pytest.mark.parametrize("records", [1, 7, 10, 1_000])
def test_records_that_make_the_learner_raise_are_set_aside(tmp_path: Path, records: int) -> None:
    numbers(tmp_path, range(1, N + 1))
    with closing(regression(tmp_path, records)) as bench:
        bench.run()
        poison = [target for target in range(1, N + 1) if target % 13 == 0]
        letters = list(bench.dead.letters())
        assert [letter.offset for letter in letters] == [target - 1 for target in poison]
        assert letters[0].value == b'{"y": 13}'
        assert "thirteen divides 13" in letters[0].reason
        assert bench.shard.counts["skipped"] == bench.shard.counts["set_aside"] == len(poison)
        assert bench.shard.sequence == bench.saved == N
        plain = stats.Mean()
        for target in sorted({*range(1, N + 1)} - {*poison}):
            plain.update(target)
        assert bench.shard.learner.predict_learn(
            Examples.of([{}], np.array([1.0]), Classes(), PREDICT)
        ).value.tolist() == [plain.get()]


def test_a_learner_that_raises_too_often_stops_the_service(tmp_path: Path) -> None:
    numbers(tmp_path, [13] * N)
    with closing(regression(tmp_path, 10)) as bench:
        with pytest.raises(StreamError, match=r"raised at 11 of 20, last at t/0 10.*skip_share"):
            bench.run()
        assert bench.saved == 10


def test_a_record_that_was_passed_over_is_so_after_a_crash(tmp_path: Path) -> None:
    numbers(tmp_path, range(1, N + 1))
    with closing(regression(tmp_path, 1_000)) as bench:
        bench.live.seek(bench.shard.positions.values())
        run = bench.live.poll(50, 1.0)
        assert isinstance(run, Run)
        bench.loop.step(run)  # and no checkpoint behind it
    with closing(regression(tmp_path, 1_000)) as bench:
        skips = [entry for entry in bench.journal.tail() if isinstance(entry, Skip)]
        assert [skip.offset + 1 for skip in skips] == [13, 26, 39]


def test_a_store_that_fails_is_no_checkpoint(make: Make) -> None:
    bench = make(records=10)
    bench.store.close()
    with pytest.raises(StoreError):
        bench.run()
    assert bench.saved == 0
    assert not bench.log.commits
