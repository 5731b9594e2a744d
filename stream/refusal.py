"""How a configuration is refused: one sentence that names the place and the remedy."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Sequence

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from stream.errors import ConfigError
from stream.secrecy import is_secret, masked

Place = tuple[int | str, ...]

_WANTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a string",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "path_type": "a path",
    "invalid-json-value": "a value that JSON has",
}


def nearest(name: str, known: Iterable[str], otherwise: str = "correct it") -> str:
    """Return a hint at the known name nearest to a wrong one, or at all of them if they are few.

    Examples
    --------
    >>> nearest("servrs", ["servers", "topic"])
    'did you mean "servers"?'
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known are {', '.join(names)}" if 0 < len(names) <= 20 else otherwise


def check_names(model: type[BaseModel], values: Iterable[str], source: str) -> None:
    """Refuse an unknown table or key at the top of the file.

    Raises
    ------
    ConfigError
        With the nearest known name.
    """
    for name in values:
        if name not in model.model_fields:
            raise ConfigError(
                f"{source}: unknown key or table {name!r}; {nearest(name, model.model_fields)}"
            )


def first(errors: Sequence[ErrorDetails]) -> ErrorDetails:
    """Return which of pydantic's errors to tell: an unknown key before all others.

    A misspelt key is unknown and the right one missing: the first says what to do.
    """
    return min(errors, key=lambda one: one["type"] != "extra_forbidden")


def sentence(model: type[BaseModel], error: ErrorDetails, remedy: str) -> str:
    """Return one of pydantic's errors in a sentence; `remedy` ends those that have none."""
    place, message = error["loc"], error["msg"]
    where, last = shown_place(place), str(place[-1]) if place else ""
    if error["type"] == "extra_forbidden":
        return f"unknown key {where}; {nearest(last, _fields_at(model, place[:-1]))}"
    if error["type"] == "missing":
        return f"wanted {where}, got nothing: add it"
    if error["type"] == "value_error":
        return f"{where}{': ' if place else ''}{message.removeprefix('Value error, ')}"
    wanted = _WANTED.get(error["type"], message.removeprefix("Input should be "))
    got = _got(error["input"], wanted, last)
    return f"{where}: wanted {wanted}, got {got}: {remedy}"


def table_in(annotation: object) -> type[BaseModel] | None:
    """Return the table that a field is, also where it may be left out; None if it is none."""
    options = (annotation, *typing.get_args(annotation))
    tables = (one for one in options if isinstance(one, type) and issubclass(one, BaseModel))
    return next(tables, None)


def shown_place(place: Place) -> str:
    """Return ("model", "window", "keep") as "[model.window] keep"."""
    names = [part for part in place if isinstance(part, str)]
    index = "".join(f"[{part}]" for part in place if isinstance(part, int))
    *tables, key = names or [""]
    return f"[{'.'.join(tables)}] {key}{index}" if tables else f"{key}{index}"


def shown(value: object) -> str:
    """Return a value as a sentence shows it: short, and as the file writes it.

    Examples
    --------
    >>> shown(True), shown(None), shown("x" * 99)[-6:]
    ('true', 'nothing', 'xxx...')
    """
    if value is None:
        return "nothing"
    try:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    except ValueError:
        return "a number of thousands of digits"  # which Python does not write out
    return text if len(text) <= 60 else f"{text[:57]}..."


def _got(value: object, wanted: str, name: str) -> str:
    if is_secret(name):
        return "a secret"
    if wanted == "a table" and isinstance(value, str):
        return "a text that is none"  # broken JSON, which may hold secrets
    return shown(masked(value))


def _fields_at(model: type[BaseModel], place: Place) -> Iterable[str]:
    for part in place:
        table = table_in(model.model_fields[str(part)].annotation)
        model = table or model
    return model.model_fields
