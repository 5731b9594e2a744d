"""A leaf for numbers: what it answers, and how it learns a row."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from learners.compiled.chance import Seeds, uniform
from learners.compiled.flow import Ops
from learners.compiled.jit import part
from learners.compiled.regression_cells import coarsen, observe
from learners.compiled.regression_pool import (
    BORN,
    BY_MEAN,
    BY_MODEL,
    COUNT,
    DRAWN,
    INTERCEPT,
    KIND,
    LEAF,
    MEAN,
    SLOPE,
    SPREAD,
    STAT,
    TICK,
    WIDTH,
    N,
    Pool,
    Whole,
)
from learners.compiled.regression_rules import BY_BETTER, EVEN, EXTENDED, FITTING, Rules
from learners.compiled.regression_rules import BY_MEAN as MEAN_ONLY
from learners.compiled.rules import ALL, OURS, SQUARE_ROOT
from learners.table import Codes, Floats

# Standard deviations beyond which a number, or an error that a linear model learns from, counts as
# if it were so many; the same for targets; and the largest target, whose square is a number.
FAR, WILD, LARGEST = 5.0, 30.0, 1e100


class Rows(NamedTuple):
    """A block as kernels take it: see `learners.compiled.flow.Flow`.

    Attributes
    ----------
    keys
        `taught` as the cells are to tell its values apart.
    same
        Whether rows are learned as they were asked.
    ranks
        int32[c, words], place of each word in sorted order.
    """

    asked: Floats
    taught: Floats
    keys: Floats
    codes: Codes
    op: Ops
    y: Floats
    weight: Floats
    same: bool
    ranks: Codes


class Look(NamedTuple):
    """Room for the work on one row.

    Attributes
    ----------
    z
        float64[d], its numbers as the linear model takes them.
    keys
        float64[m], of cells.
    stack, phase, order, columns
        int64[m].
    """

    z: Floats
    keys: Floats
    stack: Whole
    phase: Whole
    order: Whole
    columns: Whole


def look_of(d: int, c: int, most: int, words: int) -> Look:
    """Return room for rows of d numbers and c categories."""
    m = max(d + c, most, words) + 2
    wholes = [np.empty(m, np.int64) for _ in range(4)]
    return Look(np.empty(d), np.empty(m), wholes[0], wholes[1], wholes[2], wholes[3])


@part
def scale(scales: Floats, x: Floats, i: int, y: float) -> None:
    """Learn mean and squared deviations of the target, in row 0, and of the numbers."""
    for j in range(len(scales)):
        v = y if j == 0 else x[i, j - 1]
        if abs(v) < math.inf:
            scales[j, 0] += 1.0
            gap = v - scales[j, 1]
            scales[j, 1] += gap / scales[j, 0]
            scales[j, 2] += gap * (v - scales[j, 1])


@part
def deviation(scales: Floats, j: int) -> float:
    """Return the standard deviation in a row of `scale`; 0 as long as there is none."""
    return math.sqrt(scales[j, 2] / scales[j, 0]) if scales[j, 0] > 1.0 else 0.0


@part
def tamed(scales: Floats, y: float) -> float:
    """Return a target, or as much of it as counts where it is far from those before.

    That is what at most doubles their variance, so that one of them leaves no trace for long and a
    new level is met within some rows; where they are few, `WILD` standard deviations.
    """
    y = max(-LARGEST, min(LARGEST, y))
    far = max(WILD, math.sqrt(scales[0, 0])) * deviation(scales, 0)
    return float(max(scales[0, 1] - far, min(scales[0, 1] + far, y)) if far > 0.0 else y)


@part
def see(rules: Rules, scales: Floats, x: Floats, i: int, look: Look) -> None:
    """Put a row's numbers into `look.z`: as they are, or in standard deviations from the mean."""
    for j in range(x.shape[1]):
        v = x[i, j]
        if v != v:
            look.z[j] = 0.0
        elif rules.convention == OURS:
            sd = deviation(scales, j + 1)
            look.z[j] = max(-FAR, min(FAR, (v - scales[j + 1, 1]) / sd)) if sd > 0.0 else 0.0
        else:
            look.z[j] = v


@part
def line(pool: Pool, rules: Rules, leaf: int, scales: Floats, look: Look) -> float:
    """Return what the linear model says of the row seen."""
    stat, total = pool.node[leaf, STAT], 0.0
    for j in range(pool.line.shape[1]):
        total += pool.line[stat, j, SLOPE] * look.z[j]
    total += pool.mass[leaf, INTERCEPT]
    return float(scales[0, 1] + total if rules.convention == OURS else total)


@part
def answer(pool: Pool, rules: Rules, leaf: int, scales: Floats, look: Look) -> float:
    """Return the mean of the leaf's targets or what its linear model says of the row seen."""
    if pool.mass[leaf, N] == 0.0 and rules.convention == OURS:
        return math.nan
    if rules.answer == MEAN_ONLY or (
        rules.answer == BY_BETTER and pool.mass[leaf, BY_MEAN] < pool.mass[leaf, BY_MODEL]
    ):
        return float(pool.mass[leaf, MEAN])
    return line(pool, rules, leaf, scales, look)


