"""Count windows close at the record that fills them, wherever blocks are cut.

learned   0  1  2 | 3  4  5 | 6 ...        size 3
window    [------]|[------]|[---
"""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ensembles.windows import CountWindow
from learners.base import LEARN, PREDICT

OPS = st.lists(st.sampled_from([PREDICT, LEARN, PREDICT | LEARN]), max_size=60)


def closings(ops: list[int], size: int, cuts: list[int]) -> list[int]:
    """Where windows close, in rows, when the rows come in blocks."""
    window, closed = CountWindow(size), []
    edges = sorted({0, len(ops), *(cut for cut in cuts if cut < len(ops))})
    for start, end in itertools.pairwise(edges):
        while start < end:
            part = np.array(ops[start:end], np.uint8)
            taken = window.reach(part)
            window.learned += int(((part[:taken] & LEARN) != 0).sum())
            start += taken
            if window.full:
                window.close()
                closed.append(start)
    return closed


@given(OPS, st.integers(1, 9), st.lists(st.integers(1, 59), max_size=8))
def test_windows_close_at_every_nth_learned_record(
    ops: list[int], size: int, cuts: list[int]
) -> None:
    expected, learned = [], 0
    for row, op in enumerate(ops):
        if op & LEARN:
            learned += 1
            if learned % size == 0:
                expected.append(row + 1)
    assert closings(ops, size, cuts) == expected


def test_an_early_close_begins_the_next_window_there() -> None:
    window = CountWindow(10)
    window.learned += 4
    window.close()
    assert (window.first, window.learned) == (4, 0)
    assert window.reach(np.full(20, LEARN, np.uint8)) == 10
