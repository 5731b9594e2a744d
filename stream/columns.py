"""Columns: records of the fields that the stream has shown, straight from bytes to arrays."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from learners.base import Classes, Floats, Task
from learners.table import Table, coded
from stream.fields import name_of, time_in
from stream.labels import LARGEST
from stream.log import Run
from stream.schema import INT64, RefusedRecordError
from stream.sections import RecordConfig

MANY_FIELDS = 256
"""More than these are read one record at a time: a type of thousands takes long to make."""

_TYPES: dict[str, Any] = {
    "number": float | None,
    "bool": bool | None,
    "category": str | None,
    "text": str | None,
}
# What is left out by its name; an object's fields have names of their own.
_FLAT: Any = str | int | float | bool | list[msgspec.Raw] | None
_NUMBERS = ("number", "bool")
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, TypeError)
ODD = -1.0
# Names that msgspec gives no field.
_UNNAMED = re.compile(r'["\\\x00-\x1f]').search


class Columns(NamedTuple):
    """The records of a run that were read at once.

    Attributes
    ----------
    places
        Where each lies in the run, rising.
    odd
        Where the others lie: to be read one by one, since something about them is not usual.
    keys, times, weight, y, table
        Of the records read; `y` is NaN without a label.
    """

    places: list[int]
    odd: list[int]
    keys: list[str | None]
    times: NDArray[np.int64]
    weight: Floats
    y: Floats
    table: Table


class ColumnReader:
    """Reads records that have the fields known so far, and leaves all others for a closer look.

    What it reads is what `Decoder` would make of each record alone.

    Parameters
    ----------
    record
        Where in a record its parts are; see `suits`.
    task
        What the label is.
    """

    def __init__(self, record: RecordConfig, task: Task) -> None:
        self._record = record
        self._task = task
        self._kinds: dict[str, str] = {}
        self._attributes: dict[str, str] = {}
        self._decode: Callable[[Any], Any] | None = None

    @staticmethod
    def suits(record: RecordConfig) -> bool:
        """Return whether the parts of a record lie at its top, where they can be typed."""
        parts = (record.id, record.key, record.label, record.time, record.weight)
        paths = (*parts, *record.leave_out, *(record.take or ()))
        return not any("." in (path or "") for path in paths)

    def read(self, run: Run, kinds: Mapping[str, str], classes: Classes) -> Columns | None:
        """Return what can be read at once of a run; None if no record can."""
        if not 0 < len(kinds) <= MANY_FIELDS:
            return None
        if kinds != self._kinds:
            # By the alphabet, as `Table.of` has them: what is compiled looks no further then.
            self._kinds = dict(sorted(kinds.items()))
            record = self._type()
            self._decode = None if record is None else msgspec.json.Decoder(record).decode
        if self._decode is None:
            return None
        rows, places, odd = self._rows(run.values)
        keys, bad = self._keys(run, rows, places)
        times, untimely = self._times(run, rows, places)
        weight = np.ones(len(rows))
        if self._record.weight is not None:
            weight[:] = self._of(rows, self._record.weight)
        y = self._targets(rows, classes.codes)
        bad[untimely] = True
        parts = keys, times, weight, y, self._table(rows)
        return sorted_out(places, odd, *parts, bad, self._task)

    def _type(self) -> Any:
        """Return the type of a record of these fields: missing ones are None, no others allowed.

        None where a field has a name that no type of msgspec's may have.
        """
        record = self._record
        label = float | None if self._task is Task.REGRESSION else Any
        parts = {record.key: str | int, record.time: int | str, record.weight: float}
        fields: list[tuple[str, Any]] = [(n, t) for n, t in parts.items() if n is not None]
        optional = {name: _TYPES[kind] for name, kind in self._kinds.items()}
        # Of a field to take that no record has had yet, the first value is for a closer look.
        optional |= {n: None for n in record.take or () if n not in optional and n not in parts}
        # Of an object that is left out what lies inside is not.
        optional |= dict.fromkeys(record.leave_out, str | float | int | bool | list[Any] | None)
        if record.id is not None:
            optional[record.id] = msgspec.Raw
        if record.label is not None:
            optional[record.label] = label
        names = [name for name, _ in fields] + list(optional)
        if any(map(_UNNAMED, names)):
            return None
        self._attributes = {name: f"f{i}" for i, name in enumerate(names)}
        return msgspec.defstruct(
            "Record",
            [(self._attributes[name], kind) for name, kind in fields]
            + [(self._attributes[name], kind, None) for name, kind in optional.items()],
            rename={attribute: name for name, attribute in self._attributes.items()},
            forbid_unknown_fields=record.take is None,
            gc=False,
        )

    def _rows(self, values: Sequence[bytes | None]) -> tuple[list[Any], list[int], list[int]]:
        decode, most = self._decode, self._record.max_bytes
        assert decode is not None
        rows: list[Any] = []
        odd: list[int] = []
        for place, value in enumerate(values):
            try:
                if len(value) > most:  # type: ignore[arg-type]  # no value is a TypeError
                    odd.append(place)
                else:
                    rows.append(decode(value))
            except _UNREADABLE:
                odd.append(place)
        gone = set(odd)
        return rows, [place for place in range(len(values)) if place not in gone], odd

    def _of(self, rows: list[Any], name: str) -> list[Any]:
        return list(map(attrgetter(self._attributes[name]), rows))

    def _keys(
        self, run: Run, rows: list[Any], places: list[int]
    ) -> tuple[list[str | None], NDArray[np.bool_]]:
        """Return the keys, and which of them are none."""
        bad = np.zeros(len(rows), np.bool_)
        if self._record.key is not None:
            keys = self._of(rows, self._record.key)
            keys = [key if type(key) is str else str(key) for key in keys]
            if not all(keys):
                bad[[i for i, key in enumerate(keys) if not key]] = True
            return keys, bad
        names, unnamed = _each(
            lambda key: None if key is None else name_of(key),
            [run.keys[place] for place in places],
        )
        bad[unnamed] = True
        return names, bad

    def _times(
        self, run: Run, rows: list[Any], places: list[int]
    ) -> tuple[NDArray[np.int64], list[int]]:
        path = self._record.time
        if path is None:
            times = run.times if len(places) == len(run) else [run.times[p] for p in places]
            return np.array(times, np.int64), []
        read, untimely = _each(lambda time: time_in(time, path), self._of(rows, path))
        return np.array([0 if time is None else time for time in read], np.int64), untimely

    def _targets(self, rows: list[Any], classes: Mapping[Any, int]) -> Floats:
        """Return the numbers or known codes of the labels, NaN without one, `ODD` of others."""
        if self._record.label is None:
            return np.full(len(rows), math.nan)
        labels = self._of(rows, self._record.label)
        if self._task is Task.REGRESSION:
            return np.array(labels, np.float64)
        known = {0: 0, 1: 1} if self._task is Task.ANOMALY else classes
        find = {None: math.nan, **known}.get
        try:
            return np.array([find(label, ODD) for label in labels], np.float64)
        except TypeError:  # an array or an object, which is no label
            plain = [label if label.__hash__ else math.inf for label in labels]
            return np.array([find(label, ODD) for label in plain], np.float64)

    def _table(self, rows: list[Any]) -> Table:
        names = [name for name, kind in self._kinds.items() if kind in _NUMBERS]
        dense = np.empty((len(rows), len(names)))
        for place, name in enumerate(names):
            dense[:, place] = self._of(rows, name)
        others = [name for name, kind in self._kinds.items() if kind not in _NUMBERS]
        codes, words = coded([self._of(rows, name) for name in others], len(rows))
        return Table(names, dense, others, codes, words)


def sorted_out(
    places: list[int],
    odd: list[int],
    keys: list[str | None],
    times: NDArray[np.int64],
    weight: Floats,
    y: Floats,
    table: Table,
    bad: NDArray[np.bool_],
    task: Task,
) -> Columns:
    """Return columns without the rows that are bad, or hold what is none of its part's values."""
    bad |= ~((weight >= 0.0) & (weight < LARGEST))
    bad |= y == ODD if task is not Task.REGRESSION else np.abs(y) >= LARGEST
    bad |= (np.abs(table.dense) >= INT64).any(axis=1)
    if not bad.any():
        return Columns(places, odd, keys, times, weight, y, table)
    fine = np.flatnonzero(~bad).tolist()
    odd = sorted(odd + [places[row] for row in np.flatnonzero(bad).tolist()])
    some = [places[row] for row in fine], odd, [keys[row] for row in fine]
    return Columns(*some, times[fine], weight[fine], y[fine], table[fine])


def _each(convert: Callable[[Any], Any], values: list[Any]) -> tuple[list[Any], list[int]]:
    """Convert all; return also where that was refused, with None in its place."""
    try:
        return [convert(value) for value in values], []
    except RefusedRecordError:
        pass
    converted, refused = [], []
    for i, value in enumerate(values):
        try:
            converted.append(convert(value))
        except RefusedRecordError:
            converted.append(None)
            refused.append(i)
    return converted, refused
