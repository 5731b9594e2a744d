"""What nodes of a tree know of its errors, and what a branch does about them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from learners.compiled.alarm import note, silence
from learners.compiled.care import Stand
from learners.compiled.jit import part
from learners.compiled.pool import (
    CODE,
    KIND,
    LEFT,
    NEXT,
    NOBODY,
    NUMBER,
    PARENT,
    RIGHT,
    Pool,
    Whole,
    fell,
    new_leaf,
)
from learners.compiled.route import next_child
from learners.table import Floats

# Columns of `error`: how many answers were watched, and the share of wrong ones.
COUNT, SHARE = range(2)


class Habits(NamedTuple):
    """How a tree watches its errors.

    Attributes
    ----------
    delta
        Of the windows of errors.
    least
        Answers that two nodes must have been watched for before they are compared.
    significance
        Of the difference between a branch and the leaf beside it.
    drawn
        Whether each leaf weighs each row by a number drawn from Poisson(1), where that is not 0.
    """

    delta: float
    least: float
    significance: float
    drawn: bool


class Watch(NamedTuple):
    """What is known of the errors of nodes, by row of the pool.

    Attributes
    ----------
    beside
        int64[nodes], the leaf that grows beside a branch; -1 for none.
    error
        float64[nodes, 2], see the names of its columns.
    windows
        int64[nodes, ...], see `learners.compiled.alarm`.
    """

    beside: Whole
    error: Floats
    windows: Whole


@part
def seedling(pool: Pool, watch: Watch, parent: int) -> int:
    """Return a leaf that has learned and heard nothing."""
    leaf = new_leaf(pool, parent)
    blank(watch, leaf)
    return leaf


@part
def blank(watch: Watch, node: int) -> None:
    """Let a node know nothing."""
    watch.beside[node] = -1
    calm(watch, node)
    silence(watch.windows[node])


@part
def calm(watch: Watch, node: int) -> None:
    """Count a node's errors anew."""
    watch.error[node, COUNT] = watch.error[node, SHARE] = 0.0


@part
def hear(watch: Watch, node: int, wrong: int, delta: float) -> bool:
    """Put an answer into a node's window; say whether the mean changed."""
    error = watch.error[node]
    error[COUNT] += 1.0
    error[SHARE] += 1.0 / error[COUNT] * (wrong - error[SHARE])
    changed = note(watch.windows[node], wrong, delta, False)
    if changed:
        silence(watch.windows[node])
    return changed


@part
def heed(pool: Pool, watch: Watch, habits: Habits, node: int, wrong: int) -> int:
    """Let a branch hear of an answer; return the leaf beside it, -1 if there is none.

    When its errors rise a new leaf begins beside it. A leaf that errs less is to take its place:
    then it is no longer `watch.beside` it; one that errs more is felled.
    """
    before, other = watch.error[node, SHARE], int(watch.beside[node])
    if hear(watch, node, wrong, habits.delta):
        fallen = before > watch.error[node, SHARE]
        calm(watch, node)
        if not fallen:
            if other >= 0:
                fell(pool, other)
            parent: Any = np.int64(pool.node[node, PARENT])
            other = seedling(pool, watch, parent)
            watch.beside[node] = other
            return other
    if other < 0 or min(watch.error[other, COUNT], watch.error[node, COUNT]) <= habits.least:
        return other
    ours, theirs = watch.error[node, SHARE], watch.error[other, SHARE]
    n = 1.0 / watch.error[other, COUNT] + 1.0 / watch.error[node, COUNT]
    spread = max(ours * (1.0 - ours), 0.0)
    bound = math.sqrt(2.0 * spread * math.log(2.0 / habits.significance) * n)
    if bound < ours - theirs:
        watch.beside[node] = -1
    elif bound < theirs - ours:
        fell(pool, other)
        watch.beside[node] = other = NOBODY
    return other


@part
def replace(pool: Pool, watch: Watch, stand: Stand, node: int, other: int) -> None:
    """Put another node in the place of a branch, and give back all that is below the branch."""
    parent = pool.node[node, PARENT]
    if parent < 0:
        stand.roots[0, 0] = other
    elif pool.node[parent, KIND] == NUMBER:
        pool.node[parent, LEFT if pool.node[parent, LEFT] == node else RIGHT] = other
    else:
        pool.node[other, NEXT] = pool.node[node, NEXT]
        pool.node[other, CODE] = pool.node[node, CODE]
        if pool.node[parent, LEFT] == node:
            pool.node[parent, LEFT] = other
        else:
            last = pool.node[parent, LEFT]
            while pool.node[last, NEXT] != node:
                last = pool.node[last, NEXT]
            pool.node[last, NEXT] = other
    watch.beside[node] = -1
    # Of one type from the first: what is called with it would be compiled for two.
    below: Any = np.int64(node)
    while below >= 0:
        if pool.node[below, KIND] >= NUMBER:
            if watch.beside[below] >= 0:
                fell(pool, watch.beside[below])
            below = np.int64(pool.node[below, LEFT])
            continue
        following: Any = NOBODY
        while following < 0 and below != node:
            above: Any = np.int64(pool.node[below, PARENT])
            following = np.int64(next_child(pool, above, below))
            below = above
        below = following
    fell(pool, node)
