"""A leaf: what it answers, and how it learns a row."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from learners.compiled.chance import Seeds, uniform
from learners.compiled.jit import inner, numbered, part
from learners.compiled.pool import (
    AFTER,
    BAYES,
    CATEGORIES,
    CELLS,
    CLASS,
    COUNT,
    EXACT,
    FOLLOWING,
    HEAD,
    HIGH,
    KIND,
    LEAF,
    LOW,
    MAJORITY,
    MEAN,
    NOBODY,
    NUMBERS,
    SCALE,
    SPREAD,
    STAT,
    TICK,
    VALUE,
    Pool,
    Whole,
    new_entry,
    new_stat,
    take,
)
from learners.compiled.rules import ALL, BY_BAYES, SQUARE_ROOT, Rules
from learners.table import Codes, Floats

HALF_LOG_TAU = 0.5 * math.log(math.tau)
HALF_LOG_PI = 0.5 * math.log(math.pi)


# Rows of `Look.real`: the row's numbers in the columns that the leaf looks at; by entry the
# weight of the class, the log of its likelihood, its probability; the weight of all classes; by
# branch the sum of `parts`.
ROW, PRIORS, LOGS, CHANCES, TOTAL, SUMS = numbered(6)
# Rows of `Look.whole`: the row's words; by entry the class and its statistics; the classes by
# majority and by naive Bayes (-1: none), how many entries, whether naive Bayes speaks; columns
# and when each was first met; by word its place among those found, and those found; entries in
# the order of their keys, and the keys.
CODES, KINDS, STATS_OF, BEST, COLUMNS, SINCE, PLACE, FOUND, ORDER, KEYS = numbered(10)
# What a class pays for a value unlike the only one that it had, in logs of its weight. MOA leaves
# it no chance; a tree is as good either way, but a forest, whose leaves are often young, loses
# 3 to 7 points by it; 1 instead costs a tree 2 points where columns are binary.
SURPRISE = 10.0
# Beyond it lies only the square of a distance from what was the one value, by EXACT.
ODD = 1e200
BY_COUNT, BY_LIKELIHOOD, SIZE, SPEAKS = numbered(4)
# When it splits: how many branches.
BRANCHES = SPEAKS


class Look(NamedTuple):
    """Room for one row as one leaf sees it, for what the leaf says of it, and for splitting it.

    Attributes
    ----------
    real, whole
        float64[6, m] and int64[10, m], see the names of their rows.
    parts
        float64[branches, classes], what a class would weigh in a branch, classes as in ORDER.
    """

    real: Floats
    whole: Whole
    parts: Floats


def look_of(d: int, c: int, classes: int, words: int) -> Look:
    """Return room for rows of d numbers and c categories, at most so many words in one."""
    branches, width = max(words, 2), max(d + c, classes, words, 4)
    return Look(
        np.empty((6, width)), np.empty((10, width), np.int64), np.empty((branches, max(classes, 1)))
    )


@inner
def see(pool: Pool, rules: Rules, leaf: int, x: Floats, codes: Codes, i: int, look: Look) -> bool:
    """Put a row's values before a leaf; return whether a number is missing among them."""
    gaps = 0
    if rules.columns == ALL:
        for j in range(x.shape[1]):
            look.real[ROW, j] = x[i, j]
            gaps += x[i, j] != x[i, j]
        for j in range(codes.shape[1]):
            look.whole[CODES, j] = codes[i, j]
        return gaps > 0
    numbers = pool.node[leaf, NUMBERS]
    for j in range(numbers):
        look.real[ROW, j] = x[i, pool.slot[leaf, j]]
        gaps += look.real[ROW, j] != look.real[ROW, j]
    for j in range(pool.node[leaf, CATEGORIES]):
        look.whole[CODES, j] = codes[i, pool.slot[leaf, numbers + j]]
    return gaps > 0


@inner
def widths(pool: Pool, rules: Rules, leaf: int, x: Floats, codes: Codes) -> tuple[int, int]:
    """Return how many numbers and categories the leaf looks at."""
    if rules.columns == ALL:
        return x.shape[1], codes.shape[1]
    numbers = pool.node[leaf, NUMBERS]
    return numbers if numbers > 0 else 0, pool.node[leaf, CATEGORIES]


