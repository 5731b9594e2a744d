"""The environment over the file: which variables there are, and which of them gave a value."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from stream.errors import ConfigError
from stream.refusal import Place, nearest, shown_place, table_in
from stream.secrecy import is_secret

PREFIX = "ALLUVIA_"
NESTED = "__"
SERVICE = "_SERVICE_HOST"
"""Ends a variable that Kubernetes makes for a Service; with it come others."""
_MADE = re.compile(
    r"_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?"
)
# Free tables, whose values in the environment are JSON where they can be read as such.
_FREE_TABLES = (
    ("log", "options"),
    ("store", "options"),
    ("checkpoint", "options"),
    ("model", "params"),
)


class Environment(EnvSettingsSource):
    """Variables as pydantic-settings reads them, with free tables read as JSON.

    A value under a secret name stays the text it is: "007" is a password, not a number.
    """

    def __call__(self) -> dict[str, Any]:
        """Return the values by table and key."""
        found: dict[str, Any] = super().__call__()
        for section, field in _FREE_TABLES:
            table = found.get(section, {})
            values = table.get(field) if isinstance(table, dict) else None
            if isinstance(values, dict):
                start = f"{PREFIX}{section}__{field}__".lower()
                for name in values:
                    text = self.env_vars.get(start + name)
                    if text is not None:
                        values[name] = text if is_secret(name) else _json_or_text(text)
        return found

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Leave what is not JSON as it is: the field's own check says what it wanted."""
        return _json_or_text(value)


def check_variables(model: type[BaseModel], environment: Iterable[str]) -> None:
    """Refuse variables that begin like the configuration's and are none.

    An unknown key of a known table is left to the table's own check. What Kubernetes makes for a
    Service named alluvia, or alluvia-churn, is passed over.

    Raises
    ------
    ConfigError
        With the nearest known name.
    """
    variables = list(environment)
    services = [name.removesuffix(SERVICE) for name in variables if name.endswith(SERVICE)]
    for variable in variables:
        if not variable.upper().startswith(PREFIX) or _of_kubernetes(variable, services):
            continue
        section, *keys = variable[len(PREFIX) :].lower().split(NESTED)
        if section in model.model_fields:
            _check_depth(model, variable, (section, *keys))
        elif keys:
            hint = nearest(section.upper(), map(str.upper, model.model_fields))
            raise ConfigError(
                f"environment: unknown table {section.upper()} in the variable {variable}; {hint}"
            )
        else:
            known = (name_of(place).removeprefix(PREFIX) for place in _places(model))
            hint = nearest(section.upper(), known, "unset it").replace('"', f'"{PREFIX}', 1)
            raise ConfigError(f"environment: unknown variable {variable}; {hint}")


def origin(place: Place, environment: Mapping[str, str]) -> str | None:
    """Return the variable that gave the value at a place, None if the file did."""
    names = [str(part) for part in place if isinstance(part, str)]
    variables = {variable.upper(): variable for variable in environment}
    for n in range(len(names), 0, -1):
        variable = variables.get(name_of(names[:n]))
        if variable is not None and _holds(environment[variable], names[n:]):
            return variable
    return None


def over(place: Place, environment: Iterable[str]) -> list[str]:
    """Return the variables that gave values inside a table of the file."""
    start = name_of(place) + (NESTED if place else "")
    return sorted(variable for variable in environment if variable.upper().startswith(start))


def name_of(place: Sequence[int | str]) -> str:
    """Return the variable over a place of the file.

    Examples
    --------
    >>> name_of(("log", "servers"))
    'ALLUVIA_LOG__SERVERS'
    """
    return PREFIX + NESTED.join(part.upper() for part in place if isinstance(part, str))


def _of_kubernetes(variable: str, services: Sequence[str]) -> bool:
    return any(
        variable.startswith(service) and _MADE.fullmatch(variable, len(service))
        for service in services
    )


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _holds(text: str, names: Sequence[str]) -> bool:
    value = _json_or_text(text) if names else None
    for name in names:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


def _check_depth(model: type[BaseModel], variable: str, names: Sequence[str]) -> None:
    """Refuse a variable for a key inside of what is no table."""
    for depth, name in enumerate(names, 1):
        field = model.model_fields.get(name)
        if field is None or _is_free(field.annotation):
            return
        table = table_in(field.annotation)
        if table is None and names[depth:]:
            place = tuple(names[:depth])
            raise ConfigError(
                f"environment: unknown variable {variable}: {shown_place(place)} is no table; "
                f'did you mean "{name_of(place)}"?'
            )
        if table is None:
            return
        model = table


def _places(model: type[BaseModel], place: Place = ()) -> Iterator[Place]:
    for name, field in model.model_fields.items():
        table = table_in(field.annotation)
        yield (*place, name)
        if table is not None:
            yield from _places(table, (*place, name))


def _is_free(annotation: object) -> bool:
    options = (annotation, *typing.get_args(annotation))
    return any((typing.get_origin(option) or option) is dict for option in options)
