"""Cells of a text file as JSON values, typed by column."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Value = str | int | float | bool | None

# At most 18 digits before the point: longer ones are identifiers, which a float would round.
_WHOLE = r"-?(?:0|[1-9][0-9]{0,17})"
_EXPONENT = r"(?:[eE](?:-[0-9]{1,3}|\+?(?:[01]?[0-9]{1,2}|2[0-8][0-9])))?"
_FRACTION = rf"[+-]?(?:(?:0|[1-9][0-9]{{0,17}})(?:\.[0-9]*)?|\.[0-9]+){_EXPONENT}"
_BOOLS = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_is_whole = re.compile(_WHOLE).fullmatch
_is_fraction = re.compile(_FRACTION).fullmatch
# One call tells for a whole column of cells, each ended by a line feed, what its cells may be.
_all_whole = re.compile(rf"(?:{_WHOLE}\n)++").fullmatch
_all_fractions = re.compile(rf"(?:{_FRACTION}\n)++").fullmatch

Converter = Callable[[Sequence[str]], list[Value]]


def converter(sample: Sequence[str]) -> Converter:
    """Return what turns the cells of a column into values, by the kind of its first cells.

    A column is of integers, numbers or bools if all its cells are that are not blank, else of
    strings; "007" and words such as "nan" are strings. A blank cell is None in every column. A
    cell that does not fit a column of numbers or bools is taken for what it is by itself, so that
    a word among numbers stays a string.

    Examples
    --------
    >>> converter(["1", "2"])(["3", "0.5", "", "many"])
    [3, 0.5, None, 'many']
    >>> converter(["007", "112"])(["008"])
    ['008']
    """
    filled = [cell for cell in sample if cell and not cell.isspace()]
    if all(map(_is_whole, filled)):
        return _wholes
    if all(map(_is_fraction, filled)):
        return _fractions
    if all(cell in _BOOLS for cell in filled):
        return _bools
    return _strings


def _wholes(cells: Sequence[str]) -> list[Value]:
    if _all_whole("\n".join(cells) + "\n"):
        return list(map(int, cells))
    return [_number(cell, int) for cell in cells]


def _fractions(cells: Sequence[str]) -> list[Value]:
    if _all_fractions("\n".join(cells) + "\n"):
        return list(map(float, cells))
    return [_number(cell, float) for cell in cells]


def _bools(cells: Sequence[str]) -> list[Value]:
    return [_BOOLS[cell] if cell in _BOOLS else _string(cell) for cell in cells]


def _strings(cells: Sequence[str]) -> list[Value]:
    return list(map(_string, cells))


def _number(cell: str, kind: type[int] | type[float]) -> Value:
    if _is_whole(cell):
        return kind(cell)
    return float(cell) if _is_fraction(cell) else _string(cell)


def _string(cell: str) -> Value:
    return cell if cell and not cell.isspace() else None


def is_number(cell: str) -> bool:
    """Return whether a cell by itself is a number."""
    return _is_fraction(cell) is not None
