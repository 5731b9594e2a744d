"""When a leaf becomes a branch, and which."""

from __future__ import annotations

import math

from learners.compiled.jit import inner, part
from learners.compiled.leaf import (
    BEST,
    BRANCHES,
    COLUMNS,
    FOUND,
    KEYS,
    KINDS,
    ORDER,
    PLACE,
    PRIORS,
    SINCE,
    SIZE,
    STATS_OF,
    SUMS,
    TOTAL,
    Look,
)
from learners.compiled.pool import (
    AFTER,
    ASLEEP,
    BAYES,
    CATEGORIES,
    CLASS,
    CODE,
    COUNT,
    CUT,
    DEPTH,
    FIELD,
    FOLLOWING,
    HEAD,
    HIGH,
    KIND,
    LEAF,
    LEFT,
    LOW,
    MAJORITY,
    MEAN,
    NEXT,
    NOBODY,
    NODES,
    NUMBER,
    NUMBERS,
    RIGHT,
    SEEN,
    SPREAD,
    STAT,
    TICK,
    TRIED,
    VALUE,
    WORDS,
    Pool,
    Whole,
    clear,
    forget,
    new_entry,
    new_leaf,
)
from learners.compiled.rules import ALL, GAIN, GINI, Rules
from learners.table import Codes, Floats

ROOT_2 = math.sqrt(2.0)
# What a class weighs in a branch that it does not reach, as against 0 of one that it does.
ABSENT = -1.0


@inner
def due(pool: Pool, rules: Rules, leaf: int, look: Look) -> bool:
    """Say whether a leaf has learned enough since the last try to split it, and note the try."""
    if pool.node[leaf, KIND] != LEAF:
        return False
    if pool.node[leaf, DEPTH] >= rules.depth:
        forget(pool, leaf)
        pool.node[leaf, KIND] = ASLEEP
        return False
    total, mixed, n = 0.0, 0, 0
    entry = pool.node[leaf, HEAD]
    while entry >= 0:
        look.whole[KINDS, n] = pool.entry[entry, CLASS]
        look.real[PRIORS, n] = pool.prior[entry]
        look.whole[STATS_OF, n] = pool.entry[entry, STAT]
        total += pool.prior[entry]
        mixed += pool.prior[entry] != 0.0
        n += 1
        entry = pool.entry[entry, AFTER]
    if total - pool.mass[leaf, TRIED] < rules.grace:
        return False
    pool.mass[leaf, TRIED] = total
    look.whole[BEST, SIZE], look.real[TOTAL, 0] = n, total
    splits: bool = mixed >= 2 and pool.used[NODES] - pool.used[4 + NODES] < rules.nodes
    return splits


@part
def grow(
    pool: Pool, rules: Rules, leaf: int, d: int, c: int, ranks: Codes, labels: Whole, look: Look
) -> None:
    """Split a leaf if a column is good enough, by the test of Domingos and Hulten (2000).

    O(columns x thresholds x classes of the leaf).

    Parameters
    ----------
    ranks
        int32[c, words], place of each word in sorted order.
    labels
        Place of each class in sorted order.
    look
        As `due` left it.
    """
    n, total, most = look.whole[BEST, SIZE], look.real[TOTAL, 0], 0.0
    for e in range(n):
        most = max(most, look.real[PRIORS, e])
    column, merit, second, cut, candidates = NOBODY, -math.inf, -math.inf, 0.0, 1
    if most / total <= rules.share:
        entropy = _entropy(look.real[PRIORS], n)
        candidates = 1 if rules.preprune else 0
        size = _order(pool, d, c, look)
        for o in range(size):
            j, point, worth = look.whole[COLUMNS, o], 0.0, 0.0
            _arrange(pool, j, d, labels, look)
            if j < d:
                worth, point = _of_number(pool, rules, j, entropy, look)
            else:
                _spread(pool, j - d, ranks, look)
                worth = _merit(rules, entropy, look)
            candidates += 1
            if worth >= merit:
                second, merit, cut = merit, worth, point
                column = NOBODY if j < d and worth == -math.inf else j
            elif worth > second:
                second = worth
    if rules.rivers is None and merit == -math.inf:
        return
    if candidates > 1:
        reach = 1.0 if rules.criterion == GINI else math.log2(n if n > 2 else 2)
        bound = math.sqrt(reach * reach * math.log(1.0 / rules.delta) / (2.0 * total))
        if not (merit - second > bound or bound < rules.tau):
            return
    if column < 0:
        # River stops such a leaf and, in the same step, lets it begin anew.
        forget(pool, leaf)
        return
    _arrange(pool, column, d, labels, look)
    if column < d:
        _cut(pool.stat, column, cut, rules.half, look)
    else:
        _spread(pool, column - d, ranks, look)
    _branch(pool, rules, leaf, column, d, cut, look)


