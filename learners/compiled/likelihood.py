"""Naive Bayes in a leaf, as MOA has it and as river does."""

from __future__ import annotations

import math

from learners.compiled.jit import inner, part
from learners.compiled.look import (
    BEST,
    BY_LIKELIHOOD,
    CODES,
    KINDS,
    LOGS,
    PRIORS,
    ROW,
    SIZE,
    TERMS,
    TOTAL,
    Look,
)
from learners.compiled.pool import (
    AFTER,
    COUNT,
    EXACT,
    FOLLOWING,
    HEAD,
    MEAN,
    SCALE,
    SPREAD,
    STAT,
    VALUE,
    Pool,
)
from learners.table import Floats

HALF_LOG_TAU = 0.5 * math.log(math.tau)
HALF_LOG_PI = 0.5 * math.log(math.pi)
# What a class pays for a value unlike the only one that it had, in logs of its weight. MOA leaves
# it no chance; a tree is as good either way, but a forest, whose leaves are often young, loses
# 3 to 7 points by it; 1 instead costs a tree 2 points where columns are binary.
SURPRISE = 10.0
# Beyond it lies only the square of a distance from what was the one value, by EXACT.
ODD = 1e200


@inner
def ours(pool: Pool, leaf: int, d: int, c: int, look: Look) -> None:
    """Naive Bayes as MOA has it, in logs: a class that the leaf did not learn has no chance.

    A Gaussian without variance gives one to the value it saw, and SURPRISE to others.
    """
    e, kind, top, stats = 0, -1, -math.inf, pool.stat
    entry = pool.node[leaf, HEAD]
    while entry >= 0:
        s, log = pool.entry[entry, STAT], -math.inf
        if s >= 0:
            terms = look.real[TERMS]
            total = _distance(look.real[ROW], stats[s, MEAN], stats[s, SCALE], d, terms)
            log = pool.norm[s] - total
            if not total <= ODD:
                log = pool.norm[s] + _exceptions(stats, s, d, look)
            for j in range(c):
                if look.whole[CODES, j] != -1:
                    log += _frequency(pool, s, j, look.whole[CODES, j])
        look.real[LOGS, e] = log
        if log > top:
            top, kind = log, look.whole[KINDS, e]
        e += 1
        entry = pool.entry[entry, AFTER]
    look.whole[BEST, BY_LIKELIHOOD] = kind


@inner
def _distance(row: Floats, mean: Floats, scale: Floats, d: int, terms: Floats) -> float:
    """Put down how far each number lies from its mean, several at once, and return the sum."""
    for j in range(d):
        terms[j] = (row[j] - mean[j]) * (row[j] - mean[j]) * scale[j]
    return _sum(terms, d)


@inner
def _sum(terms: Floats, d: int) -> float:
    """Return the sum; zeros behind the last change nothing.

    Four sums stand side by side, since in one each number would wait for the one before it.
    """
    first, second, third, fourth, whole = 0.0, 0.0, 0.0, 0.0, d - d % 4
    for j in range(0, whole, 4):
        first += terms[j]
        second += terms[j + 1]
        third += terms[j + 2]
        fourth += terms[j + 3]
    if d > whole:
        first += terms[whole]
    if d > whole + 1:
        second += terms[whole + 1]
    if d > whole + 2:
        third += terms[whole + 2]
    return (first + second) + (third + fourth)


@part
def _exceptions(stats: Floats, s: int, d: int, look: Look) -> float:
    """Return the log where numbers are missing, or unlike the only one known."""
    log, terms = 0.0, look.real[TERMS]
    for j in range(d):
        if terms[j] <= ODD:
            continue
        scale = stats[s, SCALE, j]
        if scale < EXACT:
            log -= 0.5 * math.log(scale) - HALF_LOG_PI if terms[j] != terms[j] else 0.0
        elif terms[j] > ODD:
            log -= SURPRISE * math.log(stats[s, COUNT, j] + 2.0)
        terms[j] = 0.0
    return log - _sum(terms, d)


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
def of_river(pool: Pool, leaf: int, d: int, c: int, look: Look) -> None:
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
