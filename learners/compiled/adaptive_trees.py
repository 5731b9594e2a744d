"""A tree that watches its own errors, node by node, over a block."""

from __future__ import annotations

from typing import Any

import numpy as np

from learners.base import LEARN, PREDICT
from learners.compiled.adaptive_watch import (
    SHARE,
    Habits,
    Watch,
    blank,
    calm,
    hear,
    heed,
    replace,
    seedling,
)
from learners.compiled.care import Stand
from learners.compiled.chance import poisson
from learners.compiled.jit import lean, part, sewn
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
    see,
)
from learners.compiled.pool import (
    CODE,
    CUT,
    DEPTH,
    FIELD,
    KIND,
    LEFT,
    NEXT,
    NOBODY,
    NUMBER,
    PARENT,
    RIGHT,
    TRIED,
    Pool,
    has_room,
)
from learners.compiled.route import next_child, usual_child, weight_below
from learners.compiled.rules import Rules
from learners.compiled.split import due, grow
from learners.compiled.trees import Rows
from learners.table import Codes, Floats


@lean
def run(
    pool: Pool,
    watch: Watch,
    rules: Rules,
    habits: Habits,
    stand: Stand,
    rows: Rows,
    look: Look,
    start: int,
    votes: Floats,
) -> tuple[int, int]:
    """Answer and learn rows from `start` on; return the first for which the pool has no room.

    And how many nodes lie on the way of that row.

    Parameters
    ----------
    votes
        float64[n, classes], filled with what the tree says.
    """
    branches, classes = max(2, rows.ranks.shape[1]), votes.shape[1]
    for i in range(start, len(rows.op)):
        op, root = rows.op[i], stand.roots[0, 0]
        if op & PREDICT and root >= 0:
            _answer(pool, watch, rules, root, rows, i, look, votes[i])
        if not op & LEARN or rows.weight[i] <= 0.0:
            continue
        leaf, way = root, 1
        while leaf >= 0 and pool.node[leaf, KIND] >= NUMBER:
            child = _child(pool, leaf, rows.taught, rows.codes, i)
            leaf = child if child >= 0 else usual_child(pool, rules.rivers, leaf)
            way += 1
        stats = way * classes
        if not has_room(
            pool,
            way * (branches + 2),
            way * (branches * classes + 2),
            stats,
            rows.codes.shape[1] * stats,
        ):
            return i, way
        if leaf < 0:
            leaf = seedling(pool, watch, NOBODY)
            stand.roots[0, 0] = leaf
        _teach(pool, watch, rules, habits, stand, leaf, rows, i, look)
    return len(rows.op), 0


@part
def _child(pool: Pool, node: int, x: Floats, codes: Codes, i: int) -> int:
    """Return the child of a branch that a row belongs to; -1 where nothing says so."""
    field = pool.node[node, FIELD]
    if pool.node[node, KIND] == NUMBER:
        value = x[i, field]
        if value != value:
            return -1
        return int(pool.node[node, LEFT if value <= pool.mass[node, CUT] else RIGHT])
    child = pool.node[node, LEFT]
    while child >= 0 and pool.node[child, CODE] != codes[i, field]:
        child = pool.node[child, NEXT]
    return int(child)


@sewn
def _answer(
    pool: Pool, watch: Watch, rules: Rules, root: int, rows: Rows, i: int, look: Look, vote: Floats
) -> None:
    """Add up what the leaf says and the leaves beside the branches on its way.

    One beside a branch to which no value led says so twice, as in river.
    """
    for k in range(len(vote)):
        vote[k] = 0.0
    node, times, branch = root, 1.0, True
    while branch:
        branch = pool.node[node, KIND] >= NUMBER
        speaker = watch.beside[node] if branch else node
        if speaker >= 0:
            _vote(pool, watch, rules, speaker, times if branch else 1.0, rows, i, look, vote)
        if branch:
            child, times = _child(pool, node, rows.asked, rows.codes, i), 1.0
            if child < 0:
                child, times = usual_child(pool, rules.rivers, node), 2.0
            node = child
    total = 0.0
    for k in range(len(vote)):
        total += vote[k]
    if total != 0.0:
        for k in range(len(vote)):
            vote[k] *= 1.0 / total


@part
def _vote(
    pool: Pool,
    watch: Watch,
    rules: Rules,
    leaf: int,
    times: float,
    rows: Rows,
    i: int,
    look: Look,
    vote: Floats,
) -> None:
    """Add what a leaf says, which weighs as much as its share of errors squared is small."""
    _ask(pool, rules, leaf, rows.asked, rows.codes, i, look)
    say(rules.rivers, look)
    total, share = 0.0, watch.error[leaf, SHARE]
    for e in range(look.whole[BEST, SIZE]):
        total += look.real[CHANCES, e]
    total *= share * share
    scale = times / total if total != 0.0 else times
    for e in range(look.whole[BEST, SIZE]):
        vote[look.whole[KINDS, e]] += scale * look.real[CHANCES, e]


