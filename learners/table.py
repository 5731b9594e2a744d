"""Rows as columns: numbers beside categories, and what is missing marked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from learners.errors import LearnerError

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Features = dict[Any, Any]

MISSING = -1


class Table:
    """Rows of a stream as columns.

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
        """Return dicts of features as columns, fields in the order in which they came.

        Raises
        ------
        LearnerError
            A value is neither a number nor a string, or a field holds both.
        """
        kinds: dict[Any, bool] = {}
        for row in rows:
            if len(row) != len(kinds) or not kinds.keys() >= row.keys():
                for name, value in row.items():
                    kinds.setdefault(name, isinstance(value, str))
        names = [name for name, is_text in kinds.items() if not is_text]
        categories = [name for name, is_text in kinds.items() if is_text]
        coded = [_code([row.get(name) for row in rows], name) for name in categories]
        codes = np.full((len(rows), len(categories)), MISSING, np.int32)
        for place, (column, _) in enumerate(coded):
            codes[:, place] = column
        return cls(names, _numbers(rows, names), categories, codes, [words for _, words in coded])

    def __len__(self) -> int:
        return len(self.dense)

    def __getitem__(self, part: slice) -> Table:
        """Return the rows of a slice; its arrays are views."""
        return Table(self.names, self.dense[part], self.categories, self.codes[part], self.words)

    def rows(self) -> Iterator[Features]:
        """Yield each row as a dict, without what it lacks."""
        for numbers, codes in zip(self.dense.tolist(), self.codes.tolist(), strict=True):
            row = {n: x for n, x in zip(self.names, numbers, strict=True) if not math.isnan(x)}
            for name, code, words in zip(self.categories, codes, self.words, strict=True):
                if code != MISSING:
                    row[name] = words[code]
            yield row


def _numbers(rows: Sequence[Any], names: list[Any]) -> Floats:
    cells = [[row.get(name) for name in names] for row in rows]
    try:
        return np.array(cells, dtype=np.float64).reshape(len(cells), len(names))
    except (TypeError, ValueError) as error:
        raise LearnerError(
            f"wanted numbers in the fields {', '.join(map(str, names))}, got {error}: "
            "give each field values of one kind"
        ) from error


def _code(cells: list[Any], name: Any) -> tuple[list[int], list[str]]:
    """Return the code of each cell, and the words in the order in which they came."""
    codes: dict[Any, int] = {None: MISSING}
    column = [codes.setdefault(cell, len(codes) - 1) for cell in cells]
    words = list(codes)[1:]
    for word in words:
        if not isinstance(word, str):
            raise LearnerError(
                f"wanted strings in the field {name!r}, got {word!r} too: "
                "give each field values of one kind"
            )
    return column, words