@part
def _arrange(pool: Pool, j: int, d: int, labels: Whole, look: Look) -> None:
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
def _order(pool: Pool, d: int, c: int, look: Look) -> int:
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
def _entropy(weights: Floats, n: int) -> float:
    entropy, total = 0.0, 0.0
    for e in range(n):
        if weights[e] > 0.0:
            entropy -= weights[e] * math.log2(weights[e])
            total += weights[e]
    return (entropy + total * math.log2(total)) / total if total > 0.0 else 0.0


@part
def _merit(rules: Rules, entropy: float, look: Look) -> float:
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
            rest += sums[b] * _entropy(parts[b], n)
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
def _of_number(pool: Pool, rules: Rules, j: int, entropy: float, look: Look) -> tuple[float, float]:
    """Return merit and threshold of the best split of a number."""
    low, high, stat = math.inf, -math.inf, pool.stat
    for e in range(look.whole[BEST, SIZE]):
        s = look.whole[STATS_OF, e]
        if s >= 0:
            low = min(low, stat[s, LOW, j])
            high = max(high, stat[s, HIGH, j])
    best, point = -math.inf, 0.0
    step = (high - low) / (rules.points + 1.0)
    for i in range(rules.points):
        cut = low + step * (i + 1)
        if low < cut < high:
            _cut(stat, j, cut, rules.half, look)
            merit = _merit(rules, entropy, look)
            if merit > best:
                best, point = merit, cut
    return best, point


@part
def _cut(stat: Floats, j: int, cut: float, half: float, look: Look) -> None:
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
            variance = stat[s, SPREAD, j] / (n - 1.0) if n > 1.0 else 0.0
            below = 0.0
            if variance > 0.0:
                gap = (cut - stat[s, MEAN, j]) / variance**half
                below = 0.5 * (1.0 + math.erf(gap / ROOT_2))
            parts[0, e] = below * n
            parts[1, e] = n - parts[0, e]


@part
def _spread(pool: Pool, j: int, ranks: Codes, look: Look) -> None:
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


@part
def _branch(
    pool: Pool, rules: Rules, leaf: int, column: int, d: int, cut: float, look: Look
) -> None:
    """Turn a leaf into a branch with a leaf for each row of `look.parts`."""
    field = column if column < d else column - d
    if rules.columns != ALL:
        field = pool.slot[leaf, column if column < d else pool.node[leaf, NUMBERS] + column - d]
    clear(pool, leaf)
    last = NOBODY
    for b in range(look.whole[BEST, BRANCHES]):
        child = new_leaf(pool, leaf)
        if rules.handed_down:
            for j in range(pool.slot.shape[1]):
                pool.slot[child, j] = pool.slot[leaf, j]
            pool.node[child, NUMBERS] = pool.node[leaf, NUMBERS]
            pool.node[child, CATEGORIES] = pool.node[leaf, CATEGORIES]
        _inherit(pool, rules, child, b, look)
        if column >= d:
            pool.node[child, CODE] = look.whole[FOUND, b]
        if b == 0:
            pool.node[leaf, LEFT] = child
        elif column < d:
            pool.node[leaf, RIGHT] = child
        else:
            pool.node[last, NEXT] = child
        last = child
    pool.node[leaf, KIND] = NUMBER if column < d else WORDS
    pool.node[leaf, FIELD] = field
    pool.node[leaf, TICK] = 0
    pool.node[leaf, NUMBERS] = -1
    pool.node[leaf, CATEGORIES] = 0
    for j in range(pool.slot.shape[1]):
        pool.slot[leaf, j] = 0
    pool.mass[leaf, CUT] = cut
    pool.mass[leaf, TRIED] = 0.0
    pool.mass[leaf, MAJORITY] = 0.0
    pool.mass[leaf, BAYES] = 0.0


@part
def _inherit(pool: Pool, rules: Rules, child: int, b: int, look: Look) -> None:
    """Give a new leaf the classes of its branch."""
    tail, total = NOBODY, 0.0
    for e in range(look.whole[BEST, SIZE]):
        if look.parts[b, e] >= 0.0:
            kind = look.whole[KINDS, look.whole[ORDER, e]]
            tail = new_entry(pool, child, tail, kind, look.parts[b, e])
            total += look.parts[b, e]
    pool.mass[child, TRIED] = total
    pool.mass[child, SEEN] = total if rules.rivers is None else 0.0
