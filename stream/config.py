"""One TOML file, and the environment over it, as a checked and frozen configuration."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from learners.base import Task
from stream import refusal
from stream.environment import (
    NESTED,
    PREFIX,
    Environment,
    check_variables,
    name_of,
    origin,
    over,
)
from stream.errors import ConfigError
from stream.label_section import LabelConfig
from stream.secrecy import masked
from stream.sections import (
    CheckpointConfig,
    DeadConfig,
    LogConfig,
    ModelConfig,
    OutputConfig,
    PredictionsConfig,
    RecordConfig,
    ScoreConfig,
    StoreConfig,
)
from stream.signature import Signer
from stream.values import Name, whole_number

SHARD = "partition-"


class Config(BaseSettings):
    """The whole configuration; durations are in milliseconds, sizes in bytes, paths absolute.

    Every value can be overridden by the environment: `ALLUVIA_LOG__SERVERS`.

    Examples
    --------
    >>> config = Config.of({
    ...     "name": "elec2", "task": "classification", "record": {"label": "class"},
    ...     "model": {"learner": "river.naive_bayes.GaussianNB"}})
    >>> config.log.topic, config.store.ttl, config.model.window
    ('elec2', 2592000000, None)
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter=NESTED
    )
    _folder: Path = PrivateAttr(default_factory=Path)
    _partition: int | None = PrivateAttr(default=None)

    name: Name
    task: Task
    scope: Literal["topic", "partition"] = "topic"
    seed: Annotated[int, BeforeValidator(whole_number), Field(ge=0, lt=2**32)] = 1
    log: LogConfig
    record: RecordConfig = RecordConfig()
    label: LabelConfig | None = None
    model: ModelConfig
    score: ScoreConfig = ScoreConfig()
    dead: DeadConfig = DeadConfig()
    predictions: PredictionsConfig = PredictionsConfig()
    store: StoreConfig = StoreConfig()
    checkpoint: CheckpointConfig
    output: OutputConfig = OutputConfig()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment over the file, and read nothing else."""
        return Environment(settings_cls), init_settings

    @model_validator(mode="before")
    @classmethod
    def _named_after_the_service(cls, values: dict[str, Any]) -> dict[str, Any]:
        name = values.get("name")
        if not isinstance(name, str):
            return values
        named = {"log": {"topic": name, "group": name}, "checkpoint": {"path": f".alluvia/{name}"}}
        for section, defaults in named.items():
            given = values.get(section, {})
            if isinstance(given, dict):
                values = values | {section: defaults | given}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        record = self.record
        if self.task is not Task.CLASSIFICATION and (record.classes or record.positive is not None):
            raise ValueError(
                f"wanted classes and positive with a classification only, got task "
                f'"{self.task}": remove them from [record] or change task'
            )
        if self.label is not None:
            self.label.check_beside(record, self.task, self.log.topic)
        elif self.task is not Task.ANOMALY and record.label is None:
            raise ValueError(
                f"wanted [record] label for a {self.task}, got none: "
                "name the field that holds what is to be predicted"
            )
        if self.task is Task.ANOMALY and self.model.window:
            raise ValueError(
                'wanted [model.window] with a classification or a regression, got task "anomaly": '
                "remove [model.window]"
            )
        if self.checkpoint.url is not None and self.dead.topic is None:
            raise ValueError(
                "wanted [dead] topic with checkpoints in an object store, got none: letters in a "
                "file would stay behind when the service moves; name a topic"
            )
        self._check_topics()
        return self

    def _check_topics(self) -> None:
        """Refuse one topic for two things."""
        used = {self.log.topic: "[log]"}
        if self.label is not None and self.label.topic is not None:
            used[self.label.topic] = "[label]"
        for table, topic in (("dead", self.dead.topic), ("predictions", self.predictions.topic)):
            if topic in used:
                raise ValueError(
                    f'wanted a topic of its own in [{table}], got "{topic}", which {used[topic]} '
                    "has: name another"
                )
            if topic is not None:
                used[topic] = f"[{table}]"

    @classmethod
    def of(cls, values: Mapping[str, Any], folder: Path = Path(), source: str = "config") -> Self:
        """Return the configuration of these values, with the environment over them.

        Parameters
        ----------
        values
            Tables and keys as in the file.
        folder
            Where relative paths start.
        source
            What the values are called in errors.

        Raises
        ------
        ConfigError
            A key is unknown or missing, a value is of the wrong kind, or two contradict.
        """
        refusal.check_names(cls, values, source)
        check_variables(cls, os.environ)
        try:
            return cls(**values)._at(folder.absolute())
        except ValidationError as error:
            told = refusal.first(error.errors(include_url=False))
        except RecursionError:
            raise ConfigError(
                f"{source}: wanted tables and lists a few deep, got them too deep: take some away"
            ) from None
        raise ConfigError(_sentence(told, source))

    def _at(self, folder: Path) -> Self:
        def moved(section: Any, field: str) -> Any:
            path = getattr(section, field)
            return section if path is None else section.model_copy(update={field: folder / path})

        placed = {
            "log": moved(self.log, "path"),
            "record": moved(self.record, "warm_up"),
            "store": moved(self.store, "path"),
            "checkpoint": moved(self.checkpoint, "path"),
        }
        config = self.model_copy(update=placed)
        config._folder = folder
        return config

    @property
    def folder(self) -> Path:
        """The folder of the file, where relative paths and a user's Python file start."""
        return self._folder

    @property
    def owner(self) -> str:
        """What the owner of a model claims it as: the name, and the partition of a shard."""
        return self.name if self._partition is None else f"{self.name}/{self._partition}"

    @property
    def partition(self) -> int | None:
        """The partition of a shard; None where one model learns all."""
        return self._partition

    def of_partition(self, partition: int) -> Self:
        """Return the configuration of the shard that learns one partition."""
        place, part = self.checkpoint, f"{SHARD}{partition}"
        url = None if place.url is None else f"{place.url}/{part}"
        moved = place.model_copy(update={"path": place.path / part, "url": url})
        config = self.model_copy(update={"checkpoint": moved})
        config._partition = partition
        return config

    def signer(self) -> Signer | None:
        """Return what signs the service's checkpoints and journal, None without a key."""
        key = self.checkpoint.key
        return None if key is None else Signer(key.get_secret_value(), self.owner)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, masked(value, name or "")

    def describe(self) -> str:
        """Return every value, a line each, with secrets masked."""
        lines = []
        for name, value in masked(self.model_dump(mode="json", fallback=str)).items():
            table = value if isinstance(value, dict) else {"": value}
            lines += [
                f"{name}.{key} = {json.dumps(v)}".replace(". =", " =") for key, v in table.items()
            ]
        return "\n".join(lines)

    def model_fields_json(self) -> str:
        """Return the fields that decide the model, as canonical JSON.

        They are `task`, `scope`, `seed`, `[record]`, `[model]` and `[label]`, without `trust`,
        which changes nothing that is learned, and without the name of the labels' topic.
        """
        included = {"task", "seed", "record", "model"} | ({"label"} if self.label else set())
        included |= {"scope"} if self.scope == "partition" else set()
        fields = self.model_dump(mode="json", include=included)
        del fields["model"]["trust"]
        if self.model.compile == "off":
            del fields["model"]["compile"]  # as it was before there was a choice
        if self.label:
            fields["label"]["topic"] = self.label.topic is not None
        warm_up = self.record.warm_up
        if warm_up is not None and warm_up.is_relative_to(self._folder):
            # The folder may move; the model does not change with it.
            fields["record"]["warm_up"] = warm_up.relative_to(self._folder).as_posix()
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    def model_digest(self) -> str:
        """Return the SHA-256 of `model_fields_json` in hexadecimal."""
        return hashlib.sha256(self.model_fields_json().encode()).hexdigest()


