"""The pool: decision trees on streams as plain arrays, and what takes and gives back their rows.

A leaf keeps for each of its classes one entry, in the order in which the classes came, and an
entry, once the class was learned in the leaf itself, one block of statistics `[moment, number]`:
memory follows the classes that are in a leaf, not those of the stream.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learners.compiled.jit import numbered, part
from learners.table import Codes, Floats

Whole = NDArray[np.int64]

# Kinds of nodes: those from NUMBER on are branches.
LEAF, ASLEEP, NUMBER, WORDS = numbered(4)
# Columns of `node`; a branch on WORDS holds its children as a list from LEFT along NEXT.
KIND, FIELD, PARENT, LEFT, RIGHT, NEXT, CODE, DEPTH, HEAD, NUMBERS, CATEGORIES, TICK = numbered(12)
NODE = 12
# Columns of `mass`: the threshold of a branch; weights: learned below or in the node, at
# the last try to split, answered rightly by the majority and by naive Bayes.
CUT, SEEN, TRIED, MAJORITY, BAYES = numbered(5)
MASS = 5
# Columns of `entry`.
CLASS, STAT, AFTER = numbered(3)
# Moments of a number; SCALE is 1 / (2 variance), EXACT where all values were one.
COUNT, MEAN, SPREAD, SCALE, LOW, HIGH = numbered(6)
MOMENTS = 6
EXACT = 1e300
# Columns of `cell`.
VALUE, FOLLOWING = numbered(2)
# Rows of `spare`, and columns of `used` and, after them, of how many are spare.
NODES, ENTRIES, STATS, CELLS = numbered(4)
NOBODY = -1 * numbered(2)[1]


class Pool(NamedTuple):
    """Rows of trees, their leaves and statistics; what is given back is taken first.

    Attributes
    ----------
    used
        int64[8]: of nodes, entries, stats and cells, the rows ever taken; the rows given back.
    spare
        int32[4, m], stacks of the rows given back.
    node
        int32[nodes, NODE].
    mass
        float64[nodes, MASS].
    slot
        int32[nodes, k], columns that a leaf looks at: numbers, then categories; k is 0 where
        every leaf looks at all.
    entry
        int32[entries, 3], classes of a leaf as a list from HEAD along AFTER.
    prior
        float64[entries], weight of the class, with what the leaf inherited.
    stat
        float64[stats, MOMENTS, d], of the numbers that the leaf looks at.
    norm
        float64[stats], log of the product of the Gaussians' factors and the class's weight; 0 with
        river's conventions.
    cells
        int32[stats, c], by category the first cell of a list along FOLLOWING.
    cell
        int32[cells, 2], words of a category.
    tally
        float64[cells], weight of the word.
    born
        int32[stats, d + c], when the class was first met with the column, counted in the leaf;
        no columns where that order decides nothing.
    """

    used: Whole
    spare: Codes
    node: Codes
    mass: Floats
    slot: Codes
    entry: Codes
    prior: Floats
    stat: Floats
    norm: Floats
    cells: Codes
    cell: Codes
    tally: Floats
    born: Codes


def pool_of(sizes: tuple[int, int, int, int], d: int, c: int, k: int, born: bool) -> Pool:
    """Return an empty pool with room for so many nodes, entries, stats and cells."""
    nodes, entries, stats, cells = sizes
    return Pool(
        np.zeros(8, np.int64),
        np.zeros((4, max(sizes)), np.int32),
        np.zeros((nodes, NODE), np.int32),
        np.zeros((nodes, MASS)),
        np.zeros((nodes, k), np.int32),
        np.zeros((entries, 3), np.int32),
        np.zeros(entries),
        np.zeros((stats, MOMENTS, d)),
        np.zeros(stats),
        np.full((stats, c), -1, np.int32),
        np.zeros((cells, 2), np.int32),
        np.zeros(cells),
        np.zeros((stats, (d + c) if born else 0), np.int32),
    )


def widened(
    pool: Pool, need: tuple[int, int, int, int], d: int, c: int, k: int, born: bool
) -> Pool:
    """Return the pool with room for `need` more rows of each kind and for these columns."""
    sizes = tuple(len(rows) for rows in (pool.node, pool.entry, pool.stat, pool.cell))
    old_d, old_c = pool.stat.shape[2], pool.cells.shape[1]
    room = [
        size if size - used + spare >= more else max(2 * size, size + more)
        for size, used, spare, more in zip(sizes, pool.used[:4], pool.used[4:], need, strict=True)
    ]
    if tuple(room) == sizes and (d, c, k) == (old_d, old_c, pool.slot.shape[1]):
        return pool
    wide = pool_of((room[0], room[1], room[2], room[3]), d, c, k, born)
    for name in Pool._fields:
        old = getattr(pool, name)
        getattr(wide, name)[tuple(slice(size) for size in old.shape)] = old
    _blank(wide.stat[:, :, old_d:])
    if born:
        wide.born[: sizes[2], d : d + old_c] = pool.born[:, old_d:]
        wide.born[:, old_d:d] = 0
    return wide


def _blank(stat: Floats) -> None:
    stat[:] = 0.0
    stat[:, SCALE] = EXACT
    stat[:, LOW] = np.inf
    stat[:, HIGH] = -np.inf


@part
def take(pool: Pool, kind: int) -> int:
    """Return a free row of this kind; the caller has seen that there is one."""
    if pool.used[4 + kind] > 0:
        pool.used[4 + kind] -= 1
        last: int = pool.spare[kind, pool.used[4 + kind]]
        return last
    row: int = pool.used[kind]
    pool.used[kind] += 1
    return row


@part
def give(pool: Pool, kind: int, row: int | np.int32) -> None:
    """Give a row back."""
    pool.spare[kind, pool.used[4 + kind]] = row
    pool.used[4 + kind] += 1


@part
def has_room(pool: Pool, nodes: int, entries: int, stats: int, cells: int) -> bool:
    """Say whether so many rows are free."""
    fits: bool = (
        pool.node.shape[0] - pool.used[NODES] + pool.used[4 + NODES] >= nodes
        and pool.entry.shape[0] - pool.used[ENTRIES] + pool.used[4 + ENTRIES] >= entries
        and pool.stat.shape[0] - pool.used[STATS] + pool.used[4 + STATS] >= stats
        and pool.cell.shape[0] - pool.used[CELLS] + pool.used[4 + CELLS] >= cells
    )
    return fits


@part
def new_leaf(pool: Pool, parent: int) -> int:
    """Return a leaf that has learned nothing; the parent of a root is -1."""
    leaf = take(pool, NODES)
    # Here and below: to assign slices takes far longer to compile.
    for j in range(NODE):
        pool.node[leaf, j] = 0
    pool.node[leaf, KIND] = LEAF
    pool.node[leaf, NEXT] = -1
    pool.node[leaf, PARENT] = parent
    pool.node[leaf, DEPTH] = pool.node[parent, DEPTH] + 1 if parent >= 0 else 0
    pool.node[leaf, HEAD] = -1
    pool.node[leaf, NUMBERS] = -1
    for j in range(MASS):
        pool.mass[leaf, j] = 0.0
    for j in range(pool.slot.shape[1]):
        pool.slot[leaf, j] = 0
    return leaf


@part
def new_entry(pool: Pool, leaf: int, last: int, kind: int, prior: float) -> int:
    """Append a class to a leaf's list, whose last entry is given (-1: the list is empty)."""
    entry = take(pool, ENTRIES)
    pool.entry[entry, CLASS] = kind
    pool.entry[entry, STAT] = -1
    pool.entry[entry, AFTER] = -1
    pool.prior[entry] = prior
    if last < 0:
        pool.node[leaf, HEAD] = entry
    else:
        pool.entry[last, AFTER] = entry
    return entry


