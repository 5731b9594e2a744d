"""The tables of the configuration: their keys, defaults and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    model_validator,
)

from learners.base import Label
from stream.secrecy import masked
from stream.units import format_duration, format_size, parse_duration, parse_size, parse_time


def whole_number(value: object) -> object:
    """Refuse true and false where a number is wanted; pydantic takes them for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"wanted a whole number, got {str(value).lower()}: write a number")
    return value


def _ttl(value: object) -> int | None:
    return None if value == "none" else parse_duration(value)


def _start(value: object) -> object:
    return value if value in ("earliest", "latest") else parse_time(value)


def _path_in_record(value: str) -> str:
    if not all(value.split(".")):
        raise ValueError(f'wanted a path such as "customer.id", got {value!r}: fill in every name')
    return value


def _label(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise ValueError(f"wanted a label, got {value!r}: write a string, a number or a bool")
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
        raise ValueError(f"wanted a short name, got {value!r}: start with a letter or a digit")
    if not all(character.isalnum() or character in "._-" for character in value):
        raise ValueError(f"wanted a name, got {value!r}: use letters, digits and . _ - only")
    return value


Count = Annotated[int, BeforeValidator(whole_number), Field(ge=1)]
Name = Annotated[str, AfterValidator(_name)]
FieldPath = Annotated[str, AfterValidator(_path_in_record)]
ClassLabel = Annotated[Label, BeforeValidator(_label)]
Step = Annotated[dict[str, JsonValue], BeforeValidator(_step)]
Kind = Literal["number", "category", "bool", "text"]
Milliseconds = Annotated[
    int, BeforeValidator(parse_duration), Field(ge=1), PlainSerializer(format_duration)
]
Bytes = Annotated[int, BeforeValidator(parse_size), Field(ge=1), PlainSerializer(format_size)]
Lifetime = Annotated[
    int | None,
    BeforeValidator(_ttl),
    PlainSerializer(lambda value: "none" if value is None else format_duration(value)),
]


class Section(BaseModel):
    """A table of the file: frozen, unknown keys refused, secrets masked when shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, masked(value, name or "")


class LogConfig(Section):
    """Where the records come from; `topic` and `group` are the service's name if left out."""

    kind: Literal["embedded", "kafka"] = "embedded"
    path: Path = Path(".alluvia/log.db")
    servers: str = "127.0.0.1:9092"
    topic: Name
    group: Name
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "embedded" and self.options:
            raise ValueError(
                "wanted no options for the embedded log, got some: "
                'set kind = "kafka" or remove [log.options]'
            )
        return self


class RecordConfig(Section):
    """What is what in a record, by paths into nested JSON.

    Without `key`, `id` and `time` they are the message's own key, position and timestamp; without
    `take` every field is a feature. `start` is "earliest", "latest" or milliseconds since 1970;
    `max_bytes` is in bytes.
    """

    key: FieldPath | None = None
    id: FieldPath | None = None
    label: FieldPath | None = None
    time: FieldPath | None = None
    weight: FieldPath | None = None
    take: list[FieldPath] | None = None
    leave_out: list[FieldPath] = []
    types: dict[FieldPath, Kind] = {}
    classes: list[ClassLabel] = []
    positive: ClassLabel | None = None
    start: Annotated[Literal["earliest", "latest"] | int, BeforeValidator(_start)] = "earliest"
    warm_up: Path | None = None
    max_bytes: Bytes = Field(default="1MB", validate_default=True)

    @model_validator(mode="after")
    def _check(self) -> Self:
        both = set(self.take or ()) & {*self.leave_out, *([self.label] if self.label else ())}
        if both:
            raise ValueError(
                f'wanted each field once, got "{min(both)}" in take and as the label or in '
                "leave_out: remove it from one"
            )
        if self.positive is not None and self.classes and self.positive not in self.classes:
            raise ValueError(
                f"wanted positive among classes, got {self.positive!r}: choose one of "
                f"{', '.join(map(repr, self.classes))}"
            )
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"wanted each class once, got {self.classes!r}: remove the double")
        return self


class WindowConfig(Section):
    """How the rolling ensemble cuts the stream: `records` learned records to a member."""

    records: Count = 1_000
    keep: Count = 10
    on_close: Literal["freeze", "go_on"] = "freeze"
    vote: Literal["recent_loss", "age", "uniform"] = "recent_loss"


class ModelConfig(Section):
    """What learns: a `learner` with `params`, or a `pipeline` of steps; see `stream.model`.

    A step is a table of `use` and its parameters; the file may give `use` alone as a string.
    """

    learner: str | None = None
    params: dict[str, JsonValue] = {}
    pipeline: list[Step] | None = None
    gather: Count | None = None
    trust: list[str] = []
    window: WindowConfig | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.learner and not self.pipeline:
            raise ValueError("wanted learner or pipeline, got neither: name what learns")
        if self.learner and self.pipeline:
            raise ValueError("wanted learner or pipeline, got both: remove one of them")
        if self.pipeline and self.params:
            raise ValueError(
                "wanted params with learner only, got them with pipeline: "
                'write each step as {use = "module.Name", its parameters}'
            )
        return self


class ScoreConfig(Section):
    """The recent `window` in records, and river metrics by import path beside the usual ones."""

    window: Annotated[int, BeforeValidator(whole_number), Field(ge=1, le=10_000_000)] = 1_000
    metrics: list[str] = []


class StoreConfig(Section):
    """Where predictions go; `ttl` is in milliseconds, None to keep them for ever."""

    kind: Literal["embedded", "redis"] = "embedded"
    path: Path = Path(".alluvia/store.db")
    url: str = "redis://127.0.0.1:6379/0"
    ttl: Lifetime = Field(default="30d", validate_default=True)
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "embedded" and self.options:
            raise ValueError(
                "wanted no options for the embedded store, got some: "
                'set kind = "redis" or remove [store.options]'
            )
        if "://" not in self.url:
            raise ValueError(
                'wanted url such as "redis://127.0.0.1:6379/0", got one without "://": '
                "write the scheme too"
            )
        if self.ttl == 0:
            raise ValueError('wanted ttl above 0, got 0: write "none" to keep predictions for ever')
        return self


class CheckpointConfig(Section):
    """Where checkpoints go and when: `every` so many ms, and at multiples of `records`."""

    path: Path
    every: Milliseconds = Field(default="10s", validate_default=True)
    records: Count | None = None
    keep: Count = 3


class OutputConfig(Section):
    """What is printed where there is no terminal: one line every `interval` ms."""

    log: Literal["plain", "json"] = "plain"
    interval: Milliseconds = Field(default="10s", validate_default=True)
