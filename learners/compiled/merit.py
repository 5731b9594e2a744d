"""What splitting a leaf by a column is worth: what each class would weigh in the branches."""

from __future__ import annotations

import math

from learners.compiled.jit import part
from learners.compiled.look import (
    BEST,
    BRANCHES,
    COLUMNS,
    DEVIATIONS,
    FOUND,
    KEYS,
    KINDS,
    ORDER,
    PLACE,
    SINCE,
    SIZE,
    STATS_OF,
    SUMS,
    Look,
)
from learners.compiled.pool import COUNT, FOLLOWING, HIGH, LOW, MEAN, SPREAD, VALUE, Pool, Whole
from learners.compiled.rules import GAIN, Rules
from learners.table import Codes, Floats

ROOT_2 = math.sqrt(2.0)
# What a class weighs in a branch that it does not reach, as against 0 of one that it does.
ABSENT = -1.0


@part
def arrange(pool: Pool, j: int, d: int, labels: Whole, look: Look) -> None:
    """Order the classes as river does: as they came to the number; for words by their labels."""
    order, keys = look.whole[ORDER], look.whole[KEYS]
    for e in range(look.whole[BEST, SIZE]):
        s, key, at = look.whole[STATS_OF, e], 0, e
        if j >= d:
            key = labels[look.whole[KINDS, e]]
        elif pool.born.shape[1] > 0 and s >= 0:
            key = pool.born[s, j]
        while at > 0 and keys[at - 1] > key:
            keys[at], order[at] = keys[at - 1], order[at - 1]
            at -= 1
        keys[at], order[at] = key, e


@part
def in_order(pool: Pool, d: int, c: int, look: Look) -> int:
    """Put the columns that the leaf learned anything of in the order in which it did."""
    n, width, ordered = 0, pool.stat.shape[2], pool.born.shape[1] > 0
    for j in range(d + c):
        first, met = 1 << 40, False
        for e in range(look.whole[BEST, SIZE]):
            s = look.whole[STATS_OF, e]
            if s >= 0 and (pool.stat[s, COUNT, j] > 0.0 if j < d else pool.cells[s, j - d] >= 0):
                met = True
                if ordered:
                    first = min(first, pool.born[s, j if j < d else width + j - d])
        if met:
            place = n
            while place > 0 and look.whole[SINCE, place - 1] > first:
                look.whole[SINCE, place] = look.whole[SINCE, place - 1]
                look.whole[COLUMNS, place] = look.whole[COLUMNS, place - 1]
                place -= 1
            look.whole[SINCE, place], look.whole[COLUMNS, place] = first, j
            n += 1
    return n


@part
def entropy_of(weights: Floats, n: int) -> float:
    """Return the entropy of n weights, in bits."""
    entropy, total = 0.0, 0.0
    for e in range(n):
        if weights[e] > 0.0:
            entropy -= weights[e] * math.log2(weights[e])
            total += weights[e]
    return (entropy + total * math.log2(total)) / total if total > 0.0 else 0.0


@part
def merit_of(rules: Rules, entropy: float, look: Look) -> float:
    """Return what a split into `look.parts` is worth."""
    branches = look.whole[BEST, BRANCHES]
    parts, sums, total, large, n = look.parts, look.real[SUMS], 0.0, 0, look.whole[BEST, SIZE]
    for b in range(branches):
        sums[b] = 0.0
        for e in range(n):
            sums[b] += max(parts[b, e], 0.0)
        total += sums[b]
    for b in range(branches):
        large += sums[b] / total > rules.fraction
    if large < 2:
        return -math.inf
    rest = 0.0
    for b in range(branches):
        if rules.criterion == GAIN:
            rest += sums[b] * entropy_of(parts[b], n)
        else:
            rest += sums[b] / total * _gini(parts[b], sums[b], n)
    return entropy - rest / total if rules.criterion == GAIN else 1.0 - rest


