"""When a leaf for numbers becomes a branch, and which."""

from __future__ import annotations

import math

from learners.compiled.jit import part, sewn
from learners.compiled.regression_cells import in_order, joined, without
from learners.compiled.regression_leaf import Look
from learners.compiled.regression_pool import (
    APART,
    ASLEEP,
    AVERAGE,
    BORN,
    BY_MEAN,
    BY_MODEL,
    CELLS,
    CODE,
    COUNT,
    CUT,
    DEPTH,
    FIELD,
    FIRST,
    INTERCEPT,
    KEY,
    KIND,
    LEAF,
    MEAN,
    NEXT,
    NOBODY,
    NODES,
    NUMBER,
    PARENT,
    ROOT,
    SLOPE,
    SPREAD,
    STAT,
    STATS,
    TRIED,
    WEIGHT,
    WORD,
    WORDS,
    N,
    Pool,
    X,
    forget,
    give,
    new_leaf,
)
from learners.compiled.regression_rules import EXTENDED, Rules, unmet
from learners.compiled.rules import OURS
from learners.table import Codes

Sum = tuple[float, float, float]
# Merit, kind of branch, threshold or word, and the sums of two branches.
Split = tuple[float, int, float, Sum, Sum]

NOTHING = (0.0, 0.0, 0.0)
NO_SPLIT = (-math.inf, LEAF, 0.0, NOTHING, NOTHING)


@part
def due(pool: Pool, rules: Rules, leaf: int) -> bool:
    """Say whether a leaf has learned enough since the last try to split it, and note the try."""
    if pool.node[leaf, KIND] != LEAF:
        return False
    if pool.node[leaf, DEPTH] >= rules.depth:
        forget(pool, leaf)
        pool.node[leaf, KIND] = ASLEEP
        return False
    if pool.mass[leaf, N] - pool.mass[leaf, TRIED] < rules.grace:
        return False
    pool.mass[leaf, TRIED] = pool.mass[leaf, N]
    return bool(pool.used[NODES] - pool.used[3 + NODES] < rules.nodes)


@part
def grow(pool: Pool, rules: Rules, leaf: int, d: int, ranks: Codes, look: Look) -> None:
    """Split a leaf if a column reduces the variance enough more than the next (FIMT-DD, 2011).

    O(cells of the leaf).
    """
    column, best, second = NOBODY, NO_SPLIT, -math.inf
    candidates, size = int(rules.preprune), _columns(pool, leaf, look)
    for o in range(size):
        j = look.columns[o]
        split = _split_of(pool, rules, leaf, j, d, ranks, look)
        candidates += 1
        if split[0] >= best[0]:
            second, best = best[0], split
            column = j if split[1] != LEAF else NOBODY
        elif split[0] > second:
            second = split[0]
    if candidates == 0:
        return
    if candidates > 1:
        bound = math.sqrt(math.log(1.0 / rules.delta) / (2.0 * pool.mass[leaf, N]))
        if not (best[0] > 0.0 and (second / best[0] < 1.0 - bound or bound < rules.tau)):
            if second > 0.0 and rules.observer == EXTENDED:
                for o in range(size):
                    if look.columns[o] < d:
                        limit = second / best[0] - 2.0 * bound
                        _prune(pool, rules, leaf, look.columns[o], best[0], limit, look)
            return
    elif rules.convention == OURS and not best[0] > 0.0:
        return
    if column >= 0:
        _branch(pool, rules, leaf, column, d, best, ranks, look)
    else:
        # River stops such a leaf and, in the same step, lets it begin anew.
        forget(pool, leaf)


@part
def _columns(pool: Pool, leaf: int, look: Look) -> int:
    """Put the columns that the leaf met in the order in which it did."""
    n, stat = 0, pool.node[leaf, STAT]
    for j in range(pool.way.shape[1]):
        born = pool.way[stat, j, BORN]
        if born > 0:
            at = n
            while at > 0 and pool.way[stat, look.columns[at - 1], BORN] > born:
                look.columns[at] = look.columns[at - 1]
                at -= 1
            look.columns[at] = j
            n += 1
    return n


@sewn
def _whole(pool: Pool, leaf: int) -> Sum:
    return pool.mass[leaf, N], pool.mass[leaf, MEAN], pool.mass[leaf, SPREAD]


@sewn
def _sum(pool: Pool, cell: int) -> Sum:
    return pool.cell[cell, WEIGHT], pool.cell[cell, AVERAGE], pool.cell[cell, APART]


