"""Pools of regression trees as they are kept: only what they hold, in an order of their shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learners.compiled.jit import njit
from learners.compiled.regression_pool import (
    FIRST,
    KIND,
    NEXT,
    NUMBER,
    PARENT,
    ROOT,
    STAT,
    Pool,
    Whole,
    pool_of,
)

KEPT = tuple(name for name in Pool._fields if name not in ("used", "spare"))


def packed(pool: Pool, roots: Whole) -> tuple[dict[str, NDArray[np.generic]], Whole]:
    """Return the arrays of a pool's trees as private copies, and the roots in them (-1: none).

    Neither room to spare nor the order in which rows were taken shows. O(what the trees hold).
    """
    live = (pool.used[:3] - pool.used[3:]).tolist()
    d = pool.line.shape[1]
    exact = pool_of((live[0], live[1], live[2]), d, pool.way.shape[1] - d)
    places = np.full(roots.shape, -1, np.int64)
    _pack(pool, exact, roots, places)
    return {name: getattr(exact, name) for name in KEPT}, places


def unpacked(arrays: dict[str, NDArray[np.generic]]) -> Pool:
    """Return a pool that holds private copies of these arrays, and is full."""
    own = {name: np.array(arrays[name]) for name in KEPT}
    sizes = [len(own[name]) for name in ("node", "way", "cell")]
    used = np.array([*sizes, 0, 0, 0], np.int64)
    return Pool(used=used, spare=np.zeros((3, max(*sizes, 1)), np.int32), **own)


@njit
def _pack(pool: Pool, exact: Pool, roots: Whole, places: Whole) -> None:
    n, stats, cells = 0, 0, 0
    queue = np.empty(exact.node.shape[0], np.int64)
    after = np.full(exact.node.shape[0], -1, np.int64)
    parent = np.full(exact.node.shape[0], -1, np.int64)
    order = np.empty(exact.cell.shape[0], np.int64)
    for tree in range(roots.shape[0]):
        if roots[tree] >= 0:
            places[tree] = n
            queue[n] = roots[tree]
            n += 1
    for new in range(exact.node.shape[0]):
        old = queue[new]
        exact.node[new, :] = pool.node[old, :]
        exact.mass[new, :] = pool.mass[old, :]
        exact.node[new, NEXT] = after[new]
        exact.node[new, PARENT] = parent[new]
        if pool.node[old, KIND] < NUMBER:
            cells = _pack_stat(pool, exact, pool.node[old, STAT], stats, cells, order)
            exact.node[new, STAT] = stats
            stats += 1
            continue
        exact.node[new, FIRST] = n
        child = pool.node[old, FIRST]
        while child >= 0:
            queue[n] = child
            parent[n] = new
            child = pool.node[child, NEXT]
            after[n] = n + 1 if child >= 0 else -1
            n += 1


@njit
def _pack_stat(pool: Pool, exact: Pool, old: int, new: int, cells: int, order: Whole) -> int:
    exact.line[new, :, :] = pool.line[old, :, :]
    exact.way[new, :, :] = pool.way[old, :, :]
    for j in range(pool.way.shape[1]):
        done, end = cells, cells
        if pool.way[old, j, ROOT] >= 0:
            exact.way[new, j, ROOT] = cells
            order[end] = pool.way[old, j, ROOT]
            end += 1
        while done < end:
            exact.cell[done, :] = pool.cell[order[done], :]
            for side in range(2):
                below = pool.link[order[done], side]
                exact.link[done, side] = end if below >= 0 else -1
                if below >= 0:
                    order[end] = below
                    end += 1
            done += 1
        cells = end
    return cells
