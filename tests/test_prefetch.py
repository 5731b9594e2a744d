"""The buffer between the thread that fetches and the one that learns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import LogError
from stream.log import Run
from stream.prefetch import Prefetch


def run_of(start: int, count: int, partition: int = 0) -> Run:
    numbers = list(range(start, start + count))
    return Run("t", partition, list(numbers), list(numbers), [None] * count, [b"v"] * count)


@given(
    puts=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), max_size=20),
    limits=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    chunk=st.integers(1, 15),
)
def test_every_record_is_taken_once_and_in_order(
    puts: list[tuple[int, int]], limits: list[int], chunk: int
) -> None:
    prefetch = Prefetch(chunk, 10**6, 10**6)
    ends = [0, 0]
    for partition, count in puts:
        prefetch.put(run_of(ends[partition], count, partition), count)
        ends[partition] += count
    taken: list[list[int]] = [[], []]
    turn = 0
    while (run := prefetch.take(limits[turn % len(limits)], 0)) is not None:
        assert 1 <= len(run) <= limits[turn % len(limits)]
        assert run.offsets == run.times and len(run.keys) == len(run.values) == len(run)
        taken[run.partition] += run.offsets
        turn += 1
    assert taken == [list(range(end)) for end in ends]
    assert prefetch.empty and prefetch.low


@pytest.mark.parametrize(("count", "size"), [(10, 1), (1, 100)])
def test_it_is_full_by_records_or_by_bytes_and_low_when_half_is_taken(
    count: int, size: int
) -> None:
    prefetch = Prefetch(1, 10, 100)
    assert not prefetch.full and prefetch.low
    prefetch.put(run_of(0, count), size)
    assert prefetch.full and not prefetch.low
    prefetch.take(count, 0)
    assert not prefetch.full and prefetch.low


def test_a_failure_comes_after_what_was_put_before_it_and_stays() -> None:
    prefetch = Prefetch(10, 10, 100)
    prefetch.put(run_of(0, 2), 2)
    prefetch.fail(LogError("lost"))
    assert prefetch.take(10, 0) is not None
    for _ in range(2):
        with pytest.raises(LogError, match="lost"):
            prefetch.take(10, 0)
    prefetch.clear()
    assert prefetch.take(10, 0) is None


def test_an_interruption_drops_everything_and_outlives_clear() -> None:
    prefetch = Prefetch(10, 10, 100)
    prefetch.put(run_of(0, 2), 2)
    prefetch.interrupt(LogError("revoked"))
    prefetch.clear()
    with pytest.raises(LogError, match="revoked"):
        prefetch.take(10, 0)
    prefetch.proceed()
    assert prefetch.take(10, 0) is None