@inner
def ask(
    pool: Pool,
    rules: Rules,
    rivers: bool | None,
    leaf: int,
    d: int,
    c: int,
    gaps: bool,
    look: Look,
) -> None:
    """Say what the leaf thinks of the row before it, by majority and by naive Bayes.

    `rivers` is that of the rules: only by an argument does the compiler leave out what is not for
    its type.
    """
    total, most, kind, n = 0.0, 0.0, -1, 0
    entry = pool.node[leaf, HEAD]
    while entry >= 0:
        look.whole[KINDS, n] = pool.entry[entry, CLASS]
        look.real[PRIORS, n] = pool.prior[entry]
        total += pool.prior[entry]
        n += 1
        entry = pool.entry[entry, AFTER]
    scale = 1.0 / total if total != 0.0 else 1.0
    for e in range(n):
        share = look.real[PRIORS, e] * scale
        look.real[CHANCES, e] = share
        if kind < 0 or share > most:
            most, kind = share, look.whole[KINDS, e]
    look.real[TOTAL, 0] = total
    (
        look.whole[BEST, BY_COUNT],
        look.whole[BEST, BY_LIKELIHOOD],
        look.whole[BEST, SIZE],
        look.whole[BEST, SPEAKS],
    ) = kind, -1, n, 0
    if rules.answer == 0 or pool.node[leaf, KIND] != LEAF or total == 0.0:
        return
    if rivers is None:
        _bayes(pool, leaf, d, c, gaps, look)
    else:
        _bayes_of_river(pool, leaf, d, c, look)
    if look.whole[BEST, BY_LIKELIHOOD] < 0:
        return
    if rules.answer == BY_BAYES:
        look.whole[BEST, SPEAKS] = total >= rules.threshold
    else:
        look.whole[BEST, SPEAKS] = pool.mass[leaf, BAYES] >= pool.mass[leaf, MAJORITY]


@inner
def say(rivers: bool | None, look: Look) -> None:
    """Turn what the leaf thinks into probabilities, in `probabilities`."""
    if look.whole[BEST, SPEAKS] == 0:
        return
    if rivers is not None:
        for e in range(look.whole[BEST, SIZE]):
            look.real[CHANCES, e] = look.real[LOGS, e]
        return
    top = -math.inf
    for e in range(look.whole[BEST, SIZE]):
        if look.real[LOGS, e] > top:
            top = look.real[LOGS, e]
    total = 0.0
    for e in range(look.whole[BEST, SIZE]):
        look.real[CHANCES, e] = (
            math.exp(look.real[LOGS, e] - top) if look.real[LOGS, e] > top - 700.0 else 0.0
        )
        total += look.real[CHANCES, e]
    for e in range(look.whole[BEST, SIZE]):
        look.real[CHANCES, e] /= total


@inner
def _bayes(pool: Pool, leaf: int, d: int, c: int, gaps: bool, look: Look) -> None:
    """Naive Bayes as MOA has it, in logs: a class that the leaf did not learn has no chance.

    A Gaussian without variance gives one to the value it saw, and SURPRISE to others.
    """
    e, kind, top, stats = 0, -1, -math.inf, pool.stat
    entry = pool.node[leaf, HEAD]
    while entry >= 0:
        s = pool.entry[entry, STAT]
        log = -math.inf
        if s >= 0 and look.real[PRIORS, e] > 0.0:
            log = math.log(look.real[PRIORS, e] / look.real[TOTAL, 0])
            total, odd = 0.0, 0
            for j in range(d):
                gap = look.real[ROW, j] - stats[s, MEAN, j]
                term = gap * gap * stats[s, SCALE, j]
                odd += term > ODD
                # What is missing makes NaN, and adds nothing.
                total += term if term <= ODD else 0.0
            log += pool.norm[s] - total
            if gaps or odd > 0:
                log += _exceptions(stats, s, d, look)
            for j in range(c):
                if look.whole[CODES, j] != -1:
                    log += _frequency(pool, s, j, look.whole[CODES, j])
        look.real[LOGS, e] = log
        if log > top:
            top, kind = log, look.whole[KINDS, e]
        e += 1
        entry = pool.entry[entry, AFTER]
    look.whole[BEST, BY_LIKELIHOOD] = kind


