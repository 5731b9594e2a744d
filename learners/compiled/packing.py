"""Pools as they are kept: only what the trees hold, in an order that their shape alone decides."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learners.compiled.jit import lean
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
)
from learners.table import Codes

Room = dict[str, NDArray[Any]]

KEPT = tuple(name for name in Pool._fields if name not in ("used", "spare"))


class Orders(NamedTuple):
    """Rows of each kind in the order in which they are kept."""

    nodes: Whole
    entries: Whole
    stats: Whole
    cells: Whole


def packed(pool: Pool, roots: Whole) -> tuple[dict[str, NDArray[np.generic]], Whole]:
    """Return the arrays of a pool's trees as private copies, and the roots in them (-1: none).

    Neither room to spare nor the order in which rows were taken shows. O(what the trees hold).
    """
    live = pool.used[:4] - pool.used[4:]
    sizes, k = live.tolist(), pool.slot.shape[1]
    orders = Orders(*(np.empty(size, np.int64) for size in sizes))
    _follow(pool.node, pool.entry, pool.cells, pool.cell, roots, orders)
    exact = _gathered(pool, orders)
    places = _places(orders.nodes, pool.node)[roots]
    arrays = {name: getattr(exact, name) for name in KEPT}
    if k:
        leaves = exact.node[exact.node[:, KIND] < NUMBER]
        numbers, words = (max(leaves[:, column], default=0) for column in (NUMBERS, CATEGORIES))
        arrays["slot"] = _trim(exact.slot, max(leaves[:, NUMBERS] + leaves[:, CATEGORIES]))
        arrays["stat"] = _trim(exact.stat, numbers)
        arrays["cells"] = _trim(exact.cells, words)
    return arrays, places


def copied(pool: Pool, room: Room | None = None) -> Pool:
    """Return a pool with private copies of the rows that were ever taken; only `packed` reads it.

    A fifth of the time that packing takes, which can be left to another thread.

    Parameters
    ----------
    pool
        What to copy.
    room
        Where to, with what was copied before and is read no more: memory that the system has to
        find first takes five times as long to write to.
    """
    nodes, entries, stats, cells = pool.used[:4].tolist()
    kept = {"node": nodes, "mass": nodes, "slot": nodes, "entry": entries, "prior": entries}
    kept |= dict.fromkeys(("stat", "norm", "cells", "born"), stats) | {"cell": cells}
    kept |= {"tally": cells, "used": len(pool.used), "spare": 0}
    room = {} if room is None else room
    return Pool(**{n: _into(room, n, getattr(pool, n)[:rows]) for n, rows in kept.items()})


def furnish(room: Room, pool: Pool) -> None:
    """Make a room as large as its pool, and write to all of it once.

    A pool grows now and then, and none at the same time as another; a checkpoint copies them all.
    """
    for name, array in pool._asdict().items():
        held = room.get(name)
        if held is None or len(held) < len(array) or held.shape[1:] != array.shape[1:]:
            room[name] = np.full(array.shape, 0, array.dtype)


def _into(room: Room, name: str, rows: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of rows at the start of an array of the room's, a longer one if need be."""
    held = room.get(name)
    if held is None or len(held) < len(rows) or held.shape[1:] != rows.shape[1:]:
        held = room[name] = np.empty(rows.shape, rows.dtype)
    held[: len(rows)] = rows
    return held[: len(rows)]


def unpacked(arrays: dict[str, NDArray[np.generic]]) -> Pool:
    """Return a pool that holds private copies of these arrays, and is full."""
    own = {name: np.array(arrays[name]) for name in KEPT}
    sizes = [len(own[name]) for name in ("node", "entry", "stat", "cell")]
    used = np.array([*sizes, 0, 0, 0, 0], np.int64)
    spare = np.zeros((4, max(*sizes, 1)), np.int32)
    return Pool(used=used, spare=spare, **own)


def _trim(array: NDArray[np.generic], width: int) -> NDArray[np.generic]:
    return np.ascontiguousarray(array[..., : max(width, 0)])


def _gathered(pool: Pool, orders: Orders) -> Pool:
    """Return the rows in their orders, with what points at rows turned to their new places."""
    node, entry = pool.node[orders.nodes], pool.entry[orders.entries]
    cells, cell = pool.cells[orders.stats], pool.cell[orders.cells]
    nodes, branches = _places(orders.nodes, pool.node), node[:, KIND] >= NUMBER
    numbers = node[:, KIND] == NUMBER
    node[:, PARENT], node[:, NEXT] = nodes[node[:, PARENT]], nodes[node[:, NEXT]]
    node[branches, LEFT] = nodes[node[branches, LEFT]]
    node[numbers, RIGHT] = nodes[node[numbers, RIGHT]]
    entries = _places(orders.entries, pool.entry)
    node[:, HEAD], entry[:, AFTER] = entries[node[:, HEAD]], entries[entry[:, AFTER]]
    entry[:, STAT] = _places(orders.stats, pool.stat)[entry[:, STAT]]
    words = _places(orders.cells, pool.cell)
    cells[:], cell[:, FOLLOWING] = words[cells], words[cell[:, FOLLOWING]]
    return pool._replace(
        node=node,
        mass=pool.mass[orders.nodes],
        slot=pool.slot[orders.nodes],
        entry=entry,
        prior=pool.prior[orders.entries],
        stat=pool.stat[orders.stats],
        norm=pool.norm[orders.stats],
        cells=cells,
        cell=cell,
        tally=pool.tally[orders.cells],
        born=pool.born[orders.stats],
    )


def _places(order: Whole, rows: NDArray[Any]) -> Whole:
    """Return by row its place in the order; at the end, and so for -1, stands -1."""
    places = np.full(len(rows) + 1, -1, np.int64)
    places[order] = np.arange(len(order))
    return places


@lean
def _follow(node: Codes, entry: Codes, cells: Codes, cell: Codes, roots: Whole, o: Orders) -> None:
    """List rows by level of the trees; entries, statistics and words as the leaves hold them."""
    nodes, entries, stats, words = 0, 0, 0, 0
    for tree in range(len(roots)):
        if roots[tree] >= 0:
            o.nodes[nodes] = roots[tree]
            nodes += 1
    for i in range(len(o.nodes)):
        old = o.nodes[i]
        if node[old, KIND] >= NUMBER:
            child = node[old, LEFT]
            while child >= 0:
                o.nodes[nodes] = child
                nodes += 1
                if node[old, KIND] == WORDS:
                    child = node[child, NEXT]
                else:
                    child = node[old, RIGHT] if child == node[old, LEFT] else -1
        at = node[old, HEAD]
        while at >= 0:
            o.entries[entries] = at
            entries += 1
            stat = entry[at, STAT]
            if stat >= 0:
                o.stats[stats] = stat
                stats += 1
                for j in range(cells.shape[1]):
                    word = cells[stat, j]
                    while word >= 0:
                        o.cells[words] = word
                        words += 1
                        word = cell[word, FOLLOWING]
            at = entry[at, AFTER]
