"""Trees side by side over a block: each row is answered, then learned."""

from __future__ import annotations

from typing import NamedTuple

from learners.base import LEARN, PREDICT
from learners.compiled.care import LEAVE, REPLACE, REPLACE_WORST, Care, Stand, replace_worst, watch
from learners.compiled.chance import poisson
from learners.compiled.flow import Ops
from learners.compiled.jit import inner, lean, numbered, part
from learners.compiled.leaf import ask, learn, say
from learners.compiled.look import (
    BEST,
    BY_COUNT,
    BY_LIKELIHOOD,
    CHANCES,
    KINDS,
    SIZE,
    SPEAKS,
    Look,
    choose,
    see,
    widths,
)
from learners.compiled.pool import NOBODY, NUMBERS, PARENT, SEEN, Pool, Whole, has_room, new_leaf
from learners.compiled.route import reach
from learners.compiled.rules import ALL, Rules
from learners.compiled.split import due, grow
from learners.table import Codes, Floats

# What a row comes to a tree for.
ANSWER, FRONT, BEHIND = numbered(3)
UNTAUGHT = -2


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
                    leaf, strayed = reach(pool, rules, root, x, rows.codes, i, visit != ANSWER)
                    d, c = widths(pool, rules, leaf, x, rows.codes)
                    see(pool, rules, leaf, x, rows.codes, i, look)
                    ask(pool, rules, rules.rivers, leaf, d, c, look)
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
                change |= watch(pool, care, stand, t, guess != int(rows.y[i]))
        if change and care.drift == REPLACE_WORST:
            replace_worst(pool, stand)
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
