"""How a configuration is refused: one sentence that names the place and the remedy."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Mapping, Sequence

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
    "invalid-json-value": "a value that JSON has",
}


def nearest(name: str, known: Iterable[str]) -> str:
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
    return f"known are {', '.join(names)}" if 0 < len(names) <= 20 else "correct it"


def check_names(
    model: type[BaseModel],
    values: Mapping[str, object],
    environment: Iterable[str],
    prefix: str,
    source: str,
) -> None:
    """Refuse an unknown table or key at the top of the file, and an unknown table's variable.

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
    for variable in environment:
        section, nested, _ = variable.removeprefix(prefix).partition("__")
        known = section.lower() in model.model_fields
        if variable.startswith(prefix) and nested and not known:
            hint = nearest(section, map(str.upper, model.model_fields))
            raise ConfigError(
                f"environment: unknown table {section} in the variable {variable}; {hint}"
            )


def sentence(model: type[BaseModel], errors: Sequence[ErrorDetails], prefix: str) -> str:
    """Return the first of pydantic's errors in a sentence, unknown keys before all others.

    A misspelt key is unknown and the right one missing: the first says what to do.
    """
    error = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    place, got = error["loc"], error["input"]
    where, last = _shown_place(place), str(place[-1]) if place else ""
    if error["type"] == "extra_forbidden":
        return f"unknown key {where}; {nearest(last, _fields_at(model, place[:-1]))}"
    if error["type"] == "missing":
        return f"wanted {where}, got nothing: add it"
    message = error["msg"]
    if error["type"] == "value_error":
        return f"{where}: {message.removeprefix('Value error, ')}" if place else message[13:]
    wanted = _WANTED.get(error["type"], message.removeprefix("Input should be "))
    shown = "a secret" if is_secret(last) else _shown(masked(got))
    variable = prefix + "__".join(str(part).upper() for part in place if isinstance(part, str))
    return f"{where}: wanted {wanted}, got {shown}: correct it in the file or in {variable}"


def _shown_place(place: Place) -> str:
    """Return ("model", "window", "keep") as "[model.window] keep"."""
    names = [part for part in place if isinstance(part, str)]
    index = "".join(f"[{part}]" for part in place if isinstance(part, int))
    *tables, key = names or [""]
    return f"[{'.'.join(tables)}] {key}{index}" if tables else f"{key}{index}"


def _fields_at(model: type[BaseModel], place: Place) -> Iterable[str]:
    for part in place:
        annotation = model.model_fields[str(part)].annotation
        options = (annotation, *typing.get_args(annotation))
        model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return model.model_fields


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