@sewn
def _variance(part: Sum) -> float:
    return part[2] / (part[0] - 1.0) if part[0] > 1.0 else 0.0


@part
def _merit(rules: Rules, whole: Sum, a: Sum, b: Sum) -> float:
    if a[0] < rules.least or b[0] < rules.least:
        return 0.0
    rest = _variance(whole) - a[0] / whole[0] * _variance(a)
    return rest - b[0] / whole[0] * _variance(b)


@part
def _rest(whole: Sum, part: Sum) -> Sum:
    return without(whole[0], whole[1], whole[2], part[0], part[1], part[2])


@part
def _both(a: Sum, b: Sum) -> Sum:
    return joined(a[0], a[1], a[2], b[0], b[1], b[2])


@part
def _split_of(
    pool: Pool, rules: Rules, leaf: int, j: int, d: int, ranks: Codes, look: Look
) -> Split:
    """Return the best split by a column."""
    if j >= d:
        return _by_word(pool, rules, leaf, j, d, ranks, look)
    if rules.observer == EXTENDED:
        return _by_value(pool, rules, leaf, j, look)
    return _by_interval(pool, rules, leaf, j, look)


@part
def _by_interval(pool: Pool, rules: Rules, leaf: int, j: int, look: Look) -> Split:
    """Return the best threshold between two intervals (Mastelini and de Carvalho, 2021).

    River counts the interval above the threshold to the branch below it, and gives that branch
    the sum of all intervals.
    """
    whole, best = _whole(pool, leaf), NO_SPLIT
    root = pool.way[pool.node[leaf, STAT], j, ROOT]
    n = in_order(pool, root, look.stack, look.order)
    below = _sum(pool, look.order[0])
    for o in range(1, n):
        cell, last = look.order[o], look.order[o - 1]
        further = _both(below, _sum(pool, cell))
        part = below if rules.convention == OURS else further
        rest = _rest(whole, part)
        merit = _merit(rules, whole, part, rest)
        if merit > best[0]:
            cut = (pool.cell[last, X] + pool.cell[cell, X]) / 2.0
            best = (merit, NUMBER, cut, part, rest)
        below = further
    if rules.convention == OURS:
        return best
    return best[0], best[1], best[2], below, best[4]


@part
def _by_value(pool: Pool, rules: Rules, leaf: int, j: int, look: Look) -> Split:
    """Return the best threshold among the values of an E-BST, in river's order of additions."""
    whole, best, above = _whole(pool, leaf), NO_SPLIT, NOTHING
    top, stack, phase = 0, look.stack, look.phase
    stack[0], phase[0] = pool.way[pool.node[leaf, STAT], j, ROOT], 0
    top = 0 if stack[0] >= 0 else -1
    while top >= 0:
        cell, down = stack[top], -1
        if phase[top] == 0:
            down = pool.link[cell, 0]
        elif phase[top] == 1:
            part = _both(_sum(pool, cell), above)
            rest = _rest(whole, part)
            merit = _merit(rules, whole, part, rest)
            if merit > best[0]:
                best = (merit, NUMBER, pool.cell[cell, KEY], part, rest)
            down = pool.link[cell, 1]
            if down >= 0:
                above = _both(above, _sum(pool, cell))
            else:
                top -= 1
                continue
        else:
            above = _rest(above, _sum(pool, cell))
            top -= 1
            continue
        phase[top] += 1
        if down >= 0:
            top += 1
            stack[top], phase[top] = down, 0
    return best


@part
def _prune(
    pool: Pool, rules: Rules, leaf: int, j: int, most: float, limit: float, look: Look
) -> None:
    """Drop the values of an E-BST that are much worse thresholds than the best, from below.

    A value stays if one below it does, as in river: the lower side is asked first, and where
    something of it stays the higher side is not asked at all.
    """
    whole, above, stat = _whole(pool, leaf), NOTHING, pool.node[leaf, STAT]
    top, stack, phase, bad = 0, look.stack, look.phase, True
    stack[0], phase[0] = pool.way[stat, j, ROOT], 0
    top = 0 if stack[0] >= 0 else -1
    while top >= 0:
        cell, down = stack[top], -1
        if phase[top] == 0:
            bad, down = True, pool.link[cell, 0]
        elif phase[top] == 1:
            if not bad:
                top -= 1
                continue
            down = pool.link[cell, 1]
            if down >= 0:
                above = _both(above, _sum(pool, cell))
                phase[top] = 2
        else:
            if phase[top] == 3:
                above = _rest(above, _sum(pool, cell))
            top -= 1
            if bad:
                part = _both(_sum(pool, cell), above)
                bad = _merit(rules, whole, part, _rest(whole, part)) / most < limit
            if bad:
                _drop(pool, stat, j, cell, stack[top] if top >= 0 else -1)
            continue
        phase[top] += 1
        if down >= 0:
            top += 1
            stack[top], phase[top] = down, 0


