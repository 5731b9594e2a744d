"""When a leaf becomes a branch, and which."""

from __future__ import annotations

import math

from learners.compiled.jit import inner, part
from learners.compiled.look import (
    BEST,
    BRANCHES,
    COLUMNS,
    FOUND,
    KINDS,
    ORDER,
    PRIORS,
    SIZE,
    STATS_OF,
    TOTAL,
    Look,
)
from learners.compiled.merit import (
    arrange,
    best_cut,
    by_word,
    cut_at,
    deviate,
    entropy_of,
    in_order,
    merit_of,
)
from learners.compiled.pool import (
    AFTER,
    ASLEEP,
    BAYES,
    CATEGORIES,
    CLASS,
    CODE,
    CUT,
    DEPTH,
    FIELD,
    HEAD,
    KIND,
    LEAF,
    LEFT,
    MAJORITY,
    NEXT,
    NOBODY,
    NODES,
    NUMBER,
    NUMBERS,
    RIGHT,
    SEEN,
    STAT,
    TICK,
    TRIED,
    WORDS,
    Pool,
    Whole,
    clear,
    forget,
    new_entry,
    new_leaf,
)
from learners.compiled.rules import ALL, GINI, Rules
from learners.table import Codes


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
        entropy = entropy_of(look.real[PRIORS], n)
        candidates = 1 if rules.preprune else 0
        size = in_order(pool, d, c, look)
        for o in range(size):
            j, point, worth = look.whole[COLUMNS, o], 0.0, 0.0
            arrange(pool, j, d, labels, look)
            if j < d:
                worth, point = best_cut(pool, rules, j, entropy, look)
            else:
                by_word(pool, j - d, ranks, look)
                worth = merit_of(rules, entropy, look)
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
    arrange(pool, column, d, labels, look)
    if column < d:
        deviate(pool.stat, column, rules.half, look)
        cut_at(pool.stat, column, cut, look)
    else:
        by_word(pool, column - d, ranks, look)
    _branch(pool, rules, leaf, column, d, cut, look)


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
