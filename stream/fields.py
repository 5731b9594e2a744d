"""Fields: the parts of a record that are no features, each checked for what it may be."""

from __future__ import annotations

import datetime
from typing import Any

from stream.labels import LARGEST
from stream.schema import WORD_FOR, RefusedRecordError, take_out
from stream.sections import RecordConfig
from stream.units import LAST

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MILLISECOND = datetime.timedelta(milliseconds=1)


Parts = tuple[Any, Any, Any, Any, Any]
"""Id, key, time, weight and label of a record, unchecked; None where nothing is."""


def take_parts(row: dict[str, Any], record: RecordConfig) -> Parts:
    """Remove and return the parts of a decoded object; what is left are its features."""
    return (
        None if record.id is None else take_out(row, record.id),
        None if record.key is None else take_out(row, record.key),
        None if record.time is None else take_out(row, record.time),
        None if record.weight is None else take_out(row, record.weight),
        None if record.label is None else take_out(row, record.label),
    )


def name_in(value: Any, path: str, role: str) -> str:
    """Return a record's key or id, which is a string or an integer."""
    if type(value) is int:
        return str(value)
    if type(value) is not str or not value:
        raise RefusedRecordError(
            f"wanted a string or an integer as {role} in {path!r}, "
            f"got {WORD_FOR[type(value)] if value != '' else 'an empty string'}"
        )
    return value


def name_of(key: bytes | None) -> str:
    """Return a message's own key as text."""
    if not key:
        raise RefusedRecordError("wanted a key, got an empty one")
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise RefusedRecordError(f"wanted a key in UTF-8, got: {error}") from error


def time_in(value: Any, path: str) -> int:
    """Return an event time in milliseconds since 1970."""
    if type(value) is int and abs(value) < LAST:
        return value
    if type(value) is str:
        try:
            moment = datetime.datetime.fromisoformat(value)
            moment = moment.replace(tzinfo=moment.tzinfo or datetime.UTC)
            return (moment - EPOCH) // MILLISECOND
        except (ValueError, OverflowError):
            pass
    raise RefusedRecordError(
        f"wanted milliseconds or an RFC 3339 time in {path!r}, got {value!r:.60}"
    )


def weight_in(value: Any, path: str) -> float:
    """Return a sample weight."""
    if type(value) in (int, float) and 0 <= value < LARGEST:
        return float(value)
    raise RefusedRecordError(f"wanted a weight of 0 or more in {path!r}, got {value!r:.60}")
