"""Pools as they are kept: only what the trees hold, in an order that their shape alone decides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.compiled.jit import njit, part
from learners.compiled.pool import (
    AFTER,
    CATEGORIES,
    FOLLOWING,
    HEAD,
    KIND,
    LEFT,
    NEXT,
    NUMBER,
    NUMBERS,
    PARENT,
    RIGHT,
    STAT,
    WORDS,
    Pool,
    Whole,
    pool_of,
)

KEPT = tuple(name for name in Pool._fields if name not in ("used", "spare"))


def packed(pool: Pool, roots: Whole) -> tuple[dict[str, NDArray[np.generic]], Whole]:
    """Return the arrays of a pool's trees as private copies, and the roots in them (-1: none).

    Neither room to spare nor the order in which rows were taken shows. O(what the trees hold).
    """
    live = pool.used[:4] - pool.used[4:]
    d, c, k = pool.stat.shape[2], pool.cells.shape[1], pool.slot.shape[1]
    sizes = (int(live[0]), int(live[1]), int(live[2]), int(live[3]))
    exact = pool_of(sizes, d, c, k, pool.born.shape[1] > 0)
    places = np.full(roots.shape, -1, np.int64)
    _pack(pool, exact, roots, places)
    arrays = {name: getattr(exact, name) for name in KEPT}
    if k:
        leaves = exact.node[exact.node[:, KIND] < NUMBER]
        numbers, words = (max(leaves[:, column], default=0) for column in (NUMBERS, CATEGORIES))
        arrays["slot"] = _trim(exact.slot, max(leaves[:, NUMBERS] + leaves[:, CATEGORIES]))
        arrays["stat"] = _trim(exact.stat, numbers)
        arrays["cells"] = _trim(exact.cells, words)
    return arrays, places


def copied(pool: Pool) -> Pool:
    """Return a pool with private copies of the rows that were ever taken; only `packed` reads it.

    A fifth of the time that packing takes, which can be left to another thread.
    """
    nodes, entries, stats, cells = pool.used[:4].tolist()
    kept = {"node": nodes, "mass": nodes, "slot": nodes, "entry": entries, "prior": entries}
    kept |= dict.fromkeys(("stat", "norm", "cells", "born"), stats) | {"cell": cells}
    kept |= {"tally": cells, "used": len(pool.used), "spare": 0}
    return Pool(**{name: getattr(pool, name)[:rows].copy() for name, rows in kept.items()})


def unpacked(arrays: dict[str, NDArray[np.generic]]) -> Pool:
    """Return a pool that holds private copies of these arrays, and is full."""
    own = {name: np.array(arrays[name]) for name in KEPT}
    sizes = [len(own[name]) for name in ("node", "entry", "stat", "cell")]
    used = np.array([*sizes, 0, 0, 0, 0], np.int64)
    spare = np.zeros((4, max(*sizes, 1)), np.int32)
    return Pool(used=used, spare=spare, **own)


def _trim(array: NDArray[np.generic], width: int) -> NDArray[np.generic]:
    return np.ascontiguousarray(array[..., : max(width, 0)])


@njit
def _pack(pool: Pool, exact: Pool, roots: Whole, places: Whole) -> None:
    n, entries, stats, cells = 0, 0, 0, 0
    queue = np.empty(exact.node.shape[0], np.int64)
    after = np.full(exact.node.shape[0], -1, np.int64)
    parent = np.full(exact.node.shape[0], -1, np.int64)
    for tree in range(roots.shape[0]):
        if roots[tree] >= 0:
            places[tree] = n
            queue[n] = roots[tree]
            n += 1
    for new in range(exact.node.shape[0]):
        old = queue[new]
        _copy(pool.node[old], exact.node[new])
        _copy(pool.mass[old], exact.mass[new])
        _copy(pool.slot[old], exact.slot[new])
        exact.node[new, NEXT] = after[new]
        exact.node[new, PARENT] = parent[new]
        kind = pool.node[old, KIND]
        if kind == WORDS:
            exact.node[new, LEFT] = n
            child = pool.node[old, LEFT]
            while child >= 0:
                queue[n] = child
                parent[n] = new
                child = pool.node[child, NEXT]
                after[n] = n + 1 if child >= 0 else -1
                n += 1
        elif kind >= NUMBER:
            queue[n] = pool.node[old, LEFT]
            queue[n + 1] = pool.node[old, RIGHT]
            parent[n] = parent[n + 1] = new
            exact.node[new, LEFT] = n
            exact.node[new, RIGHT] = n + 1
            n += 2
        else:
            entry = pool.node[old, HEAD]
            if entry >= 0:
                exact.node[new, HEAD] = entries
            while entry >= 0:
                _copy(pool.entry[entry], exact.entry[entries])
                exact.prior[entries] = pool.prior[entry]
                stat = pool.entry[entry, STAT]
                if stat >= 0:
                    exact.entry[entries, STAT] = stats
                    cells = _pack_stat(pool, exact, stat, stats, cells)
                    stats += 1
                entry = pool.entry[entry, AFTER]
                exact.entry[entries, AFTER] = entries + 1 if entry >= 0 else -1
                entries += 1


@part
def _copy(old: NDArray[Any], new: NDArray[Any]) -> None:
    """Copy a row; a slice's assignment would compile what words errors about shapes."""
    for j in range(len(old)):
        new[j] = old[j]


@part
def _pack_stat(pool: Pool, exact: Pool, old: int, new: int, cells: int) -> int:
    for moment in range(pool.stat.shape[1]):
        _copy(pool.stat[old, moment], exact.stat[new, moment])
    exact.norm[new] = pool.norm[old]
    _copy(pool.born[old], exact.born[new])
    for j in range(pool.cells.shape[1]):
        cell = pool.cells[old, j]
        exact.cells[new, j] = cells if cell >= 0 else -1
        while cell >= 0:
            _copy(pool.cell[cell], exact.cell[cells])
            exact.tally[cells] = pool.tally[cell]
            cell = pool.cell[cell, FOLLOWING]
            exact.cell[cells, FOLLOWING] = cells + 1 if cell >= 0 else -1
            cells += 1
    return cells
