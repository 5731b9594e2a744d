"""Values as columns of their own, 1 where a row has the value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river import preprocessing

from learners.base import LEARN, PREDICT, Floats, State
from learners.compiled.flow import Flow
from learners.compiled.jit import njit
from learners.compiled.twins import twin
from learners.errors import LearnerFailedError
from learners.table import MISSING, Codes


class _Field(NamedTuple):
    """A field as codes: by row as asked and as taught, MISSING for none, and what they mean."""

    name: Any
    asked: Codes
    taught: Codes
    values: list[Any]
    names: list[str]


class OneHotEncoder:
    """A column for each value of each field, in the order they were first learned.

    Twin of `river.preprocessing.OneHotEncoder`. O(values) a row and in memory. Numbers are
    values too, and named without a point where they are whole.

    Parameters
    ----------
    categories
        By field the values that count; None takes them as they come.
    drop_zeros
        Whether a row has only the columns that are 1 in it.
    drop_first
        Whether a row is without the first of its columns by the alphabet.
    """

    def __init__(
        self,
        categories: dict[Any, set[Any]] | None = None,
        drop_zeros: bool = False,
        drop_first: bool = False,
    ) -> None:
        self.categories, self.drop_zeros, self.drop_first = categories, drop_zeros, drop_first
        self.spreads = categories is None
        self._places: dict[str, int] = {}
        if categories is not None:
            for field, values in categories.items():
                self._join(sorted(named(field, value) for value in values))

    @property
    def fields(self) -> Sized:
        """See `learners.compiled.pieces.Wide`."""
        return self._places

    def run(self, flow: Flow) -> Flow:
        """See `learners.compiled.chain.Stage`."""
        fields = [self._field(field) for field in _fields(flow)]
        if self.categories is not None:
            self._check(fields, flow)
        since = self._learn(fields, flow.op)
        places = self._places
        strange = {name for field in fields for name in field.names if name and name not in places}
        if strange:
            # By the alphabet, which no cut changes; nothing is kept of them.
            places = places | {name: len(places) + i for i, name in enumerate(sorted(strange))}
        asked, taught = self._empty(len(flow.op), len(places), since)
        if not since and flow.taught is flow.asked:
            taught = asked
        for field in fields:
            columns = np.array([places.get(name, MISSING) for name in field.names] + [MISSING])
            _mark(field.asked, columns, asked)
            if taught is not asked:
                _mark(field.taught, columns, taught)
        names = list(places)
        if self.drop_first:
            both = taught is asked
            _drop_first(names, asked, (flow.op & (PREDICT | LEARN if both else PREDICT)) != 0)
            if not both:
                _drop_first(names, taught, (flow.op & LEARN) != 0)
        encoded = flow.numbers(names, asked, taught)
        encoded.categories, encoded.words = [], []
        encoded.codes = flow.codes[:, :0]
        return encoded

    def fresh(self) -> OneHotEncoder:
        """See `learners.compiled.chain.Stage`."""
        return OneHotEncoder(self.categories, self.drop_zeros, self.drop_first)

    def state(self) -> State:
        """See `learners.compiled.chain.Stage`."""
        return State(meta={"names": list(self._places)})

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Stage`."""
        self._places = {name: place for place, name in enumerate(state.meta["names"])}

    def _join(self, names: list[str]) -> None:
        for name in names:
            self._places.setdefault(name, len(self._places))

    def _field(self, field: _Field) -> _Field:
        """Return the field with the names of the values that count, "" for the others."""
        counted = None if self.categories is None else self.categories.get(field.name, ())
        names = [
            named(field.name, value) if counted is None or value in counted else ""
            for value in field.values
        ]
        return field._replace(names=names)

    def _check(self, fields: list[_Field], flow: Flow) -> None:
        """Raise what river comes to at a field that the categories leave out."""
        assert self.categories is not None
        for field in fields:
            if field.name in self.categories:
                continue
            there = (field.asked != MISSING) & ((flow.op & PREDICT) != 0)
            there |= (field.taught != MISSING) & ((flow.op & LEARN) != 0)
            if there.any():
                raise LearnerFailedError(
                    f"OneHotEncoder wants fields that its categories name, got {field.name!r}: "
                    "name it too, or select before",
                    int(there.argmax()),
                )

    def _learn(self, fields: list[_Field], op: NDArray[np.uint8]) -> dict[int, int]:
        """Let the new values of learned rows join; return by new column the row that brought it."""
        if self.categories is not None or self.drop_zeros:
            return {}
        firsts: dict[str, int] = {}
        for field in fields:
            for code, name in enumerate(field.names):
                if name not in self._places:
                    rows = np.flatnonzero((field.taught == code) & ((op & LEARN) != 0))
                    if len(rows):
                        firsts[name] = min(int(rows[0]), firsts.get(name, len(op)))
        new = sorted(firsts, key=lambda name: (firsts[name], name))
        self._join(new)
        return {self._places[name]: firsts[name] for name in new}

    def _empty(self, rows: int, columns: int, since: dict[int, int]) -> tuple[Floats, Floats]:
        """Return `asked` and `taught` of rows without a value: 0 for what is known there."""
        known = 0 if self.drop_zeros else len(self._places)
        asked = np.zeros((rows, columns))
        asked[:, known:] = math.nan
        taught = asked.copy()
        for place, row in since.items():
            asked[: row + 1, place] = math.nan
            taught[:row, place] = math.nan
        return asked, taught


@twin(preprocessing.OneHotEncoder)
def _one_hot(estimator: preprocessing.OneHotEncoder) -> OneHotEncoder:
    return OneHotEncoder(estimator.categories, estimator.drop_zeros, estimator.drop_first)


def named(field: Any, value: Any) -> str:
    """Return the name of the column of a value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{field}_{value}"


def _fields(flow: Flow) -> Iterator[_Field]:
    for j, name in enumerate(flow.names):
        asked, taught = flow.asked[:, j], flow.taught[:, j]
        values = np.unique(np.concatenate((asked, taught)))
        values = values[~np.isnan(values)]
        yield _Field(name, _coded(asked, values), _coded(taught, values), values.tolist(), [])
    for j, name in enumerate(flow.categories):
        codes = np.ascontiguousarray(flow.codes[:, j])
        yield _Field(name, codes, codes, flow.words[j], [])


def _coded(column: Floats, values: Floats) -> Codes:
    codes = np.where(np.isnan(column), MISSING, np.searchsorted(values, column))
    return codes.astype(np.int32)


@njit
def _mark(codes: Codes, columns: NDArray[np.int64], matrix: Floats) -> None:
    """Put 1 where a row has a value; of MISSING, at the end, and of others no column is kept."""
    for i in range(len(codes)):
        column = columns[codes[i]]
        if column >= 0:
            matrix[i, column] = 1.0


def _drop_first(names: list[str], matrix: Floats, run: NDArray[np.bool_]) -> None:
    order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    there = ~np.isnan(matrix[:, order])
    none = run & ~there.any(axis=1)
    if none.any():
        raise LearnerFailedError(
            "OneHotEncoder wants a column to drop, got a row without any: leave drop_first out",
            int(none.argmax()),
        )
    rows = np.flatnonzero(run)
    matrix[rows, order[there[rows].argmax(axis=1)]] = math.nan
