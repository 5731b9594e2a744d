"""Rows as columns: numbers beside categories, and what is missing marked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from learners.errors import LearnerError

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Features = Mapping[Any, Any]

MISSING = -1


class Table(Sequence[Features]):
    """Rows of a stream as columns; one row, asked for, is a dict without what it lacks.

    Parameters
    ----------
    names
        Names of the numbers; true is 1 and false 0.
    dense
        float64[n, len(names)] in C order, NaN for a missing value.
    categories
        Names of the fields of strings.
    codes
        int32[n, len(categories)], MISSING for a missing value.
    words
        By category the strings that its codes stand for.

    Examples
    --------
    >>> table = Table.of([{"x": 1, "sky": "red"}, {"x": 2.5}])
    >>> table.dense.tolist(), table.words, table.codes.tolist()
    ([[1.0], [2.5]], [['red']], [[0], [-1]])
    """

    def __init__(
        self,
        names: list[Any],
        dense: Floats,
        categories: list[Any],
        codes: Codes,
        words: list[list[str]],
    ) -> None:
        self.names = names
        self.dense = dense
        self.categories = categories
        self.codes = codes
        self.words = words

    @classmethod
    def of(cls, rows: Sequence[Any]) -> Self:
        """Return dicts of features as columns, by the alphabet: a cut must not change their order.

        Raises
        ------
        LearnerError
            A value is neither a number nor a string, or a field holds both.
        """
        kinds: dict[Any, bool] = {}
        for row in rows:
            if len(row) != len(kinds) or not kinds.keys() >= row.keys():
                for name, value in row.items():
                    if value is not None:
                        kinds.setdefault(name, isinstance(value, str))
        fields = sorted(kinds, key=str)
        names = [name for name in fields if not kinds[name]]
        categories = [name for name in fields if kinds[name]]
        codes, words = coded([[row.get(name) for row in rows] for name in categories], len(rows))
        return cls(names, _numbers(rows, names), categories, codes, words)

    def __len__(self) -> int:
        return len(self.dense)

    @overload
    def __getitem__(self, part: int) -> Features: ...

    @overload
    def __getitem__(self, part: slice | list[int]) -> Table: ...

    def __getitem__(self, part: int | slice | list[int]) -> Features | Table:
        """Return a row, or some as a table; of a slice the arrays are views."""
        if isinstance(part, int):
            return next(iter(self[[part]]))
        return Table(self.names, self.dense[part], self.categories, self.codes[part], self.words)

    def __iter__(self) -> Iterator[Features]:
        for numbers, codes in zip(self.dense.tolist(), self.codes.tolist(), strict=True):
            row = {n: x for n, x in zip(self.names, numbers, strict=True) if not math.isnan(x)}
            for name, code, words in zip(self.categories, codes, self.words, strict=True):
                if code != MISSING:
                    row[name] = words[code]
            yield row

    def joined(self, other: Table) -> Table:
        """Return these rows and, behind them, those of another table, which may have more."""
        names = sorted({*self.names, *other.names}, key=str)
        categories = sorted({*self.categories, *other.categories}, key=str)
        dense = np.full((len(self) + len(other), len(names)), math.nan)
        codes = np.full((len(dense), len(categories)), MISSING, np.int32)
        words: list[list[str]] = [[] for _ in categories]
        for table, part in ((self, slice(len(self))), (other, slice(len(self), None))):
            dense[part, [names.index(name) for name in table.names]] = table.dense
            for column, name in enumerate(table.categories):
                place = categories.index(name)
                codes[part, place] = moved(
                    table.codes[:, column], table.words[column], words[place]
                )
        return Table(names, dense, categories, codes, words)


def moved(column: Codes, words: list[str], known: list[str]) -> Codes:
    """Return codes as those of the known words, which the others join."""
    known += [word for word in words if word not in known]
    return np.array([*map(known.index, words), MISSING], np.int32)[column]


def _numbers(rows: Sequence[Any], names: list[Any]) -> Floats:
    cells = [[row.get(name) for name in names] for row in rows]
    try:
        return np.array(cells, dtype=np.float64).reshape(len(cells), len(names))
    except (TypeError, ValueError) as error:
        raise LearnerError(
            f"wanted numbers in the fields {', '.join(map(str, names))}, got {error}: "
            "give each field values of one kind"
        ) from error


def coded(columns: Sequence[list[Any]], count: int) -> tuple[Codes, list[list[str]]]:
    """Return columns of `count` strings as codes, None as MISSING, and the words of each.

    Raises
    ------
    LearnerError
        A cell is neither a string nor None.
    """
    codes, words = np.full((count, len(columns)), MISSING, np.int32), []
    for place, cells in enumerate(columns):
        known: dict[Any, int] = {None: MISSING}
        codes[:, place] = [known.setdefault(cell, len(known) - 1) for cell in cells]
        words.append(list(known)[1:])
        odd = [word for word in words[-1] if not isinstance(word, str)]
        if odd:
            raise LearnerError(
                f"wanted fields of strings or of numbers, got one with {odd[0]!r} beside strings: "
                "give each field values of one kind"
            )
    return codes, words
