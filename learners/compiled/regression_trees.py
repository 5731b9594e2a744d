"""Regression trees side by side over a block: each row is answered, then learned."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from learners.base import LEARN, PREDICT
from learners.compiled import adwin
from learners.compiled.care import LEAVE, Care
from learners.compiled.chance import Seeds, poisson
from learners.compiled.jit import njit, part, sewn
from learners.compiled.regression_leaf import Look, Rows, answer, draw, learn, scale, see, tamed
from learners.compiled.regression_pool import (
    CODE,
    CUT,
    FIELD,
    FIRST,
    KIND,
    NEXT,
    NOBODY,
    NUMBER,
    WORD,
    N,
    Pool,
    Whole,
    fell,
    has_room,
    new_leaf,
    usual,
)
from learners.compiled.regression_rules import Rules, unmet
from learners.compiled.regression_split import due, grow
from learners.compiled.rules import OURS, RIVERS
from learners.table import Codes, Floats

# Windows of errors as river has them: see `learners.compiled.adwin`.
BUCKETS, CLOCK, LEAST, GRACE = 5, 32, 5.0, 10.0


class Stand(NamedTuple):
    """The trees of one pool.

    Attributes
    ----------
    roots
        int64[m, 2], of each tree and of the one behind it; -1 for none.
    chance
        uint64[m, 1], random numbers.
    scales
        float64[m, 1 + d, 3], see `learners.compiled.regression_leaf.scale`.
    errors
        float64[m, 1, 3], weight, mean and squared deviations of the tree's errors.
    heads, buckets
        Windows of errors, for warnings and for drift of each tree in turn.
    """

    roots: Whole
    chance: Seeds
    scales: Floats
    errors: Floats
    heads: Floats
    buckets: Floats


def stand_of(chance: Seeds, watched: bool) -> Stand:
    """Return the stand of so many trees as there are random numbers for."""
    m = len(chance)
    heads, buckets = adwin.windows(2 * m if watched else 0, BUCKETS)
    return Stand(
        np.full((m, 2), -1, np.int64),
        chance,
        np.zeros((m, 1, 3)),
        np.zeros((m, 1, 3)),
        heads,
        buckets,
    )


@njit
def run(
    pool: Pool,
    rules: Rules,
    care: Care,
    stand: Stand,
    rows: Rows,
    look: Look,
    start: int,
    said: Floats,
) -> tuple[int, bool]:
    """Answer and learn rows from `start` on.

    Returns the first row that was not learned, and whether for want of room: else its errors grew
    out of range.

    Parameters
    ----------
    said
        float64[m, n], filled with what each tree says.
    """
    trees, columns = len(stand.roots), rows.taught.shape[1] + rows.codes.shape[1]
    sides = 1 + int(care.drift != LEAVE)
    # A tree, and one behind it, may each split, or a word may bring a leaf.
    nodes = sides * trees * (max(2, rows.ranks.shape[1]) + 2)
    for i in range(start, len(rows.op)):
        if not has_room(pool, nodes, sides * trees * columns):
            return i, True
        for t in range(trees):
            if rows.op[i] & PREDICT:
                said[t, i] = _ask(pool, rules, stand, t, rows.asked, rows.codes, i, look)
            if rows.op[i] & LEARN and rows.weight[i] > 0.0:
                y = rows.y[i]
                if rules.convention == OURS:
                    y = tamed(stand.scales[t], y)
                if not _teach(pool, rules, care, stand, t, rows, i, y, look, said[t, i]):
                    return i, False
                if rules.convention == OURS:
                    scale(stand.scales[t], rows.taught, i, y)
    return len(rows.op), True


@part
def _ask(
    pool: Pool, rules: Rules, stand: Stand, t: int, x: Floats, codes: Codes, i: int, look: Look
) -> float:
    root = stand.roots[t, 0]
    if root < 0:
        return math.nan if rules.convention == OURS else 0.0
    leaf, _ = _reach(pool, rules, root, x, codes, i, 0.0)
    see(rules, stand.scales[t], x, i, look)
    return answer(pool, rules, leaf, stand.scales[t], look)


@sewn
def _teach(
    pool: Pool,
    rules: Rules,
    care: Care,
    stand: Stand,
    t: int,
    rows: Rows,
    i: int,
    y: float,
    look: Look,
    said: float,
) -> bool:
    """Let a tree and the one behind it learn a row, and watch how far it was out.

    What was said of the row serves, if it was asked as it is learned.
    """
    w, fine = rows.weight[i], True
    if not rows.same or not rows.op[i] & PREDICT:
        said = _ask(pool, rules, stand, t, rows.taught, rows.codes, i, look)
    error = y - said
    if stand.roots[t, 0] < 0:
        stand.roots[t, 0] = _seedling(pool, rules)
        see(rules, stand.scales[t], rows.taught, i, look)
    if care.rate > 0.0:
        w *= poisson(stand.chance[t], care.rate)
        if w == 0.0:
            return True
    for side in range(2):
        root = stand.roots[t, side]
        if root < 0:
            continue
        leaf, strayed = _reach(pool, rules, root, rows.taught, rows.codes, i, w)
        draw(pool, rules, leaf, rows, i, stand.chance[t], look)
        fine = learn(pool, rules, leaf, rows, i, y, w, stand.scales[t], look) and fine
        if (not strayed or rules.convention == OURS) and due(pool, rules, leaf):
            grow(pool, rules, leaf, rows.taught.shape[1], rows.ranks, look)
    if care.drift != LEAVE and error == error:
        _watch(pool, rules, care, stand, t, error)
    return fine


@part
def _seedling(pool: Pool, rules: Rules) -> int:
    return new_leaf(pool, NOBODY, unmet(rules), rules.intercept)


@part
def _reach(
    pool: Pool, rules: Rules, root: int, x: Floats, codes: Codes, i: int, w: float
) -> tuple[int, bool]:
    """Return the leaf of a row, and whether a value was missing or a word unknown on the way.

    Then it is the child that learned most; a word that is learned, with a weight above 0, gets a
    leaf of its own where each word has one.
    """
    node, strayed = root, False
    while pool.node[node, KIND] >= NUMBER:
        pool.mass[node, N] += w
        field, first = pool.node[node, FIELD], pool.node[node, FIRST]
        if pool.node[node, KIND] == NUMBER:
            value = x[i, field]
            if value <= pool.mass[node, CUT]:
                node = first
            elif value == value:
                node = pool.node[first, NEXT]
            else:
                node, strayed = usual(pool, node), True
            continue
        word = codes[i, field]
        if word == -1:
            node, strayed = usual(pool, node), True
        elif pool.node[node, KIND] == WORD:
            node = first if word == pool.mass[node, CUT] else pool.node[first, NEXT]
        else:
            child, last = first, -1
            while child >= 0 and pool.node[child, CODE] != word:
                last, child = child, pool.node[child, NEXT]
            if child >= 0:
                node = child
            elif w > 0.0:
                node, strayed = new_leaf(pool, node, unmet(rules), rules.intercept), True
                pool.node[node, CODE] = word
                pool.node[last, NEXT] = node
            else:
                node, strayed = usual(pool, node), True
    return node, strayed


@part
def _watch(pool: Pool, rules: Rules, care: Care, stand: Stand, t: int, error: float) -> None:
    """See whether errors call for a tree behind or put it in front (Gomes et al., 2018).

    River looks at errors with their sign, from -3 to 3 standard deviations; here it is how large
    they are, and only larger ones count.
    """
    errors = stand.errors[t, 0]
    errors[0] += 1.0
    gap = error - errors[1]
    errors[1] += gap / errors[0]
    errors[2] += gap * (error - errors[1])
    sd = math.sqrt(errors[2] / (errors[0] - 1.0)) if errors[0] > 1.0 else 0.0
    signal = 0.5
    if sd > 0.0:
        signal = (error + 3.0 * sd) / (6.0 * sd)
        if rules.convention != RIVERS:
            signal = min(1.0, abs(error) / (3.0 * sd))
    if _changed(stand, 2 * t, signal, care.warning_delta, care.rises):
        if stand.roots[t, 1] >= 0:
            fell(pool, stand.roots[t, 1])
        stand.roots[t, 1] = _seedling(pool, rules)
        _still(stand, 2 * t)
    if _changed(stand, 2 * t + 1, signal, care.drift_delta, care.rises):
        fell(pool, stand.roots[t, 0])
        if stand.roots[t, 1] >= 0:
            stand.roots[t, 0] = stand.roots[t, 1]
            stand.roots[t, 1] = -1
            _still(stand, 2 * t)
        else:
            stand.roots[t, 0] = _seedling(pool, rules)
        _still(stand, 2 * t + 1)


@part
def _changed(stand: Stand, which: int, signal: float, delta: float, rises: bool) -> bool:
    head = stand.heads[which]
    before = head[adwin.TOTAL] / max(head[adwin.WIDTH], 1.0)
    rules = (delta, CLOCK, LEAST, GRACE)
    if not adwin.add(stand.heads, stand.buckets, which, signal, rules):
        return False
    return not rises or head[adwin.TOTAL] / max(head[adwin.WIDTH], 1.0) > before


@part
def _still(stand: Stand, which: int) -> None:
    for column in range(adwin.HEAD):
        stand.heads[which, column] = 0.0
    for row in range(adwin.DEPTH):
        for place in range(BUCKETS + 2):
            stand.buckets[which, row, 0, place] = stand.buckets[which, row, 1, place] = 0.0