@part
def _ask(pool: Pool, rules: Rules, leaf: int, x: Floats, codes: Codes, i: int, look: Look) -> None:
    see(pool, rules, leaf, x, codes, i, look)
    ask(pool, rules, rules.rivers, leaf, x.shape[1], codes.shape[1], look)


@part
def _errs(look: Look, kind: int) -> int:
    """Return 1 if the leaf just asked is wrong, else 0."""
    best = look.whole[BEST]
    return int((best[BY_LIKELIHOOD] if best[SPEAKS] != 0 else best[BY_COUNT]) != kind)


@sewn
def _teach(
    pool: Pool,
    watch: Watch,
    rules: Rules,
    habits: Habits,
    stand: Stand,
    leaf: int,
    rows: Rows,
    i: int,
    look: Look,
) -> None:
    """Let a row go down to its leaf: each branch on the way hears whether the leaf is wrong.

    A leaf beside a branch learns the row as well, and takes the branch's place where it errs less
    or has come to split: the rest of the way is felled with the branch.
    """
    x, codes, kind = rows.taught, rows.codes, int(rows.y[i])
    _ask(pool, rules, leaf, x, codes, i, look)
    wrong, node = _errs(look, kind), int(stand.roots[0, 0])
    while True:
        taught, other, better = node, NOBODY, False
        branch = pool.node[node, KIND] >= NUMBER
        if branch:
            other = heed(pool, watch, habits, node, wrong)
            better = other >= 0 and other != watch.beside[node]
            # River teaches a leaf that takes a branch's place the row only at the root.
            taught = NOBODY if better and pool.node[other, PARENT] >= 0 else other
        if taught >= 0:
            _learn(pool, watch, rules, habits, stand, taught, rows, i, look)
        if not branch:
            return
        if other >= 0 and (better or pool.node[other, KIND] >= NUMBER):
            replace(pool, watch, stand, node, other)
            return
        node = _next(pool, watch, rules, node, x, codes, i)


@part
def _next(
    pool: Pool, watch: Watch, rules: Rules, node: int, x: Floats, codes: Codes, i: int
) -> int:
    """Return the child of a branch that learns a row; a word that is new gets one of its own."""
    child = _child(pool, node, x, codes, i)
    if child >= 0:
        return child
    field = pool.node[node, FIELD]
    if pool.node[node, KIND] == NUMBER or codes[i, field] < 0:
        return usual_child(pool, rules.rivers, node)
    child = seedling(pool, watch, node)
    pool.node[child, CODE] = codes[i, field]
    last = pool.node[node, LEFT]
    while pool.node[last, NEXT] >= 0:
        last = pool.node[last, NEXT]
    pool.node[last, NEXT] = child
    return child


@sewn
def _learn(
    pool: Pool,
    watch: Watch,
    rules: Rules,
    habits: Habits,
    stand: Stand,
    leaf: int,
    rows: Rows,
    i: int,
    look: Look,
) -> None:
    """Let a leaf hear of its own answer and learn the row, and split if it can."""
    x, codes, kind, w = rows.taught, rows.codes, int(rows.y[i]), rows.weight[i]
    d, c = x.shape[1], codes.shape[1]
    if habits.drawn:
        w *= max(poisson(stand.chance[0], 1.0), 1)
    _ask(pool, rules, leaf, x, codes, i, look)
    before = watch.error[leaf, SHARE]
    if hear(watch, leaf, _errs(look, kind), habits.delta) and before > watch.error[leaf, SHARE]:
        calm(watch, leaf)
    learn(pool, rules.rivers, leaf, kind, w, d, c, look)
    # River looks at the depth only when it would split.
    shallow = pool.node[leaf, DEPTH] < rules.depth
    enough = shallow or weight_below(pool, leaf) - pool.mass[leaf, TRIED] >= rules.grace
    if enough and due(pool, rules, leaf, look):
        grow(pool, rules, leaf, d, c, rows.ranks, rows.labels, look)
        if pool.node[leaf, KIND] >= NUMBER:
            blank(watch, leaf)
            # Of one type from the first: what is called with it would be compiled for two.
            child: Any = np.int64(pool.node[leaf, LEFT])
            while child >= 0:
                blank(watch, child)
                child = np.int64(next_child(pool, leaf, child))