@part
def _drop(pool: Pool, stat: int, j: int, cell: int, above: int) -> None:
    if above < 0:
        pool.way[stat, j, ROOT] = -1
    else:
        pool.link[above, int(pool.link[above, 0] != cell)] = -1
    pool.way[stat, j, COUNT] -= 1
    give(pool, CELLS, cell)


@part
def _by_word(
    pool: Pool, rules: Rules, leaf: int, j: int, d: int, ranks: Codes, look: Look
) -> Split:
    """Return the better of a branch for each word and of one word against the rest."""
    whole, best = _whole(pool, leaf), NO_SPLIT
    n = _words(pool, leaf, j, d, ranks, look)
    if not rules.binary and n > 2:
        merit = _variance(whole)
        for o in range(n):
            part = _sum(pool, look.order[o])
            merit -= part[0] / whole[0] * _variance(part)
        for o in range(n):
            merit = 0.0 if pool.cell[look.order[o], WEIGHT] < rules.least else merit
        best = (merit, WORDS, 0.0, NOTHING, NOTHING)
    for o in range(n):
        part = _sum(pool, look.order[o])
        rest = _rest(whole, part)
        merit = _merit(rules, whole, part, rest)
        if merit > best[0]:
            best = (merit, WORD, pool.cell[look.order[o], KEY], part, rest)
    return best


@part
def _words(pool: Pool, leaf: int, j: int, d: int, ranks: Codes, look: Look) -> int:
    """List the cells of a category by their words in sorted order."""
    order = look.order
    n = in_order(pool, pool.way[pool.node[leaf, STAT], j, ROOT], look.stack, order)
    for o in range(1, n):
        cell, at = order[o], o
        rank = ranks[j - d, int(pool.cell[cell, KEY])]
        while at > 0 and ranks[j - d, int(pool.cell[order[at - 1], KEY])] > rank:
            order[at] = order[at - 1]
            at -= 1
        order[at] = cell
    return n


@part
def _branch(
    pool: Pool, rules: Rules, leaf: int, j: int, d: int, split: Split, ranks: Codes, look: Look
) -> None:
    """Turn a leaf into a branch."""
    kind, total, last = split[1], 0.0, -1
    n = _words(pool, leaf, j, d, ranks, look) if kind == WORDS else 2
    for b in range(n):
        child = new_leaf(pool, leaf, unmet(rules), 0.0)
        part = split[3] if b == 0 else split[4]
        if kind == WORDS:
            part = _sum(pool, look.order[b])
            pool.node[child, CODE] = int(pool.cell[look.order[b], KEY])
        _inherit(pool, leaf, child)
        pool.mass[child, N] = pool.mass[child, TRIED] = part[0]
        pool.mass[child, MEAN], pool.mass[child, SPREAD] = part[1], part[2]
        total += part[0]
        if b == 0:
            pool.node[leaf, FIRST] = child
        else:
            pool.node[last, NEXT] = child
        last = child
    forget(pool, leaf)
    give(pool, STATS, pool.node[leaf, STAT])
    # Branches may sum up to another weight than the leaf had: see `_by_interval`.
    node, more = leaf, total - pool.mass[leaf, N]
    while node >= 0:
        pool.mass[node, N] += more
        node = pool.node[node, PARENT]
    pool.node[leaf, KIND] = kind
    pool.node[leaf, FIELD] = j if j < d else j - d
    pool.node[leaf, STAT] = -1
    pool.mass[leaf, CUT] = split[2]


@part
def _inherit(pool: Pool, leaf: int, child: int) -> None:
    """Give a new leaf the linear model of the one that it comes from, and its errors."""
    for name in (BY_MEAN, BY_MODEL, INTERCEPT):
        pool.mass[child, name] = pool.mass[leaf, name]
    old, new = pool.node[leaf, STAT], pool.node[child, STAT]
    for k in range(pool.line.shape[1]):
        pool.line[new, k, SLOPE] = pool.line[old, k, SLOPE]
