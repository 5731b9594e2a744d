"""What a leaf sees of a row: the columns that it looks at, and room for what it says of them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from learners.compiled.chance import Seeds, uniform
from learners.compiled.jit import inner, numbered, part
from learners.compiled.pool import CATEGORIES, NUMBERS, Pool, Whole
from learners.compiled.rules import ALL, SQUARE_ROOT, Rules
from learners.table import Codes, Floats

# Rows of `Look.real`: the row's numbers in the columns that the leaf looks at; by entry the
# weight of the class, the log of its likelihood, its probability; the weight of all classes; by
# branch the sum of `parts`; how far each number lies from its mean; by entry
# the standard deviation of a number, 0 where it did not vary.
ROW, PRIORS, LOGS, CHANCES, TOTAL, SUMS, TERMS, DEVIATIONS = numbered(8)
# Rows of `Look.whole`: the row's words; by entry the class and its statistics; the classes by
# majority and by naive Bayes (-1: none), how many entries, whether naive Bayes speaks; columns
# and when each was first met; by word its place among those found, and those found; entries in
# the order of their keys, and the keys.
CODES, KINDS, STATS_OF, BEST, COLUMNS, SINCE, PLACE, FOUND, ORDER, KEYS = numbered(10)
BY_COUNT, BY_LIKELIHOOD, SIZE, SPEAKS = numbered(4)
# When it splits: how many branches.
BRANCHES = SPEAKS


class Look(NamedTuple):
    """Room for one row as one leaf sees it, for what the leaf says of it, and for splitting it.

    Attributes
    ----------
    real, whole
        float64[8, m] and int64[10, m], see the names of their rows.
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
        np.empty((8, width)), np.empty((10, width), np.int64), np.empty((branches, max(classes, 1)))
    )


@inner
def see(pool: Pool, rules: Rules, leaf: int, x: Floats, codes: Codes, i: int, look: Look) -> None:
    """Put a row's values before a leaf."""
    if rules.columns == ALL:
        for j in range(x.shape[1]):
            look.real[ROW, j] = x[i, j]
        for j in range(codes.shape[1]):
            look.whole[CODES, j] = codes[i, j]
        return
    numbers = pool.node[leaf, NUMBERS]
    for j in range(numbers):
        look.real[ROW, j] = x[i, pool.slot[leaf, j]]
    for j in range(pool.node[leaf, CATEGORIES]):
        look.whole[CODES, j] = codes[i, pool.slot[leaf, numbers + j]]


@inner
def widths(pool: Pool, rules: Rules, leaf: int, x: Floats, codes: Codes) -> tuple[int, int]:
    """Return how many numbers and categories the leaf looks at."""
    if rules.columns == ALL:
        return x.shape[1], codes.shape[1]
    numbers = pool.node[leaf, NUMBERS]
    return numbers if numbers > 0 else 0, pool.node[leaf, CATEGORIES]


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
