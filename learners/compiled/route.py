"""The way of a row through a tree to its leaf."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from learners.compiled.jit import inner, part
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
    PARENT,
    RIGHT,
    SEEN,
    WORDS,
    Pool,
    new_leaf,
)
from learners.compiled.rules import Rules
from learners.table import Codes, Floats


@inner
def reach(
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
                node, strayed = usual_child(pool, rules.rivers, node), True
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
            node, strayed = usual_child(pool, rules.rivers, node), True
    return node, strayed


@part
def usual_child(pool: Pool, rivers: bool | None, node: int) -> int:
    """Return the child that learned most."""
    best, most = NOBODY, -math.inf
    # Of one type from the first: what is called with it would be compiled for two.
    child: Any = np.int64(pool.node[node, LEFT])
    while child >= 0:
        if rivers is None:
            weight = pool.mass[child, SEEN]
        else:
            weight = weight_below(pool, child)
        if weight > most:
            best, most = child, weight
        child = next_child(pool, node, child)
    return best


@part
def weight_below(pool: Pool, top: int) -> float:
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
            sibling = next_child(pool, parent, node)
            if sibling < 0:
                total, node = pool.mass[parent, SEEN], parent
                pool.mass[parent, SEEN] = 0.0
        node = sibling


@part
def next_child(pool: Pool, parent: int, child: int) -> int:
    """Return the child after this one, -1 after the last."""
    if pool.node[parent, KIND] == WORDS:
        sibling: int = pool.node[child, NEXT]
    else:
        sibling = pool.node[parent, RIGHT] if child == pool.node[parent, LEFT] else -1
    return sibling
