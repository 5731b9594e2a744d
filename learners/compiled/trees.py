"""Trees side by side over a block: each row is answered, then learned."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from learners.base import LEARN, PREDICT
from learners.compiled.alarm import note, silence
from learners.compiled.chance import Seeds, poisson
from learners.compiled.flow import Ops
from learners.compiled.jit import inner, lean, numbered, part
from learners.compiled.leaf import (
    BEST,
    BY_COUNT,
    BY_LIKELIHOOD,
    CHANCES,
    KINDS,
    SIZE,
    SPEAKS,
    Look,
    ask,
    choose,
    learn,
    say,
    see,
    widths,
)
from learners.compiled.pool import (
    AFTER,
    CODE,
    CUT,
    FIELD,
    HEAD,
    KIND,
    LEFT,
    NEXT,
    NOBODY,
    NUMBER,
    NUMBERS,
    PARENT,
    RIGHT,
    SEEN,
    WORDS,
    Pool,
    Whole,
    fell,
    has_room,
    new_leaf,
)
from learners.compiled.rules import ALL, Rules
from learners.compiled.split import due, grow
from learners.table import Codes, Floats

# What is done about drift: nothing, a new tree for each that errs more, or for the worst of all.
LEAVE, REPLACE, REPLACE_WORST = 0, 1, 2
# What a row comes to a tree for.
ANSWER, FRONT, BEHIND = numbered(3)
UNTAUGHT = -2


class Care(NamedTuple):
    """How an ensemble treats its trees.

    Attributes
    ----------
    rate
        Mean of the Poisson distribution that weighs each row for each tree; 0: no drawing.
    drift
        LEAVE, REPLACE or REPLACE_WORST.
    warning_delta, drift_delta
        Of the two windows of errors; a tree grows in the background from a warning on.
    rises
        Whether only more errors count as a change.
    weighted
        Whether a vote weighs as much as the tree was right.
    """

    rate: float = 0.0
    drift: int = LEAVE
    warning_delta: float = 0.01
    drift_delta: float = 0.001
    rises: bool = True
    weighted: bool = False


class Stand(NamedTuple):
    """The trees of one pool.

    Attributes
    ----------
    roots
        int64[m, 2], of each tree and of the one behind it; -1 for none.
    chance
        uint64[m, 1], random numbers.
    right
        float64[m, 2], rows answered rightly, and rows.
    alarms
        int64[m, 2, ...], windows of errors for warnings and for drift.
    """

    roots: Whole
    chance: Seeds
    right: Floats
    alarms: Whole


class Rows(NamedTuple):
    """A block as kernels take it: see `learners.compiled.flow.Flow`.

    Attributes
    ----------
    same
        Whether rows are learned as they were asked.
    ranks, labels
        See `learners.compiled.split.grow`.
    """

    asked: Floats
    taught: Floats
    codes: Codes
    op: Ops
    y: Floats
    weight: Floats
    same: bool
    ranks: Codes
    labels: Whole


@lean
def run(
    pool: Pool,
    rules: Rules,
    care: Care,
    stand: Stand,
    rows: Rows,
    look: Look,
    start: int,
    votes: Floats,
) -> int:
    """Answer and learn rows from `start` on; return the first for which the pool has no room.

    A row visits a tree up to three times: to be answered, to be learned, and to teach the tree
    behind. One walk and one evaluation serve the first two where the row is the same to both. One
    long function, since each part of it would be compiled once more alone.

    Parameters
    ----------
    votes
        float64[m, n, classes], filled with what each tree says.
    """
    trees, categories, classes = len(stand.roots), rows.codes.shape[1], votes.shape[2]
    branches = rows.ranks.shape[1] if rows.ranks.shape[1] > 2 else 2
    # A tree, and one behind it, may each split and lose nothing first; a word may bring a leaf.
    sides = 2 if care.drift == REPLACE else 1
    nodes, entries = sides * trees * (branches + 2), sides * trees * (branches * classes + 2)
    stats = sides * trees * classes
    for i in range(start, len(rows.op)):
        if not has_room(pool, nodes, entries, stats, categories * stats):
            return i
        op, change = rows.op[i], False
        for t in range(trees):
            w, leaf, strayed, guess = rows.weight[i], NOBODY, True, UNTAUGHT
            for visit in range(3):
                root = stand.roots[t, 1 if visit == BEHIND else 0]
                if visit == ANSWER:
                    if not op & PREDICT or root < 0:
                        continue
                elif not op & LEARN or w <= 0.0 or (visit == BEHIND and root < 0):
                    break
                elif root < 0:
                    root = new_leaf(pool, NOBODY)
                    stand.roots[t, 0] = root
                x = rows.asked if visit == ANSWER else rows.taught
                if visit != FRONT or strayed or not rows.same:
                    leaf, strayed = _reach(pool, rules, root, x, rows.codes, i, visit != ANSWER)
                    d, c = widths(pool, rules, leaf, x, rows.codes)
                    gaps = see(pool, rules, leaf, x, rows.codes, i, look)
                    ask(pool, rules, rules.rivers, leaf, d, c, gaps, look)
                if visit == ANSWER:
                    _vote(rules, care, stand, t, look, votes[t, i])
                    continue
                if visit == FRONT:
                    best = look.whole[BEST]
                    guess = best[BY_LIKELIHOOD] if best[SPEAKS] != 0 else best[BY_COUNT]
                    stand.right[t, 0] += guess == int(rows.y[i])
                    stand.right[t, 1] += 1.0
                    if care.rate > 0.0:
                        w *= poisson(stand.chance[t], care.rate)
                        if w == 0.0:
                            guess = UNTAUGHT
                            break
                if rules.columns != ALL and pool.node[leaf, NUMBERS] < 0:
                    choose(pool, rules, leaf, x, rows.codes, i, stand.chance[t], look)
                    see(pool, rules, leaf, x, rows.codes, i, look)
                d, c = widths(pool, rules, leaf, x, rows.codes)
                learn(pool, rules.rivers, leaf, int(rows.y[i]), w, d, c, look)
                if rules.rivers is None:
                    _pass(pool, leaf, w)
                if not strayed or rules.rivers is None:
                    if due(pool, rules, leaf, look):
                        grow(pool, rules, leaf, d, c, rows.ranks, rows.labels, look)
            if guess != UNTAUGHT and care.drift != LEAVE:
                change |= _watch(pool, care, stand, t, guess != int(rows.y[i]))
        if change and care.drift == REPLACE_WORST:
            _replace_worst(pool, stand)
    return len(rows.op)


@inner
def _pass(pool: Pool, node: int, w: float) -> None:
    """Count a row's weight in its leaf and the branches above."""
    while node >= 0:
        pool.mass[node, SEEN] += w
        node = pool.node[node, PARENT]


