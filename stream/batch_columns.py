"""Columns of a Parquet file as the columns of records: what reading each record would give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.types
from numpy.typing import NDArray

from learners.base import Classes, Floats, Task
from learners.table import MISSING, Codes, Table
from stream.columns import ODD, Columns, sorted_out
from stream.log import Run
from stream.parquet import Batch
from stream.sections import RecordConfig
from stream.units import LAST

Bools = NDArray[np.bool_]

_NAME_BYTES, _NUMBER_BYTES = 6, 32
"""What a byte of a name, and a number, come to at most in JSON."""


class Unfit(Exception):
    """A batch that is to be read record by record. Never leaves this module."""


class BatchReader:
    """Reads batches of plain columns at once: numbers, bools and strings.

    Where a value is not as the records before it say, its row is left for a closer look.

    Parameters
    ----------
    record
        Where in a record its parts are; see `ColumnReader.suits`.
    task
        What the label is.
    """

    def __init__(self, record: RecordConfig, task: Task) -> None:
        self._record, self._task = record, task

    def read(
        self, run: Run, batch: Batch, kinds: Mapping[str, str], classes: Classes
    ) -> Columns | None:
        """Return what can be read at once of a run; None if no record can."""
        try:
            return self._read(run, batch.table, kinds, classes)
        except (Unfit, pyarrow.ArrowException):
            return None

    def _read(self, run: Run, table: Any, kinds: Mapping[str, str], classes: Classes) -> Columns:
        names = table.schema.names
        columns = {name: table.column(name) for name in names}
        if len(columns) < len(names) or not all(map(_plain, columns.values())):
            raise Unfit
        bad = self._long(columns, len(run))
        keys = self._keys(columns, run, bad)
        times = self._times(columns, run, bad)
        weight = np.ones(len(run))
        if self._record.weight is not None:
            given = _part(columns, self._record.weight)
            if not _is_number(given.type):
                raise Unfit
            weight, missing = _numbers(given)
            bad |= missing
        y = self._targets(columns, classes, bad)
        features = self._features(columns, kinds, bad)
        places = range(len(run))
        return sorted_out(list(places), [], keys, times, weight, y, features, bad, self._task)

    def _long(self, columns: Mapping[str, Any], count: int) -> Bools:
        """Return which rows may be longer than is allowed."""
        size = np.full(count, 2, np.int64)
        for name, column in columns.items():
            size += _NAME_BYTES * len(name.encode()) + _NUMBER_BYTES
            if _is_text(column.type):
                text = column.cast(pyarrow.large_string())
                lengths = pyarrow.compute.binary_length(text).fill_null(0)
                size += _NAME_BYTES * lengths.to_numpy(zero_copy_only=False)
        return np.asarray(size > self._record.max_bytes)

    def _keys(self, columns: Mapping[str, Any], run: Run, bad: Bools) -> list[str | None]:
        if self._record.key is None:
            return [None] * len(run)
        column = _part(columns, self._record.key)
        if _is_text(column.type):
            keys: list[str | None] = column.to_pylist()
            bad |= np.array([not key for key in keys], np.bool_)
            return keys
        if not pyarrow.types.is_integer(column.type):
            raise Unfit
        bad |= column.is_null().to_numpy(zero_copy_only=False)
        return [None if key is None else str(key) for key in column.to_pylist()]

    def _times(self, columns: Mapping[str, Any], run: Run, bad: Bools) -> NDArray[np.int64]:
        if self._record.time is None:
            return np.array(run.times, np.int64)
        column = _part(columns, self._record.time)
        if not pyarrow.types.is_integer(column.type) or pyarrow.types.is_uint64(column.type):
            raise Unfit
        bad |= column.is_null().to_numpy(zero_copy_only=False)
        times = column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        bad |= (times <= -LAST) | (times >= LAST)
        return np.asarray(times)

    def _targets(self, columns: Mapping[str, Any], classes: Classes, bad: Bools) -> Floats:
        """Return the numbers or known codes of the labels, NaN without one, `ODD` of others."""
        column = columns.get(self._record.label or "")
        if column is None:
            return np.full(len(bad), math.nan)
        if self._task is Task.REGRESSION:
            if not _is_number(column.type):
                bad |= column.is_valid().to_numpy(zero_copy_only=False)
                return np.full(len(bad), math.nan)
            y, _ = _numbers(column)
            bad |= np.isinf(y)
            return y
        known: Mapping[Any, int] = {0: 0, 1: 1} if self._task is Task.ANOMALY else classes.codes
        coded, labels = _coded(column)
        targets = [_target(label, known) for label in labels]
        return np.array([*targets, math.nan])[coded]

    def _features(self, columns: Mapping[str, Any], kinds: Mapping[str, str], bad: Bools) -> Table:
        record = self._record
        parts = {record.key, record.time, record.weight, record.label, record.id}
        left = parts.union(record.leave_out)
        wanted = {
            name: column
            for name, column in columns.items()
            if name not in left and (record.take is None or name in record.take)
        }
        for name, column in wanted.items():
            if not _fits(column, kinds.get(name)):
                bad |= _there(column)
                wanted[name] = pyarrow.nulls(len(column))
        numbers = [name for name, kind in kinds.items() if kind in ("number", "bool")]
        dense = np.full((len(bad), len(numbers)), math.nan)
        for place, name in enumerate(numbers):
            if name in wanted:
                dense[:, place], _ = _numbers(wanted[name])
        bad |= np.isinf(dense).any(axis=1)
        others = [name for name, kind in kinds.items() if kind not in ("number", "bool")]
        codes = np.full((len(bad), len(others)), MISSING, np.int32)
        words: list[list[str]] = [[] for _ in others]
        for place, name in enumerate(others):
            if name in wanted and not pyarrow.types.is_null(wanted[name].type):
                codes[:, place], words[place] = _coded(wanted[name])
        return Table(numbers, dense, others, codes, words)


def _part(columns: Mapping[str, Any], name: str) -> Any:
    if name not in columns:
        raise Unfit
    return columns[name]


def _plain(column: Any) -> bool:
    """Return whether a column is of values that JSON has as they are."""
    kind = column.type
    empty = pyarrow.types.is_boolean(kind) or pyarrow.types.is_null(kind)
    return bool(_is_number(kind) or _is_text(kind) or empty)


def _is_number(kind: Any) -> bool:
    types = pyarrow.types
    return bool(types.is_integer(kind) or types.is_float32(kind) or types.is_float64(kind))


def _is_text(kind: Any) -> bool:
    if pyarrow.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind))


def _fits(column: Any, kind: str | None) -> bool:
    """Return whether a column's values are of a field's kind."""
    if kind == "number":
        return _is_number(column.type)
    if kind == "bool":
        return bool(pyarrow.types.is_boolean(column.type))
    return kind is not None and _is_text(column.type)


def _there(column: Any) -> Bools:
    """Return which values are not missing; NaN is, as in JSON."""
    valid = column.is_valid()
    if _is_number(column.type) and not pyarrow.types.is_integer(column.type):
        valid = pyarrow.compute.and_(valid, pyarrow.compute.invert(column.is_nan().fill_null(True)))
    return np.asarray(valid.to_numpy(zero_copy_only=False), np.bool_)


def _numbers(column: Any) -> tuple[Floats, Bools]:
    """Return a column of numbers or bools, NaN where one is missing, and where that is."""
    if pyarrow.types.is_null(column.type):
        return np.full(len(column), math.nan), np.ones(len(column), np.bool_)
    values = column.to_numpy(zero_copy_only=False)
    if values.dtype == object:  # bools with missing ones
        values = [math.nan if value is None else value for value in values]
    found = np.asarray(values, np.float64)
    return found, np.isnan(found)


def _coded(column: Any) -> tuple[Codes, list[Any]]:
    """Return a column as codes, in the order in which its values come, and what they stand for."""
    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    encoded = column.dictionary_encode()
    codes = encoded.indices.fill_null(MISSING).to_numpy(zero_copy_only=False)
    return codes.astype(np.int32), encoded.dictionary.to_pylist()


def _target(label: Any, known: Mapping[Any, int]) -> float:
    if isinstance(label, float) and not math.isfinite(label):
        return math.nan if math.isnan(label) else ODD
    return known.get(label, ODD)