def _sentence(error: ErrorDetails, source: str) -> str:
    """Return an error in a sentence that begins with the variable or the file it came from."""
    place = error["loc"]
    variable = origin(place, os.environ)
    if variable is not None:
        return f"{variable}: {refusal.sentence(Config, error, 'correct it')}"
    remedy = f"correct it in the file or in {name_of(place)}"
    variables = " and ".join(over(place, os.environ))
    said = f"{source} with {variables}" if variables else source
    return f"{said}: {refusal.sentence(Config, error, remedy)}"


def load(path: Path) -> Config:
    """Read a TOML file, with the environment over it.

    Raises
    ------
    ConfigError
        The file cannot be read, is not TOML, or does not say something that can be done.
    """
    try:
        values = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise ConfigError(f"wanted a configuration, got no file {path}: check the path") from None
    except OSError as error:
        raise ConfigError(
            f"wanted a configuration, got {path}, which cannot be read "
            f"({error.strerror}): name a TOML file that can"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path.name}: wanted UTF-8, got {error.reason} at byte {error.start}: "
            "save the file as UTF-8"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path.name}: wanted TOML, got: {error}; correct that place") from error
    return Config.of(values, path.absolute().parent, path.name)


# What `model_fields_json` leaves out where it is as it always was.
_UNSAID = {"compile": "off"}


def differences(saved: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> list[str]:
    """Return what differs between two parsed `model_fields_json`, as "path: saved -> now".

    Examples
    --------
    >>> differences({"seed": 1, "model": {"gather": None}}, {"seed": 2, "model": {"gather": None}})
    ['seed: 1 -> 2']
    >>> differences({"model": {}}, {"model": {"compile": "auto"}})
    ['model.compile: "off" -> "auto"']
    """
    found: list[str] = []
    for name in sorted({*saved, *now}):
        old, new = (fields.get(name, _UNSAID.get(name)) for fields in (saved, now))
        where = f"{path}{name}"
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{where}.")
        elif old != new or type(old) is not type(new):
            found.append(f"{where}: {json.dumps(masked(old))} -> {json.dumps(masked(new))}")
    return found