@part
def _exceptions(stats: Floats, s: int, d: int, look: Look) -> float:
    """Return what numbers that are missing, or unlike the only one known, change in the log."""
    log = 0.0
    for j in range(d):
        gap, scale = look.real[ROW, j] - stats[s, MEAN, j], stats[s, SCALE, j]
        if scale < EXACT:
            log -= 0.5 * math.log(scale) - HALF_LOG_PI if gap != gap else 0.0
        elif gap * gap * scale > ODD:
            log -= SURPRISE * math.log(stats[s, COUNT, j] + 2.0)
    return log


@inner
def _frequency(pool: Pool, stat: int, j: int, word: int) -> float:
    """Log of a word's share with one added for each word, and for all unknown ones."""
    found, total, kinds = 0.0, 0.0, 0
    cell = pool.cells[stat, j]
    while cell >= 0:
        total += pool.tally[cell]
        kinds += 1
        if pool.cell[cell, VALUE] == word:
            found = pool.tally[cell]
        cell = pool.cell[cell, FOLLOWING]
    return math.log((found + 1.0) / (total + kinds + 1.0))


@part
def _bayes_of_river(pool: Pool, leaf: int, d: int, c: int, look: Look) -> None:
    """Naive Bayes as river has it: what a class has no density for is passed over."""
    e, top, n = 0, -math.inf, look.whole[BEST, SIZE]
    entry = pool.node[leaf, HEAD]
    while entry >= 0:
        s, log = pool.entry[entry, STAT], 0.0
        if look.real[PRIORS, e] > 0.0:
            log = math.log(look.real[PRIORS, e] / look.real[TOTAL, 0])
            if s >= 0:
                for j in range(d):
                    log += _log_density(pool.stat, s, j, look.real[ROW, j])
                for j in range(c):
                    log += _log_share(pool, s, j, look.whole[CODES, j])
        look.real[LOGS, e] = log
        top = max(top, log)
        e += 1
        entry = pool.entry[entry, AFTER]
    total = 0.0
    for e in range(n):
        total += math.exp(look.real[LOGS, e] - top)
    lse, most = top + math.log(total), -1.0
    for e in range(n):
        look.real[LOGS, e] = math.exp(look.real[LOGS, e] - lse)
        if look.real[LOGS, e] > most:
            most = look.real[LOGS, e]
            look.whole[BEST, BY_LIKELIHOOD] = look.whole[KINDS, e]


@part
def _log_density(stat: Floats, s: int, j: int, x: float) -> float:
    n = stat[s, COUNT, j]
    if x == x and n > 1.0:
        variance = stat[s, SPREAD, j] / (n - 1.0)
        if variance > 0.0:
            gap = x - stat[s, MEAN, j]
            return float(gap * gap / (-2.0 * variance) - HALF_LOG_TAU - 0.5 * math.log(variance))
    return 0.0


@part
def _log_share(pool: Pool, stat: int, j: int, word: int) -> float:
    found, total = 0.0, 0.0
    cell = pool.cells[stat, j]
    while cell >= 0:
        total += pool.tally[cell]
        if pool.cell[cell, VALUE] == word:
            found = pool.tally[cell]
        cell = pool.cell[cell, FOLLOWING]
    return math.log(found / total) if found > 0.0 else 0.0


@inner
def learn(
    pool: Pool, rivers: bool | None, leaf: int, kind: int, w: float, d: int, c: int, look: Look
) -> None:
    """Learn the row before the leaf, of which it was asked just now."""
    awake = pool.node[leaf, KIND] == LEAF
    if awake:
        if look.whole[BEST, SIZE] == 0 or look.whole[BEST, BY_COUNT] == kind:
            pool.mass[leaf, MAJORITY] += w
        if look.whole[BEST, BY_LIKELIHOOD] == kind:
            pool.mass[leaf, BAYES] += w
    last, entry = NOBODY, pool.node[leaf, HEAD]
    while entry >= 0 and pool.entry[entry, CLASS] != kind:
        last, entry = entry, pool.entry[entry, AFTER]
    if entry < 0:
        entry = new_entry(pool, leaf, last, kind, w)
    else:
        pool.prior[entry] += w
    if not awake:
        return
    stat = pool.entry[entry, STAT]
    if stat < 0:
        stat = new_stat(pool)
        pool.entry[entry, STAT] = stat
    _count(pool.stat, pool.norm, stat, w, d, look.real[ROW])
    for j in range(c):
        if look.whole[CODES, j] >= 0:
            _tally(pool, stat, j, look.whole[CODES, j], w)
    if rivers is not None and pool.born.shape[1] > 0:
        _bear(pool, leaf, stat, d, c, look)