@part
def learn(
    pool: Pool,
    rules: Rules,
    leaf: int,
    rows: Rows,
    i: int,
    y: float,
    w: float,
    scales: Floats,
    look: Look,
) -> bool:
    """Let a leaf learn the row seen; return whether its errors are still numbers.

    O(columns x log cells). The linear model takes a step of gradient descent, by river's
    convention on the numbers as they are, by this project's a normalised one (Nagumo and Noda,
    1967) on numbers in standard deviations: their scale does not matter, and neither do errors
    beyond `FAR` standard deviations of the targets.
    """
    mass, fine = pool.mass[leaf], True
    said = 0.0
    if rules.answer != MEAN_ONLY:
        said = line(pool, rules, leaf, scales, look)
        mass[BY_MEAN] = rules.decay * mass[BY_MEAN] + (y - mass[MEAN]) * (y - mass[MEAN])
        mass[BY_MODEL] = rules.decay * mass[BY_MODEL] + (y - said) * (y - said)
        fine = rules.answer != BY_BETTER or mass[BY_MEAN] + mass[BY_MODEL] < math.inf
    before = mass[MEAN]
    mass[N] += w
    mass[MEAN] = before + (w / mass[N]) * (y - before)
    mass[SPREAD] += w * (y - before) * (y - mass[MEAN])
    if pool.node[leaf, KIND] == LEAF:
        _observe(pool, rules, leaf, rows, i, y, w, look)
    if rules.answer != MEAN_ONLY:
        _descend(pool, rules, leaf, y, said, w, scales, look)
    return fine


@part
def _observe(
    pool: Pool, rules: Rules, leaf: int, rows: Rows, i: int, y: float, w: float, look: Look
) -> None:
    stat, d = pool.node[leaf, STAT], rows.taught.shape[1]
    pool.node[leaf, TICK] += 1
    for j in range(d + rows.codes.shape[1]):
        born = pool.way[stat, j, BORN]
        if born < 0:
            continue
        extended, most, x, key = False, rules.most, 0.0, 0.0
        if j < d:
            x, key = rows.taught[i, j], rows.keys[i, j]
            if key != key or (rules.convention == OURS and abs(key) == math.inf):
                continue
            width = rules.radius if rules.observer == EVEN else pool.line[stat, j, WIDTH]
            if width > 0.0:
                key = math.floor(key / width)
            extended = rules.observer == EXTENDED
        else:
            if rows.codes[i, j - d] < 0:
                continue
            key = float(rows.codes[i, j - d])
        if born == 0:
            pool.way[stat, j, BORN] = pool.node[leaf, TICK]
        observe(pool, stat, j, key, x, y, w, extended, most)
        if j < d and rules.observer == FITTING and pool.way[stat, j, COUNT] >= most:
            coarsen(pool, stat, j, look.stack, look.order, look.keys)


@part
def _descend(
    pool: Pool,
    rules: Rules,
    leaf: int,
    y: float,
    said: float,
    w: float,
    scales: Floats,
    look: Look,
) -> None:
    stat, d = pool.node[leaf, STAT], pool.line.shape[1]
    if rules.convention == OURS:
        far, size = FAR * deviation(scales, 0), 1.0
        for j in range(d):
            size += look.z[j] * look.z[j]
        step = min(1.0, rules.rate * w) * max(-far, min(far, y - said)) / size
        pool.mass[leaf, INTERCEPT] += step
        for j in range(d):
            pool.line[stat, j, SLOPE] += step * look.z[j]
        return
    slope = max(-rules.clip, min(rules.clip, 2.0 * (said - y) * w))
    pool.mass[leaf, INTERCEPT] -= rules.intercept_rate * slope
    for j in range(d):
        pool.line[stat, j, SLOPE] -= rules.rate * (look.z[j] * slope)


@part
def draw(
    pool: Pool, rules: Rules, leaf: int, rows: Rows, i: int, chance: Seeds, look: Look
) -> None:
    """Draw the columns that a leaf may split by, from those that the row has."""
    if rules.columns == ALL or pool.node[leaf, DRAWN] != 0:
        return
    n, d, stat, found = 0, rows.taught.shape[1], pool.node[leaf, STAT], look.columns
    for j in range(d + rows.codes.shape[1]):
        if rows.keys[i, j] == rows.keys[i, j] if j < d else rows.codes[i, j - d] >= 0:
            found[n] = j
            n += 1
    if rules.columns == SQUARE_ROOT:
        size = math.floor(math.sqrt(n) + 0.5) + 1
    elif rules.columns < 1.0:
        size = math.floor(rules.columns * n + 0.5)
    else:
        size = int(rules.columns)
    size = min(max(size, 1), n)
    for k in range(size):
        other = k + int(uniform(chance) * (n - k))
        found[k], found[other] = found[other], found[k]
        pool.way[stat, found[k], BORN] = 0
    pool.node[leaf, DRAWN] = int(n > 0)
