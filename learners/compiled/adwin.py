"""ADWIN: a window that drops its older part when the means of two parts differ."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from learners.base import Floats
from learners.compiled.jit import njit, part

# Columns of heads: sum and sum of squared deviations of the window, its width, values since the
# start, rows of buckets in use, and whether the last value told of a drift.
TOTAL, VARIANCE, WIDTH, TICK, ROWS, DRIFTED = range(6)
HEAD = 6

# A row of buckets r sums 2 ** r values each; so 40 rows are more than any stream holds.
DEPTH = 40
# Numbers of NumPy, as the compiler makes a function anew for each literal that it is called with.
FIRST, ONE, TWO = (cast(int, np.int64(number)) for number in range(3))

# Delta, clock, least length of a part, and how many values come before the first test.
Rules = tuple[float, int, float, float]


def windows(count: int, most: int, depth: int = DEPTH) -> tuple[Floats, Floats]:
    """Return heads and buckets of empty windows.

    Parameters
    ----------
    count
        How many windows.
    most
        How many buckets of one size are kept.
    depth
        How many sizes: at the last one the oldest bucket is forgotten.

    Returns
    -------
    heads
        float64[count, HEAD].
    buckets
        float64[count, depth, 2, most + 2]: sums and squared deviations of the buckets of a size,
        the oldest first; the last place is their number, in both alike.
    """
    return np.zeros((count, HEAD)), np.zeros((count, depth, 2, most + 2))


@njit
def add(heads: Floats, buckets: Floats, which: int, value: float, rules: Rules) -> bool:
    """Add a value to a window and return whether it told of a drift.

    After a drift the next value begins anew. The arithmetic is river's, in its order.
    """
    delta, clock, least, grace = rules
    most = buckets.shape[3] - 2
    if heads[which, DRIFTED] > 0.0:
        for r in range(int(heads[which, ROWS])):
            buckets[which, r, 0, most + 1] = buckets[which, r, 1, most + 1] = 0.0
        for column in range(HEAD):
            heads[which, column] = 0.0
    heads[which, ROWS] = max(heads[which, ROWS], 1.0)
    width = heads[which, WIDTH] + 1.0
    heads[which, WIDTH] = width
    if width > 1.0:
        away = value - heads[which, TOTAL] / (width - 1.0)
        heads[which, VARIANCE] += (width - 1.0) * away * away / width
    heads[which, TOTAL] += value
    _push(buckets, which, FIRST, value, 0.0)
    _compress(heads, buckets, which)
    heads[which, TICK] += 1.0
    drifted = False
    if int(heads[which, TICK]) % clock == 0 and width > grace:
        while _differs(heads, buckets, which, delta, least):
            _forget(heads, buckets, which)
            drifted = True
    heads[which, DRIFTED] = 1.0 if drifted else 0.0
    return drifted


@part
def _push(buckets: Floats, which: int, row: int, total: float, variance: float) -> None:
    last = buckets.shape[3] - 1
    place = int(buckets[which, row, 0, last])
    buckets[which, row, 0, place], buckets[which, row, 1, place] = total, variance
    buckets[which, row, 0, last] = buckets[which, row, 1, last] = place + 1.0


@part
def _pull(buckets: Floats, which: int, row: int, count: int) -> None:
    """Take the oldest buckets out of a row."""
    last = buckets.shape[3] - 1
    left = int(buckets[which, row, 0, last]) - count
    for kind in range(2):
        for place in range(left):
            buckets[which, row, kind, place] = buckets[which, row, kind, place + count]
        buckets[which, row, kind, last] = left


@part
def _compress(heads: Floats, buckets: Floats, which: int) -> None:
    """Merge the two oldest buckets of each row that holds one too many."""
    last = buckets.shape[3] - 1
    row = 0
    while buckets[which, row, 0, last] == last:
        if row + 1 == buckets.shape[1]:
            _forget(heads, buckets, which)
            return
        if row + 1 == int(heads[which, ROWS]):
            heads[which, ROWS] += 1.0
        count = 2.0**row
        sums, squares = buckets[which, row, 0], buckets[which, row, 1]
        apart = sums[0] / count - sums[1] / count
        squared = squares[0] + squares[1] + count * 0.5 * apart * apart
        _push(buckets, which, row + 1, sums[0] + sums[1], squared)
        _pull(buckets, which, row, TWO)
        row += 1


@part
def _forget(heads: Floats, buckets: Floats, which: int) -> None:
    """Drop the oldest bucket."""
    last = buckets.shape[3] - 1
    row = int(heads[which, ROWS]) - 1
    count = 2.0**row
    total, variance = buckets[which, row, 0, 0], buckets[which, row, 1, 0]
    heads[which, WIDTH] -= count
    heads[which, TOTAL] -= total
    width = heads[which, WIDTH]
    apart = total / count - heads[which, TOTAL] / width
    heads[which, VARIANCE] -= variance + count * width * apart * apart / (count + width)
    _pull(buckets, which, row, ONE)
    if buckets[which, row, 0, last] == 0.0:
        heads[which, ROWS] -= 1.0


@part
def _differs(heads: Floats, buckets: Floats, which: int, delta: float, least: float) -> bool:
    """Whether at some bucket the means before and after are further apart than chance allows."""
    last = buckets.shape[3] - 1
    width = heads[which, WIDTH]
    doubt = math.log(2.0 * math.log(width) / delta)
    variance = heads[which, VARIANCE] / width
    old, new = 0.0, width
    old_sum, new_sum = 0.0, heads[which, TOTAL]
    for row in range(int(heads[which, ROWS]) - 1, -1, -1):
        size, count = 2.0**row, int(buckets[which, row, 0, last])
        for place in range(count):
            if row == 0 and place == count - 1:
                return False
            old += size
            new -= size
            old_sum += buckets[which, row, 0, place]
            new_sum -= buckets[which, row, 0, place]
            if new >= least and old >= least:
                apart = abs(old_sum / old - new_sum / new)
                harmonic = 1.0 / (old - least + 1.0) + 1.0 / (new - least + 1.0)
                bound = math.sqrt(2.0 * harmonic * variance * doubt)
                if apart > bound + 2.0 / 3.0 * doubt * harmonic:
                    return True
    return False
