"""Predictions of a whole block that do not depend on how the block was cut.

BLAS gives other last bits for another number of rows, and may for another place of a row among
them. So a frozen estimator is always asked for exactly `TILE` rows, and the place of a row among
them is decided by its own content alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

TILE = 64

_MIX = np.uint64(0x9E3779B97F4A7C15)
_TOP = np.uint64(64 - 6)


class Tile(NamedTuple):
    """Rows to ask for at once.

    Attributes
    ----------
    rows
        int64[TILE], the row at each place; places that are left over repeat the first row, which
        an estimator can answer if it can answer any.
    places
        Where the rows of this tile are.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]


class Kinds(NamedTuple):
    """The rows that differ: those that repeat would share a place, and so need a tile each.

    Attributes
    ----------
    first
        int64[m], the first row of each kind.
    kind
        int64[n], the kind of each row.
    keys
        uint64[m], a hash of the content of each kind.
    """

    first: NDArray[np.int64]
    kind: NDArray[np.int64]
    keys: NDArray[np.uint64]


def tiles(keys: NDArray[np.uint64]) -> Iterator[Tile]:
    """Lay out rows by their keys, each at one place of one tile.

    Examples
    --------
    >>> kinds = matrix_kinds(np.array([[1.0], [2.0], [1.0]]))
    >>> kinds.kind.tolist(), sum(len(tile.places) for tile in tiles(kinds.keys))
    ([1, 0, 1], 2)
    """
    slots = (keys >> _TOP).astype(np.int64)
    order = np.argsort(slots, kind="stable")
    ordered = slots[order]
    layer = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    for depth in range(int(layer.max(initial=-1)) + 1):
        chosen = layer == depth
        rows = np.full(TILE, order[chosen][0])
        rows[ordered[chosen]] = order[chosen]
        yield Tile(rows, ordered[chosen])


def matrix_kinds(matrix: NDArray[np.float64]) -> Kinds:
    """Return the kinds of rows of float64[n, d]; rows are the same if all their bits are."""
    bits = np.ascontiguousarray(matrix).view(np.uint64)
    odd = np.arange(1, 2 * bits.shape[1], 2, dtype=np.uint64) * _MIX
    keys = (bits * odd).sum(axis=1, dtype=np.uint64)
    keys = (keys ^ (keys >> np.uint64(29))) * _MIX
    _, first, kind = np.unique(keys, return_index=True, return_inverse=True)
    if not np.array_equal(bits[first][kind], bits):
        first = kind = np.arange(len(matrix))
    return Kinds(first, kind, keys[first])


def cell_kinds(cells: Sequence[Sequence[Any]]) -> Kinds:
    """Return the kinds of rows of values of any type; rows are the same if their repr is."""
    places: dict[str, int] = {}
    first: list[int] = []
    kind: list[int] = []
    for i, row in enumerate(cells):
        text = repr(row)
        place = places.setdefault(text, len(places))
        if place == len(first):
            first.append(i)
        kind.append(place)
    keys = np.array([zlib.crc32(text.encode()) for text in places], np.uint64) * _MIX
    return Kinds(np.array(first, np.int64), np.array(kind, np.int64), keys)
