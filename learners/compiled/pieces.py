"""Pieces: how much of a block is worked on at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sized
from typing import Protocol, runtime_checkable

import numpy as np

from learners.compiled.flow import HEAD
from learners.table import MISSING, Floats, Table

PIECE = 8_192
"""A block of more rows goes through in pieces of so many, which stay in the processor's cache."""

CELLS = 1 << 22
"""A matrix of a piece has at most so many cells, or one row."""

NEW_CELLS = 1 << 17
"""And so many of them at most are of columns that the values of its own rows are made to."""


@runtime_checkable
class Wide(Protocol):
    """A part that makes a number of each of its fields of each row, whatever the row has."""

    @property
    def fields(self) -> Sized:
        """The fields."""
        ...


def rows_at_once(fields: int, parts: Iterable[Wide]) -> int:
    """Return how many rows go through parts at once, of a block of so many fields."""
    widest = max((len(part.fields) for part in parts), default=0)
    return max(1, min(PIECE, CELLS // max(1, fields + widest)))


def rows_of_new_columns(table: Table) -> int:
    """Return the same where each value that rows have is a column.

    Numbers count where they are whole, as those of a category are.
    """
    few = _few(len(table.names) + len(table.categories))
    if len(table) <= few:
        return few
    whole = [column for column in table.dense.T if _whole(column)]
    values = sum(map(len, table.words)) + sum(len(np.unique(column)) for column in whole)
    return max(_few(len(whole) + len(table.categories)), NEW_CELLS // max(1, values))


def terse(table: Table) -> Table:
    """Return a table without the words that no row of it has, if there are more than rows."""
    if not table.words or max(map(len, table.words)) <= len(table):
        return table
    codes, words = np.empty_like(table.codes), []
    for place, known in enumerate(table.words):
        used, codes[:, place] = np.unique(table.codes[:, place], return_inverse=True)
        if len(used) and used[0] == MISSING:
            codes[:, place] -= 1
            used = used[1:]
        words.append([known[code] for code in used.tolist()])
    return Table(table.names, table.dense, table.categories, codes, words)


def _few(fields: int) -> int:
    """Return how many rows do not have too many values, whatever they are."""
    return max(1, math.isqrt(NEW_CELLS // max(1, fields)))


def _whole(column: Floats) -> bool:
    # Most that are not show it at once.
    parts = column[:HEAD], column
    return all((np.isnan(part) | (part == np.floor(part))).all() for part in parts)