@inner
def _count(stats: Floats, norm: Floats, s: int, w: float, d: int, x: Floats) -> None:
    log, product, gaussians = 0.0, 1.0, 0
    for j in range(d):
        v = x[j]
        if v == v:
            n = stats[s, COUNT, j] + w
            gap = v - stats[s, MEAN, j]
            mean = stats[s, MEAN, j] + (w / n) * gap
            spread = stats[s, SPREAD, j] + w * gap * (v - mean)
            stats[s, COUNT, j] = n
            stats[s, MEAN, j] = mean
            stats[s, SPREAD, j] = spread
            if v < stats[s, LOW, j]:
                stats[s, LOW, j] = v
            if v > stats[s, HIGH, j]:
                stats[s, HIGH, j] = v
            if n > 1.0 and spread > 0.0:
                stats[s, SCALE, j] = 0.5 * (n - 1.0) / spread
        scale = stats[s, SCALE, j]
        if scale < EXACT:
            gaussians += 1
            product *= scale
            if product > 1e150 or product < 1e-150:
                log += math.log(product)
                product = 1.0
    norm[s] = 0.5 * (log + math.log(product)) - gaussians * HALF_LOG_PI


@part
def _tally(pool: Pool, stat: int, j: int, word: int, w: float) -> None:
    last, cell = -1, pool.cells[stat, j]
    while cell >= 0 and pool.cell[cell, VALUE] != word:
        last, cell = cell, pool.cell[cell, FOLLOWING]
    if cell >= 0:
        pool.tally[cell] += w
        return
    cell = take(pool, CELLS)
    pool.cell[cell, VALUE] = word
    pool.cell[cell, FOLLOWING] = -1
    pool.tally[cell] = w
    if last < 0:
        pool.cells[stat, j] = cell
    else:
        pool.cell[last, FOLLOWING] = cell


@part
def _bear(pool: Pool, leaf: int, stat: int, d: int, c: int, look: Look) -> None:
    """Note when the class was first met with each column."""
    pool.node[leaf, TICK] += 1
    width = pool.born.shape[1] - pool.cells.shape[1]
    for j in range(d):
        if pool.born[stat, j] == 0 and look.real[ROW, j] == look.real[ROW, j]:
            pool.born[stat, j] = pool.node[leaf, TICK]
    for j in range(c):
        if pool.born[stat, width + j] == 0 and look.whole[CODES, j] >= 0:
            pool.born[stat, width + j] = pool.node[leaf, TICK]


@part
def choose(
    pool: Pool,
    rules: Rules,
    leaf: int,
    x: Floats,
    codes: Codes,
    i: int,
    chance: Seeds,
    look: Look,
) -> None:
    """Draw the columns that a leaf looks at, from those that the row has."""
    n, d, draw = 0, x.shape[1], look.whole[COLUMNS]
    for j in range(d):
        if x[i, j] == x[i, j]:
            draw[n] = j
            n += 1
    for j in range(codes.shape[1]):
        if codes[i, j] >= 0:
            draw[n] = d + j
            n += 1
    if rules.columns == SQUARE_ROOT:
        size = math.floor(math.sqrt(n) + 0.5) + 1
    elif rules.columns < 1.0:
        size = math.floor(rules.columns * n + 0.5)
    else:
        size = int(rules.columns)
    size = size if size > 1 else 1
    size = size if size < n else n
    for j in range(size):
        other = j + int(uniform(chance) * (n - j))
        draw[j], draw[other] = draw[other], draw[j]
    numbers = 0
    for j in range(size):
        if draw[j] < d:
            pool.slot[leaf, numbers] = draw[j]
            numbers += 1
    categories = 0
    for j in range(size):
        if draw[j] >= d:
            pool.slot[leaf, numbers + categories] = draw[j] - d
            categories += 1
    pool.node[leaf, NUMBERS] = numbers if n > 0 else -1
    pool.node[leaf, CATEGORIES] = categories
