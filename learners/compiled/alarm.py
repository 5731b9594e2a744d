"""ADWIN over rights and wrongs: a window of 0 and 1 that drops what is no longer like the rest."""

from __future__ import annotations

import math

import numpy as np

from learners.compiled.jit import numbered, part
from learners.compiled.pool import Whole

# Buckets of one size before two are merged, sizes 2**0 to 2**47, and how often and from which
# width a change is looked for: all as in MOA and river.
MOST, LEVELS, CLOCK, SHORTEST, LEAST = 5, 48, 32, 10, 5
# The last row: width, ones in the window, updates, levels in use.
WIDTH, ONES, TICKS, USED = numbered(4)


def alarms(*shape: int) -> Whole:
    """Return windows that have seen nothing, int64[*shape, LEVELS + 1, MOST + 2].

    A row is a level: how many buckets, then the ones in each, the newest first. With values of
    0 and 1 the variance follows from the totals.
    """
    return np.zeros((*shape, LEVELS + 1, MOST + 2), np.int64)


@part
def note(window: Whole, wrong: int, delta: float, rises: bool) -> bool:
    """Add a right or wrong, 0 or 1, and return whether the mean changed (Bifet and Gavaldà, 2007).

    With `rises` a fall, which is good news, does not count. Amortised O(1), every 32nd call
    O(log width) and more where buckets are dropped; O(log width) numbers.
    """
    top = window[LEVELS]
    _insert(window, wrong)
    top[TICKS] += 1
    if top[TICKS] % CLOCK != 0 or top[WIDTH] <= SHORTEST:
        return False
    before = top[ONES] / top[WIDTH]
    changed = False
    while _differs(window, delta):
        changed = True
        _drop(window)
    return changed and (not rises or top[ONES] / top[WIDTH] > before)


@part
def silence(window: Whole) -> None:
    """Let a window have seen nothing."""
    for level in range(LEVELS + 1):
        for place in range(MOST + 2):
            window[level, place] = 0


@part
def _insert(window: Whole, wrong: int) -> None:
    top = window[LEVELS]
    top[WIDTH] += 1
    top[ONES] += wrong
    if top[USED] == 0:
        top[USED] = 1
    ones, level = 1 if wrong else 0, 0
    while level < LEVELS:
        row = window[level]
        for b in range(row[0], 0, -1):
            row[b + 1] = row[b]
        row[1] = ones
        row[0] += 1
        if top[USED] <= level:
            top[USED] = level + 1
        if row[0] <= MOST:
            return
        ones = row[MOST] + row[MOST + 1]
        row[0] = MOST - 1
        row[MOST] = row[MOST + 1] = 0
        level += 1


@part
def _differs(window: Whole, delta: float) -> bool:
    """Say whether the window falls into two parts with different means, from the oldest on."""
    top = window[LEVELS]
    width, ones = float(top[WIDTH]), float(top[ONES])
    if width < 2.0:
        return False
    spread = ones / width * (1.0 - ones / width)
    log = math.log(2.0 * math.log(width) / delta)
    n, u = 0.0, 0.0
    for level in range(top[USED] - 1, -1, -1):
        row = window[level]
        for b in range(row[0], 0, -1):
            n += 2.0**level
            u += row[b]
            rest = width - n
            if rest < LEAST:
                return False
            if n >= LEAST:
                m = 1.0 / (n - LEAST + 1.0) + 1.0 / (rest - LEAST + 1.0)
                bound = math.sqrt(2.0 * m * spread * log) + 2.0 / 3.0 * log * m
                if abs(u / n - (ones - u) / rest) > bound:
                    return True
    return False


@part
def _drop(window: Whole) -> None:
    """Drop the oldest bucket."""
    top = window[LEVELS]
    level = top[USED] - 1
    row = window[level]
    top[WIDTH] -= 1 << level
    top[ONES] -= row[row[0]]
    row[row[0]] = 0
    row[0] -= 1
    while top[USED] > 1 and window[top[USED] - 1, 0] == 0:
        top[USED] -= 1
