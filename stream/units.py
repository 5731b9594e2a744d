"""Durations, sizes and times as a person writes them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from fractions import Fraction

from stream.errors import ConfigError

_DURATIONS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_QUANTITY = re.compile(r"([0-9]{1,16}(?:\.[0-9]{1,9})?) ?([A-Za-z]+)", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)
# Beyond this a double no longer holds every integer, and Redis scripts count in doubles.
_LARGEST = 2**53
LAST = 253_402_300_800_000
"""The end of the year 9999 in ms; what is later was meant in another unit."""


class UnitError(ConfigError, ValueError):
    """Text that is not a duration, a size or a time."""


def parse_duration(text: object) -> int:
    """Return the milliseconds of a duration: a number and ms, s, m, h or d.

    Raises
    ------
    UnitError
        The text is not a duration, or not a whole number of milliseconds.

    Examples
    --------
    >>> parse_duration("500ms"), parse_duration("1.5s"), parse_duration("7d")
    (500, 1500, 604800000)
    """
    return _parse(text, _DURATIONS, 'a duration such as "10s" (ms, s, m, h, d)', "milliseconds")


def parse_size(text: object) -> int:
    """Return the bytes of a size: a number and B, KB, MB, GB, KiB, MiB or GiB.

    Raises
    ------
    UnitError
        The text is not a size, or not a whole number of bytes.

    Examples
    --------
    >>> parse_size("64MB"), parse_size("1KiB")
    (64000000, 1024)
    """
    return _parse(text, _SIZES, 'a size such as "64MB" (B, KB, MB, GB, KiB, MiB, GiB)', "bytes")


def format_duration(milliseconds: int) -> str:
    """Return the shortest text without a fraction that parses to these milliseconds.

    Examples
    --------
    >>> format_duration(90_000), format_duration(604_800_000)
    ('90s', '7d')
    """
    return _format(milliseconds, _DURATIONS)


def format_size(size: int) -> str:
    """Return the shortest text without a fraction that parses to this many bytes.

    Examples
    --------
    >>> format_size(64_000_000), format_size(1024)
    ('64MB', '1KiB')
    """
    return _format(size, _SIZES)


def parse_time(text: object) -> int:
    """Return milliseconds since 1970 of an RFC 3339 time with its offset, or of a datetime.

    Digits beyond the millisecond are cut off.

    Raises
    ------
    UnitError
        The text is not such a time, or has no offset from UTC.

    Examples
    --------
    >>> parse_time("2026-01-31T12:00:00Z"), parse_time("1970-01-01T01:00:00.5+01:00")
    (1769860800000, 500)
    """
    try:
        moment = _moment(text)
        if moment.tzinfo is not None:
            return (moment - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        pass  # said below, in the same words for every way of being wrong
    raise UnitError(
        f'wanted an RFC 3339 time such as "2026-01-31T12:00:00Z", got {_shown(text)}: '
        "write date, time and Z or the offset"
    )


def _moment(text: object) -> datetime.datetime:
    if isinstance(text, datetime.datetime):
        return text
    if isinstance(text, str) and _TIME.fullmatch(text):
        return datetime.datetime.fromisoformat(text.upper())
    raise ValueError


def _parse(text: object, units: Mapping[str, int], wanted: str, counted: str) -> int:
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in units:
        raise UnitError(f"wanted {wanted}, got {_shown(text)}: write a number and its unit")
    amount = Fraction(match[1]) * units[match[2]]
    if amount != int(amount) or amount > _LARGEST:
        raise UnitError(
            f"wanted {wanted} that is a whole number of {counted} up to 2**53, "
            f"got {_shown(text)}: choose a coarser number or unit"
        )
    return int(amount)


def _format(amount: int, units: Mapping[str, int]) -> str:
    texts = [f"{amount // unit}{name}" for name, unit in units.items() if amount % unit == 0]
    return min(texts, key=len)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
