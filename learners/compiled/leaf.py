"""A leaf: what it answers, and how it learns a row."""

from __future__ import annotations

import math

from learners.compiled.jit import inner, part
from learners.compiled.likelihood import of_river, ours
from learners.compiled.look import (
    BEST,
    BY_COUNT,
    BY_LIKELIHOOD,
    CHANCES,
    CODES,
    KINDS,
    LOGS,
    PRIORS,
    ROW,
    SIZE,
    SPEAKS,
    TOTAL,
    Look,
)
from learners.compiled.pool import (
    AFTER,
    BAYES,
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
    SCALE,
    SPREAD,
    STAT,
    TICK,
    VALUE,
    Pool,
    new_entry,
    new_stat,
    take,
)
from learners.compiled.rules import BY_BAYES, Rules
from learners.table import Floats

HALF_LOG_PI = 0.5 * math.log(math.pi)


@inner
def ask(
    pool: Pool,
    rules: Rules,
    rivers: bool | None,
    leaf: int,
    d: int,
    c: int,
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
        ours(pool, leaf, d, c, look)
    else:
        of_river(pool, leaf, d, c, look)
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
    _count(pool.stat, stat, w, d, look.real[ROW])
    if rivers is None:
        pool.norm[stat] = math.log(pool.prior[entry]) + _norm(pool.stat[stat, SCALE], d)
    for j in range(c):
        if look.whole[CODES, j] >= 0:
            _tally(pool, stat, j, look.whole[CODES, j], w)
    if rivers is not None and pool.born.shape[1] > 0:
        _bear(pool, leaf, stat, d, c, look)


@inner
def _count(stats: Floats, s: int, w: float, d: int, x: Floats) -> None:
    """Learn the numbers of a row.

    Nothing here branches, and each loop is over few arrays, so that the compiler takes several
    columns at once; what is missing is NaN, and changes nothing.
    """
    count, mean, spread = stats[s, COUNT], stats[s, MEAN], stats[s, SPREAD]
    for j in range(d):
        known = x[j] == x[j]
        n = count[j] + (w if known else 0.0)
        gap = x[j] - mean[j] if known else 0.0
        mean[j] += (w / n if known else 0.0) * gap
        spread[j] += w * gap * (x[j] - mean[j] if known else 0.0)
        count[j] = n
    scale = stats[s, SCALE]
    for j in range(d):
        varies = count[j] > 1.0 and spread[j] > 0.0
        scale[j] = 0.5 * (count[j] - 1.0) / spread[j] if varies else scale[j]
    low, high = stats[s, LOW], stats[s, HIGH]
    for j in range(d):
        low[j] = x[j] if x[j] < low[j] else low[j]
        high[j] = x[j] if x[j] > high[j] else high[j]


@inner
def _norm(scale: Floats, d: int) -> float:
    """Return the log of the product of the factors of the Gaussians, four of them at a time.

    Columns behind the last that are no Gaussians yet change nothing.
    """
    log, product, gaussians = 0.0, 1.0, 0
    for j in range(0, d, 4):
        four = (_factor(scale, j, d) * _factor(scale, j + 1, d)) * (
            _factor(scale, j + 2, d) * _factor(scale, j + 3, d)
        )
        if 1e-140 < four < 1e140:
            product *= four
        else:
            for i in range(j, j + 4):
                log += math.log(_factor(scale, i, d))
        if not 1e-150 < product < 1e150:
            log += math.log(product)
            product = 1.0
    for j in range(d):
        gaussians += scale[j] < EXACT
    return 0.5 * (log + math.log(product)) - gaussians * HALF_LOG_PI


@inner
def _factor(scale: Floats, j: int, d: int) -> float:
    return scale[j] if j < d and scale[j] < EXACT else 1.0


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
