"""Cells: how a leaf sums up the targets by the values of a column."""

from __future__ import annotations

import math

from learners.compiled.jit import part
from learners.compiled.regression_pool import (
    APART,
    AVERAGE,
    CELL,
    CELLS,
    COUNT,
    KEY,
    ROOT,
    WEIGHT,
    WIDTH,
    Pool,
    Whole,
    X,
    give,
    take,
)
from learners.table import Floats

# How finely the values of a column are told apart once they are too many, and what share of the
# cells stays then.
FINEST, KEPT = 30, 0.75


@part
def add(cells: Floats, cell: int, x: float, y: float, w: float) -> None:
    """Let a cell learn a value and its target (West, 1979)."""
    n = cells[cell, WEIGHT] + w
    mean = cells[cell, AVERAGE]
    share = w / n
    after = mean + share * (y - mean)
    cells[cell, WEIGHT] = n
    cells[cell, AVERAGE] = after
    cells[cell, APART] += w * (y - mean) * (y - after)
    cells[cell, X] += share * (x - cells[cell, X])


@part
def joined(
    n: float, m: float, s: float, k: float, o: float, t: float
) -> tuple[float, float, float]:
    """Return weight, mean and squared deviations of two sums together (Chan et al., 1983)."""
    gap = m - o
    return n + k, (n * m + k * o) / (n + k), s + t + gap * gap * n * k / (n + k)


@part
def without(
    n: float, m: float, s: float, k: float, o: float, t: float
) -> tuple[float, float, float]:
    """Return what is left of a sum without a part of it."""
    rest, mean = n - k, 0.0
    if rest > 0.0:
        mean = (n * m - k * o) / rest
    else:
        rest = 0.0
    gap = mean - o
    return rest, mean, s - t - gap * gap * rest * k / (rest + k)


@part
def observe(
    pool: Pool,
    stat: int,
    j: int,
    key: float,
    x: float,
    y: float,
    w: float,
    extended: bool,
    most: int,
) -> None:
    """Put a value into the cells of a column. O(depth of the search tree).

    Parameters
    ----------
    extended
        Whether a cell sums up all that went to its lower side as well, as in an E-BST.
    most
        So many cells at most; then a new value counts to the cell where the search for it ends.
    """
    cell, last, side = pool.way[stat, j, ROOT], -1, 0
    while cell >= 0:
        at = pool.cell[cell, KEY]
        if key == at:
            add(pool.cell, cell, x, y, w)
            return
        last, side = cell, int(key > at)
        if extended and side == 0:
            add(pool.cell, cell, x, y, w)
        cell = pool.link[cell, side]
    if pool.way[stat, j, COUNT] >= most:
        if not extended or side == 1:
            add(pool.cell, last, x, y, w)
        return
    cell = take(pool, CELLS)
    for column in range(CELL):
        pool.cell[cell, column] = 0.0
    pool.cell[cell, KEY] = key
    pool.link[cell, 0] = pool.link[cell, 1] = -1
    add(pool.cell, cell, x, y, w)
    pool.way[stat, j, COUNT] += 1
    if last < 0:
        pool.way[stat, j, ROOT] = cell
    else:
        pool.link[last, side] = cell


@part
def in_order(pool: Pool, root: int, stack: Whole, order: Whole) -> int:
    """List cells by their keys; return how many there are."""
    n, top, cell = 0, 0, root
    while cell >= 0 or top > 0:
        while cell >= 0:
            stack[top] = cell
            top += 1
            cell = pool.link[cell, 0]
        top -= 1
        order[n] = stack[top]
        n += 1
        cell = pool.link[stack[top], 1]
    return n


@part
def coarsen(pool: Pool, stat: int, j: int, stack: Whole, order: Whole, keys: Floats) -> None:
    """Widen the intervals of a column, twice and twice again, until they are fewer.

    So they fit what the leaf met, and a value far out costs one of them. O(cells), after the
    column met values enough to fill a quarter of them anew.
    """
    n = in_order(pool, pool.way[stat, j, ROOT], stack, order)
    width = pool.line[stat, j, WIDTH]
    for e in range(n):
        keys[e] = pool.cell[order[e], KEY]
    if width == 0.0:
        width = max(math.ldexp(keys[n - 1] - keys[0], -FINEST), 1e-300)
        for e in range(n):
            keys[e] = math.floor(keys[e] / width)
    kinds = n
    while kinds > KEPT * n:
        width *= 2.0
        kinds = 1
        for e in range(n):
            keys[e] = math.floor(keys[e] * 0.5)
            kinds += e > 0 and keys[e] != keys[e - 1]
    last = 0
    for e in range(1, n):
        if keys[e] == keys[last]:
            _merge(pool.cell, order[last], order[e])
            give(pool, CELLS, order[e])
        else:
            last += 1
            order[last], keys[last] = order[e], keys[e]
    for e in range(last + 1):
        pool.cell[order[e], KEY] = keys[e]
    pool.line[stat, j, WIDTH] = width
    pool.way[stat, j, COUNT] = last + 1
    pool.way[stat, j, ROOT] = _balance(pool, last + 1, stack, order)


@part
def _merge(cells: Floats, a: int, b: int) -> None:
    n, k = cells[a, WEIGHT], cells[b, WEIGHT]
    cells[a, X] = (n * cells[a, X] + k * cells[b, X]) / (n + k)
    cells[a, WEIGHT], cells[a, AVERAGE], cells[a, APART] = joined(
        n, cells[a, AVERAGE], cells[a, APART], k, cells[b, AVERAGE], cells[b, APART]
    )


@part
def _balance(pool: Pool, n: int, stack: Whole, order: Whole) -> int:
    """Make a balanced search tree of cells in order; return its root."""
    stack[0], stack[1] = 0, n
    top, root = 2, order[n // 2]
    while top > 0:
        low, high = stack[top - 2], stack[top - 1]
        top -= 2
        middle = (low + high) // 2
        cell = order[middle]
        pool.link[cell, 0] = order[(low + middle) // 2] if middle > low else -1
        pool.link[cell, 1] = order[(middle + 1 + high) // 2] if high > middle + 1 else -1
        if middle > low:
            stack[top], stack[top + 1] = low, middle
            top += 2
        if high > middle + 1:
            stack[top], stack[top + 1] = middle + 1, high
            top += 2
    return int(root)