@part
def new_stat(pool: Pool) -> int:
    """Return statistics of nothing."""
    stat = take(pool, STATS)
    for j in range(pool.stat.shape[2]):
        pool.stat[stat, COUNT, j] = pool.stat[stat, MEAN, j] = pool.stat[stat, SPREAD, j] = 0.0
        pool.stat[stat, SCALE, j] = EXACT
        pool.stat[stat, LOW, j], pool.stat[stat, HIGH, j] = np.inf, -np.inf
    pool.norm[stat] = 0.0
    for j in range(pool.cells.shape[1]):
        pool.cells[stat, j] = -1
    for j in range(pool.born.shape[1]):
        pool.born[stat, j] = 0
    return stat


@part
def forget(pool: Pool, leaf: int) -> None:
    """Give back a leaf's statistics."""
    entry = pool.node[leaf, HEAD]
    while entry >= 0:
        stat = pool.entry[entry, STAT]
        if stat >= 0:
            for j in range(pool.cells.shape[1]):
                cell = pool.cells[stat, j]
                while cell >= 0:
                    following = pool.cell[cell, FOLLOWING]
                    give(pool, CELLS, cell)
                    cell = following
            give(pool, STATS, stat)
            pool.entry[entry, STAT] = -1
        entry = pool.entry[entry, AFTER]


@part
def clear(pool: Pool, leaf: int) -> None:
    """Give back a leaf's statistics and the weights of its classes."""
    forget(pool, leaf)
    entry = pool.node[leaf, HEAD]
    while entry >= 0:
        give(pool, ENTRIES, entry)
        entry = pool.entry[entry, AFTER]
    pool.node[leaf, HEAD] = -1


@part
def fell(pool: Pool, root: int) -> None:
    """Give back a whole tree: leaf by leaf, each branch after what is below it."""
    node, top = root, pool.node[root, PARENT]
    while node != top:
        kind = pool.node[node, KIND]
        if kind >= NUMBER and pool.node[node, LEFT] >= 0:
            child = pool.node[node, LEFT]
            # The way on is cut off behind, so that coming up again goes to the next child.
            if kind == WORDS:
                pool.node[node, LEFT] = pool.node[child, NEXT]
            else:
                pool.node[node, LEFT] = pool.node[node, RIGHT]
                pool.node[node, RIGHT] = -1
            node = child
            continue
        if kind < NUMBER:
            clear(pool, node)
        give(pool, NODES, np.int32(node))
        node = pool.node[node, PARENT]
