"""The schema: which fields the features have, of which kind, as the stream showed them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

KIND_OF = {int: "number", float: "number", bool: "bool", str: "category"}
WORD_FOR = {
    int: "a number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
WORD_FOR_KIND = {
    "number": "a number",
    "bool": "true or false",
    "category": "a string",
    "text": "a string",
}
INT64 = 2**63
MANY_FIELDS = 10_000
MANY_NAMES = 1_000_000
MANY_LEVELS = 100


class RefusedRecordError(Exception):
    """A record that is set aside; the text is the reason. Never leaves the decoder."""


class Layout(NamedTuple):
    """What to do with every row of the same names and types, worked out once.

    Attributes
    ----------
    keep
        The names to keep; None if the row is fine as it is.
    ints
        The names of integers, whose size is checked in every row.
    """

    keep: tuple[str, ...] | None
    ints: tuple[str, ...]


class Schema:
    """The kinds of the fields: declared ones, and others by the first value that was accepted.

    Parameters
    ----------
    declared
        Kind by field name: number, bool, category or text.
    take
        The only fields to take; None takes all.
    leave_out
        Fields to leave out.
    """

    def __init__(
        self, declared: Mapping[str, str], take: list[str] | None, leave_out: list[str]
    ) -> None:
        self.kinds = dict(declared)
        self._take = None if take is None else frozenset(take)
        self._leave_out = frozenset(leave_out)
        self._layouts: dict[Any, Layout] = {}
        self._names = 0

    def features(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the features of a decoded object: flat, chosen, missing values left out.

        Nested objects become dotted names. A field met for the first time joins the schema.

        Raises
        ------
        RefusedRecordError
            A value is not of its field's kind; the schema has not changed.
        """
        signature = (tuple(row), tuple(map(type, row.values())))
        layout = self._layouts.get(signature)
        if layout is None:
            layout = self._lay_out(row)
            if layout is None:
                flat = {n: v for n, v in _flatten(row, "") if self._wanted(n) and v is not None}
                _check_sizes(flat, tuple(n for n, v in flat.items() if type(v) is int))
                self._admit(flat)
                return flat
            self._remember(signature, layout)
        if layout.ints:
            _check_sizes(row, layout.ints)
        return row if layout.keep is None else {name: row[name] for name in layout.keep}

    def holds(self, row: dict[str, Any]) -> bool:
        """Return whether anything of a decoded object is a feature."""
        return any(self._wanted(name) and value is not None for name, value in _flatten(row, ""))

    def _remember(self, signature: Any, layout: Layout) -> None:
        # Names are counted, not layouts: some thousand wide rows could take gigabytes.
        self._names += len(signature[0])
        if self._names > MANY_NAMES:
            self._layouts.clear()
            self._names = len(signature[0])
        self._layouts[signature] = layout

    def _lay_out(self, row: dict[str, Any]) -> Layout | None:
        """Return the layout of a flat row, None for a nested one, whose names vary by value."""
        if any(type(value) is dict for value in row.values()):
            return None
        wanted = {n: v for n, v in row.items() if v is not None and self._wanted(n)}
        _check_sizes(wanted, ints := tuple(n for n, v in wanted.items() if type(v) is int))
        self._admit(wanted)
        return Layout(None if len(wanted) == len(row) else tuple(wanted), ints)

    def _wanted(self, name: str) -> bool:
        return (self._take is None or name in self._take) and name not in self._leave_out

    def _admit(self, row: dict[str, Any]) -> None:
        new = {}
        for name, value in row.items():
            kind = self.kinds.get(name)
            got = KIND_OF.get(type(value))
            if got is None:
                raise RefusedRecordError(
                    f"wanted a number, a string, true or false in the field {name!r}, "
                    f"got {WORD_FOR[type(value)]}"
                )
            if kind is None:
                new[name] = got
            elif got != kind and not (kind == "text" and got == "category"):
                raise RefusedRecordError(
                    f"wanted {WORD_FOR_KIND[kind]} in the field {name!r}, "
                    f"got {WORD_FOR[type(value)]}"
                )
        if new and len(self.kinds) + len(new) > MANY_FIELDS:
            raise RefusedRecordError(
                f"wanted at most {MANY_FIELDS} fields, got {next(iter(new))!r}"
            )
        self.kinds.update(new)


@functools.cache
def steps(path: str) -> tuple[str, ...]:
    """Return the names of a dotted path."""
    return tuple(path.split("."))


def take_out(row: dict[str, Any], path: str) -> Any:
    """Remove and return the value at a dotted path of a decoded object, None if absent."""
    if path in row:
        return row.pop(path)
    *outer, last = steps(path)
    for name in outer:
        row = row.get(name)  # type: ignore[assignment]  # checked in the next line
        if type(row) is not dict:
            return None
    return row.pop(last, None)


def _flatten(row: dict[str, Any], prefix: str, level: int = 1) -> Iterator[tuple[str, Any]]:
    # A bound of its own: how deep Python can go depends on who calls.
    if level > MANY_LEVELS:
        raise RefusedRecordError(f"wanted at most {MANY_LEVELS} objects inside each other")
    for name, value in row.items():
        if type(value) is dict:
            yield from _flatten(value, f"{prefix}{name}.", level + 1)
        else:
            yield prefix + name, value


def _check_sizes(row: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if not -INT64 <= row[name] < INT64:
            raise RefusedRecordError(f"wanted an integer of 64 bits in the field {name!r}")
