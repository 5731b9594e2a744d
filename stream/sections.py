"""The tables of the configuration: their keys, defaults and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from stream.refusal import shown
from stream.secrecy import masked
from stream.values import (
    Bytes,
    ClassLabel,
    Count,
    Few,
    FieldPath,
    FilePath,
    Key,
    Kind,
    Lifetime,
    Milliseconds,
    Name,
    ObjectUrl,
    Start,
    Step,
    kind_of,
    whole_number,
)


class Section(BaseModel):
    """A table of the file: frozen, unknown keys refused, secrets masked when shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, masked(value, name or "")


class LogConfig(Section):
    """Where the records come from; `topic` and `group` are the service's name if left out."""

    kind: Literal["embedded", "kafka"] = "embedded"
    path: FilePath = Path(".alluvia/log.db")
    servers: str = "127.0.0.1:9092"
    topic: Name
    group: Name
    client: Literal["auto", "kafka-python", "confluent"] = "auto"
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "embedded" and self.options:
            raise ValueError(
                "wanted no options for the embedded log, got some: "
                'set kind = "kafka" or remove [log.options]'
            )
        if self.kind == "embedded" and self.client != "auto":
            raise ValueError(
                f'wanted no client for the embedded log, got "{self.client}": '
                'set kind = "kafka" or remove client'
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
    start: Start = "earliest"
    warm_up: FilePath | None = None
    max_bytes: Bytes = Field(default="1MB", validate_default=True)

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        # Each part is taken out of the record before the next is looked for.
        parts: dict[str, str] = {}
        for part in ("key", "id", "label", "time", "weight"):
            path = getattr(self, part)
            if path is not None and parts.setdefault(path, part) != part:
                raise ValueError(
                    f'wanted {parts[path]} and {part} in fields of their own, got "{path}" for '
                    "both: name another field for one of them"
                )
        return self

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        if self.take == []:
            raise ValueError("wanted fields to take, got none: name some, or leave out take")
        both = set(self.take or ()) & {*self.leave_out, *([self.label] if self.label else ())}
        if both:
            raise ValueError(
                f'wanted each field once, got "{min(both)}" in take and as the label or in '
                "leave_out: remove it from one"
            )
        unused = set(self.types).intersection(self.leave_out)
        if unused:
            raise ValueError(
                f'wanted types of fields that are taken, got "{min(unused)}" in types and in '
                "leave_out: remove it from one"
            )
        return self

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        classes, positive = self.classes, self.positive
        listed = ", ".join(map(shown, classes))
        if len(set(classes)) < len(classes):
            raise ValueError(f"wanted each class once, got {listed}: remove the double")
        kinds = list(dict.fromkeys(map(kind_of, classes)))
        if len(kinds) > 1:
            raise ValueError(
                f"wanted classes of one kind, got {listed}, {' and '.join(kinds)}: write them as "
                "the records have them"
            )
        if classes and positive is not None and positive not in classes:
            raise ValueError(
                f"wanted positive among classes, got {shown(positive)}, {kind_of(positive)}: "
                f"choose one of {listed}"
            )
        if len(classes) == 1:
            raise ValueError(
                f"wanted two classes or more, got only {listed}: add the others, or leave out "
                "classes, and they join as they come"
            )
        return self


class WindowConfig(Section):
    """How the rolling ensemble cuts the stream: `records` learned records to a member."""

    records: Count = 1_000
    keep: Few = 10
    on_close: Literal["freeze", "go_on"] = "freeze"
    vote: Literal["recent_loss", "age", "uniform"] = "recent_loss"


class ModelConfig(Section):
    """What learns: a `learner` with `params`, or a `pipeline` of steps; see `stream.model`.

    A step is a table of `use` and its parameters; the file may give `use` alone as a string.
    `compile` swaps in the compiled twin of a river estimator that has one.
    """

    learner: str | None = None
    params: dict[str, JsonValue] = {}
    pipeline: list[Step] | None = None
    gather: Count | None = None
    trust: list[str] = []
    compile: Literal["auto", "off"] = "off"
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
    """The recent `window` in records, and river metrics by import path beside the usual figures.

    A row that was not answered counts as wrong there; river's metrics pass over it.
    """

    window: Annotated[int, BeforeValidator(whole_number), Field(ge=1, le=10_000_000)] = 1_000
    metrics: list[str] = []


class DeadConfig(Section):
    """What becomes of records that cannot be taken: they go to `topic`, or to a file without one.

    The service stops when more than the share `skip_share` of all records make the learner raise.
    """

    topic: Name | None = None
    skip_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.01


class PredictionsConfig(Section):
    """The `topic` that each prediction is sent to as well, None for none."""

    topic: Name | None = None


class StoreConfig(Section):
    """Where predictions go; `ttl` is in milliseconds, None to keep them for ever."""

    kind: Literal["embedded", "redis"] = "embedded"
    path: FilePath = Path(".alluvia/store.db")
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
        return self


class CheckpointConfig(Section):
    """Where checkpoints go and when: `every` so many ms, and at multiples of `records`.

    They go to the folder `path`, or to an object store at `url`, for which `options` are those of
    s3fs. With a `key`, a secret, they are signed, and no other ones are taken.
    """

    path: FilePath
    url: ObjectUrl | None = None
    options: dict[str, Any] = {}
    every: Milliseconds = Field(default="10s", validate_default=True)
    records: Count | None = None
    keep: Few = 3
    key: Key | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.options and self.url is None:
            raise ValueError(
                "wanted options with url only, got them for a folder: set url or remove "
                "[checkpoint.options]"
            )
        return self


class OutputConfig(Section):
    """What is printed where there is no terminal: one line every `interval` ms."""

    log: Literal["plain", "json"] = "plain"
    interval: Milliseconds = Field(default="10s", validate_default=True)
