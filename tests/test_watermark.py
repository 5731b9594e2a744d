"""Event time, and records that are far ahead of it."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import waiting
from stream.segment import GONE
from stream.waiting import Waiting
from stream.watermark import ENOUGH, Watermark
from tests.delayed import NAIVE_BAYES, Taken, configured, run_of
from tests.slots import filled, place, restored, slot, snapshot

DAY = 86_400_000
FAR = 7_258_118_400_000
"""The year 2200."""


def seen(mark: Watermark, *times: int) -> list[int | None]:
    """What event time was after each of them."""
    return [(mark.see(time, 0), mark.time)[1] for time in times]


def test_it_is_the_latest_time_and_never_goes_back() -> None:
    assert seen(Watermark(DAY), 5, 9, 7, 9, DAY + 9, 1) == [5, 9, 9, 9, DAY + 9, DAY + 9]
    assert seen(Watermark(None), 5, FAR) == [5, FAR]


def test_one_record_far_ahead_moves_nothing_however_often_one_comes() -> None:
    mark = Watermark(DAY)
    for time in range(1_000):
        assert seen(mark, time, FAR, FAR + time) == [time] * 3


def test_ten_of_them_and_none_in_between_are_believed_as_far_as_all_agree() -> None:
    times = [FAR + i for i in range(ENOUGH)]
    random.Random(1).shuffle(times)
    times[3] = 2 * FAR
    assert seen(Watermark(DAY), 5, *times) == [5] * ENOUGH + [FAR]


@pytest.mark.parametrize(("between", "moved"), [(5, False), (6, False), (4, True)])
def test_one_that_is_on_time_refutes_them_and_one_that_is_late_does_not(
    between: int, moved: bool
) -> None:
    mark = Watermark(DAY)
    seen(mark, 5, *[FAR] * (ENOUGH - 1), between, FAR)
    assert (mark.time == FAR) is moved


def test_a_tick_is_believed_and_an_earlier_one_changes_nothing() -> None:
    mark = Watermark(DAY)
    seen(mark, 5, *[FAR] * (ENOUGH - 1))
    mark.tick(5)
    assert mark.state()["ahead"]
    assert seen(mark, FAR) == [FAR]
    mark.tick(2 * FAR)
    assert mark.time == 2 * FAR


@given(st.lists(st.integers(0, 60), max_size=60), st.integers(0, 60))
def test_it_goes_on_from_its_state(times: list[int], cut: int) -> None:
    whole, first, second = Watermark(9), Watermark(9), Watermark(9)
    numbered = list(zip(times, itertools.count(), strict=False))
    told = [whole.see(*one) for one in numbered]
    before = [first.see(*one) for one in numbered[:cut]]
    second.restore(first.state())
    assert before + [second.see(*one) for one in numbered[cut:]] == told
    assert second.state() == whole.state()


@pytest.fixture
def done(tmp_path: Path) -> Taken:
    """A shard whose features wait twenty days, of which one waits."""
    made = Taken(
        configured(tmp_path, "classification", NAIVE_BAYES, False, within="20d", default="no")
    )
    made.take(run_of({"id": "a", "x": 1.0}, times=[DAY]))
    return made


def test_a_record_of_the_year_2200_ends_no_waiting(done: Taken) -> None:
    done.take(run_of({"id": "odd", "x": 1.0}, times=[FAR]))
    done.take(run_of({"id": "a", "y": "yes"}, times=[2 * DAY]))
    assert (done.labels["matched"], done.labels["expired"], done.labels["ahead"]) == (1, 0, 1)
    # It waits itself, as long as what came with it.
    assert list(done.predicted) == ["k"]
    for day in range(3, 22):
        done.take(run_of({"x": 1.0, "y": "yes"}, times=[day * DAY]))
    assert done.labels["waiting"] == 1
    done.take(run_of({"x": 1.0, "y": "yes"}, times=[21 * DAY + 1]))
    assert (done.labels["expired"], done.labels["waiting"]) == (1, 0)


def test_after_a_pause_what_came_behind_it_waits_its_whole_time(done: Taken) -> None:
    after: list[dict[str, Any]] = [{"id": i, "x": 1.0} for i in range(ENOUGH)]
    done.take(run_of(*after, times=[60 * DAY + i for i in range(ENOUGH)]))
    assert (done.labels["expired"], done.labels["waiting"]) == (1, ENOUGH)
    done.take(run_of({"id": 0, "y": "yes"}, times=[80 * DAY]))
    assert (done.labels["matched"], done.labels["expired"]) == (1, 1)


def test_fewer_than_that_behind_a_pause_leave_time_where_it_is(done: Taken) -> None:
    after = [{"id": i, "x": 1.0} for i in range(ENOUGH - 1)]
    done.take(run_of(*after, times=[60 * DAY] * len(after)))
    assert (done.labels["expired"], done.labels["waiting"]) == (0, ENOUGH)


@pytest.mark.parametrize("first", [0, 3, 8, 11, 16, 19])
def test_a_checkpoint_keeps_what_was_put_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """Also where whole segments, which are kept once, had been kept before."""
    monkeypatch.setattr(waiting, "SIZE", 8)
    monkeypatch.setattr(waiting, "FEW", 4)
    owner, _ = place(tmp_path)
    held = filled(19)
    owner.claim(snapshot(held))
    held.put_off(first, FAR)
    owner.publish(snapshot(held, 2))
    back = restored(place(tmp_path)[0])
    for kept in (held, back):
        assert [deadline(kept, number) for number in range(19)] == [
            FAR if number >= first else slot(number).deadline for number in range(19)
        ]


def deadline(held: Waiting, number: int) -> int:
    return held.slot(number)[0].deadline


def test_what_was_merged_is_put_off_as_far_as_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SIZE", 4)
    monkeypatch.setattr(waiting, "FEW", 2)
    held = filled(20)
    for number in set(range(20)) - {3, 9, 17}:
        held.end(number, GONE)
    held.put_off(5, FAR)
    assert [deadline(held, number) for number in (3, 9, 17)] == [1_003, FAR, FAR]
    held.end(3, GONE)
    held.put_off(0, 2 * FAR)
    assert deadline(held, 9) == 2 * FAR
