"""The header of a text file: its columns' names, held against those that [record] names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from stream.cells import is_number
from stream.errors import ConfigError
from stream.refusal import nearest, shown
from stream.sections import RecordConfig

SHOWN_NAMES = 5


def header_of(first: Sequence[str], record: RecordConfig, file: str) -> list[str]:
    """Return the names of the columns in the first line of a file.

    Raises
    ------
    ConfigError
        The line names no columns, or not those that [record] names, and so may be a record.
    """
    names = [name.strip() or f"column_{i}" for i, name in enumerate(first, 1)]
    if not "".join(names).isprintable():
        raise ConfigError(
            f"wanted names of columns as UTF-8 text in the first line of {file}, "
            "got other bytes: save the file as UTF-8"
        )
    if not names or 2 * sum(map(is_number, names)) > len(names):
        raise ConfigError(
            f"wanted names of columns in the first line of {file}, "
            f"got {'nothing' if not names else 'numbers'}: give the columns by name, "
            "with `alluvia feed --columns`"
        )
    refuse_doubles(names, file)
    _refuse_missing(names, record, file)
    return names


def refuse_doubles(names: Sequence[str], file: str) -> None:
    """Refuse names of columns of which two are the same."""
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise ConfigError(
            f"wanted each column of {file} once, got {double!r} twice: rename one of them"
        )


def refuse_unknown(names: Iterable[str], paths: Iterable[str], file: str) -> None:
    """Refuse columns without one that [record] names."""
    known = set(names)
    for path in paths:
        if path not in known:
            raise ConfigError(
                f"wanted the column {path!r} of [record] in {file}, got none; "
                f"{nearest(path, known)}"
            )


def parts_of(record: RecordConfig) -> list[str]:
    """Return the paths that every record has a value at."""
    return [path for path in (record.key, record.id, record.time, record.weight) if path]


def _refuse_missing(names: Sequence[str], record: RecordConfig, file: str) -> None:
    wanted = parts_of(record)
    missing = [path for path in wanted if path not in names]
    # Records to be predicted only have no label, and another known name tells that these are names.
    if record.label is not None and record.label not in names and missing == wanted:
        missing.append(record.label)
    if missing:
        close = difflib.get_close_matches(missing[0], names, n=1)
        got = ", ".join(map(shown, names[:SHOWN_NAMES])) + (", ..." * (len(names) > SHOWN_NAMES))
        raise ConfigError(
            f"wanted {', '.join(map(repr, missing))} of [record] among the columns in the first "
            f"line of {file}, got {got}: "
            + (
                f'did you mean "{close[0]}"?'
                if close
                else "if that is a record, name the columns with `alluvia feed --columns`"
            )
        )
