"""The client: predictions by key, from Python."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from learners.base import Label, Task
from stream.answers import name_of
from stream.config import Config, load
from stream.store import Entry
from stream.store_kinds import open_store


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """A stored prediction.

    Attributes
    ----------
    key
        The record's key.
    prediction
        The label, number or anomaly score; None while the model had no answer.
    probabilities
        Of the classes above 0, by name; None if the learner gives none.
    score
        The anomaly score, or the probability of the predicted class; None if there is neither.
    lineage, sequence
        The model version that answered.
    topic, partition, offset
        Where the record lies in the log.
    time
        The record's event time in milliseconds.
    age_ms
        Milliseconds from then to the look-up.
    """

    key: str
    prediction: Label | None
    probabilities: dict[str, float] | None
    score: float | None
    lineage: int
    sequence: int
    topic: str
    partition: int
    offset: int
    time: int
    age_ms: int

    @property
    def version(self) -> str:
        """The model version as text."""
        return f"{self.lineage}@{self.sequence}"

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as JSON values."""
        return {"key": self.key, "version": self.version} | dataclasses.asdict(self)


class Client:
    """Looks up predictions of a service, while it runs or not; a context manager.

    Parameters
    ----------
    config
        The service's configuration.
    clock
        Milliseconds since 1970.

    Raises
    ------
    StoreError
        The store cannot be used.

    Examples
    --------
    >>> with Client.from_file("alluvia.toml") as client:  # doctest: +SKIP
    ...     client.lookup("sensor-7")[0].prediction
    'UP'
    """

    def __init__(
        self, config: Config, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._task = config.task
        self._clock = clock
        self._store = open_store(config)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Return the client of the service that a TOML file describes."""
        return cls(load(Path(path)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lookup(self, *keys: str) -> list[Prediction | None]:
        """Return the prediction of each key, None where there is none.

        A key with surrogates stands for bytes that are not UTF-8. It has no prediction: a record
        under such a key is set aside.

        Raises
        ------
        StoreError
            The store cannot be reached.
        """
        possible = [key for key in keys if _is_utf8(key)]
        found = dict(zip(possible, self._store.get(possible), strict=True))
        now = self._clock()
        entries = map(found.get, keys)
        return [None if entry is None else self._prediction(entry, now) for entry in entries]

    def close(self) -> None:
        """Let go of connections."""
        self._store.close()

    def _prediction(self, entry: Entry, now: int) -> Prediction:
        value = json.loads(entry.prediction)
        chances = json.loads(entry.probabilities) if entry.probabilities else None
        score = None
        if self._task is Task.ANOMALY:
            score = value
        elif chances is not None and value is not None:
            score = chances.get(name_of(value))
        return Prediction(
            entry.key, value, chances, score, entry.lineage, entry.sequence, entry.topic,
            entry.partition, entry.offset, entry.time, now - entry.time,
        )  # fmt: skip


def _is_utf8(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