@part
def _vote(rules: Rules, care: Care, stand: Stand, t: int, look: Look, vote: Floats) -> None:
    """Put down what a tree says, by class."""
    say(rules.rivers, look)
    scale = 1.0
    if care.weighted and stand.right[t, 0] > 0.0:
        scale = stand.right[t, 0] / stand.right[t, 1]
    for e in range(look.whole[BEST, SIZE]):
        vote[look.whole[KINDS, e]] = scale * look.real[CHANCES, e]


@part
def _watch(pool: Pool, care: Care, stand: Stand, t: int, wrong: bool) -> bool:
    """See whether errors call for a tree behind or put it in front; say if they changed."""
    behind = stand.roots[t, 1]
    if care.drift == REPLACE and note(stand.alarms[t, 0], wrong, care.warning_delta, care.rises):
        if behind >= 0:
            fell(pool, behind)
        behind = new_leaf(pool, NOBODY)
        stand.roots[t, 1] = behind
        silence(stand.alarms[t, 0])
    changed = note(stand.alarms[t, 1], wrong, care.drift_delta, care.rises)
    if changed and care.drift == REPLACE:
        fell(pool, stand.roots[t, 0])
        if behind >= 0:
            silence(stand.alarms[t, 0])
        else:
            behind = new_leaf(pool, NOBODY)
        stand.roots[t, 0] = behind
        stand.roots[t, 1] = -1
        silence(stand.alarms[t, 1])
        stand.right[t, 0] = stand.right[t, 1] = 0.0
    return changed


