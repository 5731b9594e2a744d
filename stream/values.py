"""The values of the configuration: what each kind of them takes, and how it refuses another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, PlainSerializer, SecretStr

from learners.base import Label
from stream.refusal import shown
from stream.secrecy import MASK
from stream.units import (
    UnitError,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    parse_time,
)

INT64 = 2**63
KEY_BYTES = 16


def whole_number(value: object) -> object:
    """Refuse true and false where a number is wanted; pydantic takes them for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"wanted a whole number, got {str(value).lower()}: write a number")
    return value


def _or_none(otherwise: str) -> BeforeValidator:
    """Read a duration, or "none" to do otherwise."""

    def read(value: object) -> int | None:
        try:
            duration = None if value == "none" else parse_duration(value)
        except UnitError as error:
            raise ValueError(f'{error}, or "none" {otherwise}') from error
        if duration == 0:
            raise ValueError(f'wanted a duration above 0, got 0: write "none" {otherwise}')
        return duration

    return BeforeValidator(read)


def _start(value: object) -> object:
    return value if value in ("earliest", "latest") else parse_time(value)


def _path_in_record(value: str) -> str:
    if not all(value.split(".")):
        raise ValueError(f'wanted a path such as "customer.id", got {value!r}: fill in every name')
    return value


def _label(value: object) -> object:
    if isinstance(value, str):
        return value
    # The decoder sets aside other labels, so that none would ever be one of these.
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        if -INT64 <= value < INT64:
            return value
    raise ValueError(
        f"wanted a label, got {shown(value)}: write a string, a whole number of 64 bits or a bool"
    )


def kind_of(label: Label) -> str:
    """Return what a label is; labels of one kind are told apart by `==` as a reader would."""
    if isinstance(label, str):
        return "a string"
    return "a bool" if isinstance(label, bool) else "a number"


def _file_path(value: Path) -> Path:
    if "\0" in str(value):
        raise ValueError(f"wanted a path, got {shown(str(value))} with a NUL in it: take it out")
    if any(len(os.fsencode(part)) > 255 for part in value.parts) or len(str(value)) > 2_000:
        raise ValueError(f"wanted a path with short names, got {shown(str(value))}: shorten it")
    return value


def _key(value: object) -> object:
    # Its own check of the kind: another one would show what it got.
    if not isinstance(value, str):
        raise ValueError("wanted a text, got another kind of value: write it in quotes")
    if not value.isprintable() or len(value.encode("utf-8", "replace")) < KEY_BYTES:
        raise ValueError(
            f"wanted a secret of at least {KEY_BYTES} bytes of text, got a shorter one or one that "
            "cannot be printed: make one with `openssl rand -hex 32`"
        )
    return value


def _object_url(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if scheme != "s3" or not all(rest.split("/")) or "/" not in rest:
        raise ValueError(
            f'wanted a place such as "s3://bucket/models/elec2", got {shown(value)}: name a bucket '
            "of an S3-compatible store and a name in it; others are not known to create an object "
            "only if there is none"
        )
    return value


def _step(value: object) -> object:
    step = value if isinstance(value, dict) else {"use": value}
    if not isinstance(step.get("use"), str):
        raise ValueError(
            f'wanted an import path or {{use = "module.Name"}}, got {value!r}: name what to use'
        )
    return step


def _name(value: str) -> str:
    if "/" in value or not value[:1].isalnum() or not value.isascii() or len(value) > 200:
        raise ValueError(f"wanted a short name, got {shown(value)}: start with a letter or a digit")
    if not all(character.isalnum() or character in "._-" for character in value):
        raise ValueError(f"wanted a name, got {shown(value)}: use letters, digits and . _ - only")
    return value


Count = Annotated[int, BeforeValidator(whole_number), Field(ge=1, lt=INT64)]
Few = Annotated[int, BeforeValidator(whole_number), Field(ge=1, le=10_000)]
Key = Annotated[
    SecretStr, BeforeValidator(_key), PlainSerializer(lambda _: MASK, when_used="unless-none")
]
FilePath = Annotated[Path, AfterValidator(_file_path)]
Name = Annotated[str, AfterValidator(_name)]
ObjectUrl = Annotated[str, AfterValidator(_object_url)]
FieldPath = Annotated[str, AfterValidator(_path_in_record)]
ClassLabel = Annotated[Label, BeforeValidator(_label)]
Step = Annotated[dict[str, JsonValue], BeforeValidator(_step)]
Kind = Literal["number", "category", "bool", "text"]
Start = Annotated[Literal["earliest", "latest"] | int, BeforeValidator(_start)]
Milliseconds = Annotated[
    int, BeforeValidator(parse_duration), Field(ge=1), PlainSerializer(format_duration)
]
Bytes = Annotated[int, BeforeValidator(parse_size), Field(ge=1), PlainSerializer(format_size)]
_AS_WRITTEN = PlainSerializer(lambda value: "none" if value is None else format_duration(value))
Lifetime = Annotated[int | None, _or_none("to keep predictions for ever"), _AS_WRITTEN]
Leap = Annotated[int | None, _or_none("to believe every time"), _AS_WRITTEN]
Quiet = Annotated[int | None, _or_none("to let time stand still"), _AS_WRITTEN]
