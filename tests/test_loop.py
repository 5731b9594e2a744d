import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stream import loop as module
from stream.errors import FencedError, PartitionsRevokedError, StoreError
from stream.log import Message, Run
from stream.log_embedded import EmbeddedAppender
from stream.loop import Loop
from tests.loop_bench import Bench, N


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


def written() -> None:
    """Wait for a checkpoint that is on its way."""
    for thread in threading.enumerate():
        if thread.name == "checkpoint":
            thread.join()


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
        written()
        bench.watch(loop)
        bench.clock.now += 1.0

    bench.live.seek(bench.shard.positions.values())
    bench.loop.run(lambda: False, {("t", 0): N}, second_passes)
    assert bench.published == [0, 30, 50, 70, 90]


def test_a_state_that_takes_long_to_copy_is_saved_more_seldom(make: Make) -> None:
    bench = make(every=1.0)
    snapshot = bench.shard.snapshot

    def slow() -> Any:
        bench.clock.now += 2.0
        return snapshot()

    bench.shard.snapshot = slow  # type: ignore[method-assign]  # takes its time
    bench.run(50)
    assert bench.loop.stall == 2.0
    bench.clock.now += 99.0
    bench.run(None, stop=lambda: bench.shard.sequence == N)
    assert bench.published == [0, 50]


def test_records_are_taken_while_a_checkpoint_is_written(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "USUAL", 10)
    monkeypatch.setattr(module, "LARGEST", 10)
    bench = make(every=2.0)
    publish, go_on = bench.checkpoints.publish, threading.Event()

    def slow(snapshot: Any) -> Any:
        assert go_on.wait(60)
        return publish(snapshot)

    def second_passes(loop: Loop) -> None:
        bench.clock.now += 1.0
        if bench.shard.sequence == 70:
            go_on.set()
            written()
        bench.watch(loop)

    bench.checkpoints.publish = slow  # type: ignore[method-assign]  # takes its time
    bench.live.seek(bench.shard.positions.values())
    bench.loop.run(lambda: False, {("t", 0): 80}, second_passes)
    assert bench.published == [0, 30]
    assert bench.saved == 80
    assert [commit[0] for commit in bench.log.commits] == [{0: 30}, {0: 80}]


def test_an_owner_that_was_fenced_while_it_wrote_stops(make: Make) -> None:
    bench = make(every=0.0)
    heir = make()
    with pytest.raises(FencedError):
        bench.run()
    assert heir.saved == 0


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


def test_a_store_that_fails_is_no_checkpoint(make: Make) -> None:
    bench = make(records=10)
    bench.store.close()
    with pytest.raises(StoreError):
        bench.run()
    assert bench.saved == 0
    assert not bench.log.commits
