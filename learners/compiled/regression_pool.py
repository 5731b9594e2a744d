"""The pool of regression trees on streams as plain arrays: nodes, leaves' columns, cells.

A leaf keeps for each column a binary search tree of cells: values, or intervals of them, each with
weight, mean and squared deviations of the targets that came with it.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from learners.compiled.jit import part
from learners.table import Floats

Whole = NDArray[np.int64]

# Kinds of nodes. From NUMBER on they are branches: up to a threshold and beyond it, one word and
# all others, each word; their children are a list from FIRST along NEXT.
LEAF, ASLEEP, NUMBER, WORD, WORDS = range(5)
# Columns of `node`; STAT is a leaf's row of `way` and `line`, DRAWN whether it chose its columns.
KIND, FIELD, PARENT, FIRST, NEXT, CODE, DEPTH, STAT, TICK, DRAWN = range(10)
NODE = 10
# Columns of `mass`: threshold, or code of the one word; targets' weight (of a branch: that of all
# leaves below), mean and squared deviations; weight at the last try to split; faded squared
# errors; the linear model's intercept.
CUT, N, MEAN, SPREAD, TRIED, BY_MEAN, BY_MODEL, INTERCEPT = range(8)
MASS = 8
# Columns of `way`: the root of the column's cells, when the column was first met (0: not yet, -1:
# not looked at), how many cells.
ROOT, BORN, COUNT = range(3)
# Columns of `line`: weight of the linear model, width of a cell's interval (0: a single value).
SLOPE, WIDTH = range(2)
# Columns of `cell`, the first three of them those of `mass` from N on, then key and mean value.
WEIGHT, AVERAGE, APART, KEY, X = range(5)
CELL = 5
# Rows of `spare`, and columns of `used` and, after them, of how many are spare.
# Numbers of NumPy, as the compiler makes a function anew for each literal that it is called with.
NODES, STATS, CELLS = (cast(int, np.int64(kind)) for kind in range(3))
NOBODY = cast(int, np.int64(-1))


class Pool(NamedTuple):
    """Rows of trees; what is given back is taken first.

    Attributes
    ----------
    used
        int64[6]: of nodes, stats and cells, the rows ever taken; the rows given back.
    spare
        int64[3, m], stacks of the rows given back.
    node
        int64[nodes, NODE].
    mass
        float64[nodes, MASS].
    way
        int64[stats, d + c, 3], by number, then by category.
    line
        float64[stats, d, 2].
    cell
        float64[cells, CELL].
    link
        int64[cells, 2], cells with lower and with higher keys.
    """

    used: Whole
    spare: Whole
    node: Whole
    mass: Floats
    way: Whole
    line: Floats
    cell: Floats
    link: Whole


def pool_of(sizes: tuple[int, int, int], d: int, c: int) -> Pool:
    """Return an empty pool with room for so many nodes, stats and cells."""
    nodes, stats, cells = sizes
    return Pool(
        np.zeros(6, np.int64),
        np.zeros((3, max(sizes)), np.int64),
        np.zeros((nodes, NODE), np.int64),
        np.zeros((nodes, MASS)),
        np.zeros((stats, d + c, 3), np.int64),
        np.zeros((stats, d, 2)),
        np.zeros((cells, CELL)),
        np.zeros((cells, 2), np.int64),
    )


def widened(pool: Pool, need: tuple[int, int, int], d: int, c: int, born: int) -> Pool:
    """Return the pool with room for `need` more rows of each kind and for these columns.

    Parameters
    ----------
    born
        What a column is in the leaves that were there before it.
    """
    sizes = [len(rows) for rows in (pool.node, pool.way, pool.cell)]
    old_d = pool.line.shape[1]
    old_c = pool.way.shape[1] - old_d
    room = [
        size if size - used + spare >= more else max(2 * size, size + more)
        for size, used, spare, more in zip(sizes, pool.used[:3], pool.used[3:], need, strict=True)
    ]
    if room == sizes and (d, c) == (old_d, old_c):
        return pool
    wide = pool_of((room[0], room[1], room[2]), d, c)
    for name in Pool._fields:
        old = getattr(pool, name)
        if name != "way":
            getattr(wide, name)[tuple(slice(size) for size in old.shape)] = old
    wide.way[:, :, ROOT], wide.way[:, :, BORN] = -1, born
    wide.way[: sizes[1], :old_d] = pool.way[:, :old_d]
    wide.way[: sizes[1], d : d + old_c] = pool.way[:, old_d:]
    return wide


@part
def take(pool: Pool, kind: int) -> int:
    """Return a free row of this kind; the caller has seen that there is one."""
    if pool.used[3 + kind] > 0:
        pool.used[3 + kind] -= 1
        return int(pool.spare[kind, pool.used[3 + kind]])
    row = pool.used[kind]
    pool.used[kind] += 1
    return int(row)


@part
def give(pool: Pool, kind: int, row: int) -> None:
    """Give a row back."""
    pool.spare[kind, pool.used[3 + kind]] = row
    pool.used[3 + kind] += 1


@part
def has_room(pool: Pool, nodes: int, cells: int) -> bool:
    """Say whether so many nodes, each a leaf with columns, and cells are free."""
    used = pool.used
    return bool(
        pool.node.shape[0] - used[NODES] + used[3 + NODES] >= nodes
        and pool.way.shape[0] - used[STATS] + used[3 + STATS] >= nodes
        and pool.cell.shape[0] - used[CELLS] + used[3 + CELLS] >= cells
    )


@part
def new_leaf(pool: Pool, parent: int, born: int, intercept: float) -> int:
    """Return a leaf that has learned nothing; the parent of a root is -1."""
    leaf, stat = take(pool, NODES), take(pool, STATS)
    for column in range(NODE):
        pool.node[leaf, column] = 0
    pool.node[leaf, FIRST] = -1
    pool.node[leaf, NEXT] = -1
    pool.node[leaf, PARENT] = parent
    pool.node[leaf, DEPTH] = pool.node[parent, DEPTH] + 1 if parent >= 0 else 0
    pool.node[leaf, STAT] = stat
    for column in range(MASS):
        pool.mass[leaf, column] = 0.0
    pool.mass[leaf, INTERCEPT] = intercept
    for j in range(pool.line.shape[1]):
        pool.line[stat, j, SLOPE] = pool.line[stat, j, WIDTH] = 0.0
    for j in range(pool.way.shape[1]):
        pool.way[stat, j, ROOT] = -1
        pool.way[stat, j, BORN] = born
        pool.way[stat, j, COUNT] = 0
    return leaf


@part
def forget(pool: Pool, leaf: int) -> None:
    """Give back the cells of a leaf, which is to meet its columns anew."""
    stat = pool.node[leaf, STAT]
    for j in range(pool.way.shape[1]):
        fell_cells(pool, pool.way[stat, j, ROOT])
        pool.way[stat, j, ROOT] = -1
        pool.way[stat, j, COUNT] = 0
        if pool.way[stat, j, BORN] > 0:
            pool.way[stat, j, BORN] = 0
    for j in range(pool.line.shape[1]):
        pool.line[stat, j, WIDTH] = 0.0


@part
def fell_cells(pool: Pool, root: int) -> None:
    """Give back cells from a root on: each after what is below it, turning the tree as it goes."""
    cell = root
    while cell >= 0:
        below = pool.link[cell, 0]
        if below >= 0:
            # The lower one becomes the root, this one goes to the end of its higher side.
            last = below
            while pool.link[last, 1] >= 0:
                last = pool.link[last, 1]
            pool.link[last, 1] = cell
            pool.link[cell, 0] = -1
            cell = below
        else:
            following = pool.link[cell, 1]
            give(pool, CELLS, cell)
            cell = following


@part
def fell(pool: Pool, root: int) -> None:
    """Give back a whole tree: each branch after what is below it."""
    node, top = root, pool.node[root, PARENT]
    while node != top:
        if pool.node[node, KIND] >= NUMBER and pool.node[node, FIRST] >= 0:
            child = pool.node[node, FIRST]
            # The way on is cut off behind, so that coming up again goes to the next child.
            pool.node[node, FIRST] = pool.node[child, NEXT]
            node = child
            continue
        if pool.node[node, KIND] < NUMBER:
            forget(pool, node)
            give(pool, STATS, pool.node[node, STAT])
        give(pool, NODES, node)
        node = pool.node[node, PARENT]


@part
def usual(pool: Pool, node: int) -> int:
    """Return the child of a branch that learned most, the first among equals."""
    best, most = -1, -math.inf
    child = pool.node[node, FIRST]
    while child >= 0:
        if pool.mass[child, N] > most:
            best, most = child, pool.mass[child, N]
        child = pool.node[child, NEXT]
    return best