@part
def _replace_worst(pool: Pool, stand: Stand) -> None:
    """Begin the tree anew that errs most in its window."""
    worst, most = -1, 0.0
    for t in range(len(stand.roots)):
        width, ones = stand.alarms[t, 1, -1, 0], stand.alarms[t, 1, -1, 1]
        if width > 0 and ones / width > most:
            worst, most = t, ones / width
    if worst >= 0:
        fell(pool, stand.roots[worst, 0])
        stand.roots[worst, 0] = new_leaf(pool, NOBODY)
        silence(stand.alarms[worst, 1])


@inner
def _reach(
    pool: Pool, rules: Rules, root: int, x: Floats, codes: Codes, i: int, learning: bool
) -> tuple[int, bool]:
    """Return the leaf of a row, and whether a value was missing or a word unknown on the way.

    Then it is the child that learned most; a word that is learned gets a leaf of its own.
    """
    node, strayed = root, False
    while pool.node[node, KIND] >= NUMBER:
        field = pool.node[node, FIELD]
        if pool.node[node, KIND] == NUMBER:
            value = x[i, field]
            if value <= pool.mass[node, CUT]:
                node = pool.node[node, LEFT]
            elif value == value:
                node = pool.node[node, RIGHT]
            else:
                node, strayed = _usual(pool, rules.rivers, node), True
            continue
        word, child, last = codes[i, field], pool.node[node, LEFT], -1
        while child >= 0 and pool.node[child, CODE] != word:
            last, child = child, pool.node[child, NEXT]
        if child >= 0:
            node = child
        elif learning and word >= 0:
            child = new_leaf(pool, node)
            pool.node[child, CODE] = word
            pool.node[last, NEXT] = child
            return child, True
        else:
            node, strayed = _usual(pool, rules.rivers, node), True
    return node, strayed


@part
def _usual(pool: Pool, rivers: bool | None, node: int) -> int:
    """Return the child that learned most."""
    best, most = NOBODY, -math.inf
    # Of one type from the first: what is called with it would be compiled for two.
    child: Any = np.int64(pool.node[node, LEFT])
    while child >= 0:
        if rivers is None:
            weight = pool.mass[child, SEEN]
        else:
            weight = _weight(pool, child)
        if weight > most:
            best, most = child, weight
        child = _next(pool, node, child)
    return best


@part
def _weight(pool: Pool, top: int) -> float:
    """Return the weight of the classes in all leaves below, summed by branch as river does.

    The sums of branches wait in SEEN, which is 0 before and after: river counts no rows there.
    """
    node = top
    while True:
        while pool.node[node, KIND] >= NUMBER:
            node = pool.node[node, LEFT]
        total = 0.0
        entry = pool.node[node, HEAD]
        while entry >= 0:
            total += pool.prior[entry]
            entry = pool.entry[entry, AFTER]
        sibling = NOBODY
        while sibling < 0:
            if node == top:
                return total
            parent: Any = np.int64(pool.node[node, PARENT])
            pool.mass[parent, SEEN] += total
            sibling = _next(pool, parent, node)
            if sibling < 0:
                total, node = pool.mass[parent, SEEN], parent
                pool.mass[parent, SEEN] = 0.0
        node = sibling


@part
def _next(pool: Pool, parent: int, child: int) -> int:
    """Return the child after this one, -1 after the last."""
    if pool.node[parent, KIND] == WORDS:
        sibling: int = pool.node[child, NEXT]
    else:
        sibling = pool.node[parent, RIGHT] if child == pool.node[parent, LEFT] else -1
    return sibling


@lean
def elect(
    votes: Floats, known: Whole, labels: Whole, together: bool, proba: Floats, value: Floats
) -> None:
    """Add up votes; the class with most of them answers, the first in sorted order among equals.

    Parameters
    ----------
    votes
        float64[m, n, classes].
    known
        How many classes were learned before each row; no answer where none was asked (-1) or is.
    together
        Whether to bring the sums to one.
    proba, value
        float64[n, classes] of zeros and float64[n] of NaN, filled.
    """
    for i in range(votes.shape[1]):
        best, total = -1, 0.0
        for k in range(known[i]):
            for t in range(len(votes)):
                proba[i, k] += votes[t, i, k]
            total += proba[i, k]
            if (
                best < 0
                or proba[i, k] > proba[i, best]
                or (proba[i, k] == proba[i, best] and labels[k] < labels[best])
            ):
                best = k
        if best >= 0:
            value[i] = best
        if together and total > 0.0:
            for k in range(known[i]):
                proba[i, k] /= total
