"""Pools of regression trees as they are kept: only what they hold, in an order of their shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learners.compiled.jit import lean
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
)

KEPT = tuple(name for name in Pool._fields if name not in ("used", "spare"))


def packed(pool: Pool, roots: Whole) -> tuple[dict[str, NDArray[np.generic]], Whole]:
    """Return the arrays of a pool's trees as private copies, and the roots in them (-1: none).

    Neither room to spare nor the order in which rows were taken shows. O(what the trees hold).
    """
    nodes, _, cells = (np.empty(n, np.int64) for n in pool.used[:3] - pool.used[3:])
    _nodes_in_order(pool.node, roots, nodes)
    node, places = pool.node[nodes], _places(len(pool.node), nodes)
    for column in (FIRST, NEXT, PARENT):
        node[:, column] = places[node[:, column]]
    leaves = node[:, KIND] < NUMBER
    stats = node[leaves, STAT]
    node[leaves, STAT] = np.arange(len(stats))
    way = pool.way[stats]
    _cells_in_order(pool.link, np.ascontiguousarray(way[:, :, ROOT]).reshape(-1), cells)
    new = _places(len(pool.cell), cells)
    way[:, :, ROOT] = new[way[:, :, ROOT]]
    arrays: dict[str, NDArray[np.generic]] = {
        "node": node,
        "mass": pool.mass[nodes],
        "way": way,
        "line": pool.line[stats],
        "cell": pool.cell[cells],
        "link": new[pool.link[cells]],
    }
    return arrays, places[roots]


def copied(pool: Pool) -> Pool:
    """Return a pool with private copies of the rows that were ever taken; only `packed` reads it.

    A fifth of the time that packing takes, which can be left to another thread.
    """
    nodes, stats, cells = pool.used[:3].tolist()
    kept = {"node": nodes, "mass": nodes, "way": stats, "line": stats, "cell": cells}
    kept |= {"link": cells, "used": len(pool.used), "spare": 0}
    return Pool(**{name: getattr(pool, name)[:rows].copy() for name, rows in kept.items()})


def unpacked(arrays: dict[str, NDArray[np.generic]]) -> Pool:
    """Return a pool that holds private copies of these arrays, and is full."""
    own = {name: np.array(arrays[name]) for name in KEPT}
    sizes = [len(own[name]) for name in ("node", "way", "cell")]
    used = np.array([*sizes, 0, 0, 0], np.int64)
    return Pool(used=used, spare=np.zeros((3, max(*sizes, 1)), np.int64), **own)


def _places(rows: int, order: Whole) -> Whole:
    """Return the place of each row in an order; that of row -1, which is none, is -1."""
    places = np.full(rows + 1, -1, np.int64)
    places[order] = np.arange(len(order))
    return places


@lean
def _nodes_in_order(node: Whole, roots: Whole, order: Whole) -> None:
    """List the nodes of trees, level by level."""
    n = 0
    for root in roots:
        if root >= 0:
            order[n] = root
            n += 1
    for done in range(len(order)):
        child = node[order[done], FIRST]
        while child >= 0:
            order[n] = child
            n += 1
            child = node[child, NEXT]


@lean
def _cells_in_order(link: Whole, roots: Whole, order: Whole) -> None:
    """List the cells of search trees, one after the other, each level by level."""
    done, n = 0, 0
    for root in roots:
        if root >= 0:
            order[n] = root
            n += 1
        while done < n:
            for side in range(2):
                below = link[order[done], side]
                if below >= 0:
                    order[n] = below
                    n += 1
            done += 1