@part
def _gini(weights: Floats, total: float, n: int) -> float:
    gini = 1.0
    if total != 0.0:
        for e in range(n):
            share = max(weights[e], 0.0) / total
            gini -= share * share
    return gini


@part
def best_cut(pool: Pool, rules: Rules, j: int, entropy: float, look: Look) -> tuple[float, float]:
    """Return merit and threshold of the best split of a number."""
    low, high, stat = math.inf, -math.inf, pool.stat
    for e in range(look.whole[BEST, SIZE]):
        s = look.whole[STATS_OF, e]
        if s >= 0:
            low = min(low, stat[s, LOW, j])
            high = max(high, stat[s, HIGH, j])
    deviate(stat, j, rules.half, look)
    best, point = -math.inf, 0.0
    step = (high - low) / (rules.points + 1.0)
    for i in range(rules.points):
        cut = low + step * (i + 1)
        if low < cut < high:
            cut_at(stat, j, cut, look)
            merit = merit_of(rules, entropy, look)
            if merit > best:
                best, point = merit, cut
    return best, point


@part
def deviate(stat: Floats, j: int, half: float, look: Look) -> None:
    """Put down the standard deviation of a number by class, once for all thresholds."""
    for e in range(look.whole[BEST, SIZE]):
        s, variance = look.whole[STATS_OF, look.whole[ORDER, e]], 0.0
        if s >= 0 and stat[s, COUNT, j] > 1.0:
            variance = stat[s, SPREAD, j] / (stat[s, COUNT, j] - 1.0)
        look.real[DEVIATIONS, e] = variance**half if variance > 0.0 else 0.0


@part
def cut_at(stat: Floats, j: int, cut: float, look: Look) -> None:
    """Say what each class weighs up to a threshold and beyond it, by its Gaussian."""
    parts = look.parts
    look.whole[BEST, BRANCHES] = 2
    for e in range(look.whole[BEST, SIZE]):
        s = look.whole[STATS_OF, look.whole[ORDER, e]]
        parts[0, e] = parts[1, e] = ABSENT
        if s < 0 or stat[s, COUNT, j] == 0.0:
            continue
        n = stat[s, COUNT, j]
        if cut < stat[s, LOW, j]:
            parts[1, e] = n
        elif cut >= stat[s, HIGH, j]:
            parts[0, e] = n
        else:
            below, deviation = 0.0, look.real[DEVIATIONS, e]
            if deviation > 0.0:
                gap = (cut - stat[s, MEAN, j]) / deviation
                below = 0.5 * (1.0 + math.erf(gap / ROOT_2))
            parts[0, e] = below * n
            parts[1, e] = n - parts[0, e]


@part
def by_word(pool: Pool, j: int, ranks: Codes, look: Look) -> None:
    """Say what each class weighs by word, words in sorted order."""
    n, found, place = 0, look.whole[FOUND], look.whole[PLACE]
    for word in range(ranks.shape[1]):
        place[word] = -1
    for e in range(look.whole[BEST, SIZE]):
        cell = pool.cells[look.whole[STATS_OF, e], j] if look.whole[STATS_OF, e] >= 0 else -1
        while cell >= 0:
            word = pool.cell[cell, VALUE]
            if place[word] < 0:
                place[word] = 0
                at = n
                while at > 0 and ranks[j, found[at - 1]] > ranks[j, word]:
                    found[at] = found[at - 1]
                    at -= 1
                found[at] = word
                n += 1
            cell = pool.cell[cell, FOLLOWING]
    for b in range(n):
        place[found[b]] = b
        for e in range(look.whole[BEST, SIZE]):
            look.parts[b, e] = ABSENT
    for e in range(look.whole[BEST, SIZE]):
        s = look.whole[STATS_OF, look.whole[ORDER, e]]
        cell = pool.cells[s, j] if s >= 0 else -1
        while cell >= 0:
            look.parts[place[pool.cell[cell, VALUE]], e] = pool.tally[cell]
            cell = pool.cell[cell, FOLLOWING]
    look.whole[BEST, BRANCHES] = n
