"""The members of a rolling ensemble: learners, each trained on one window."""

from __future__ import annotations

import copy
import dataclasses
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from river import base
from sklearn.base import clone

from learners.base import Examples, Label, Learner, Predictions, Task
from learners.compiled.chain import Chain
from learners.compiled.own import Own
from learners.compiled.pipeline import compiled
from learners.from_batch import FromBatch
from learners.from_river import FromRiver
from learners.roads import as_learner
from learners.schema import Schema
from learners.tabular import Tabular

_SEEDS = ("seed", "random_state")


@dataclasses.dataclass(slots=True)
class Member:
    """A learner and what the ensemble knows of it.

    Attributes
    ----------
    index
        How many members were opened before it.
    first
        Number of the first record of its window.
    learner
        What was trained on the window.
    learned
        Records it learned in its window.
    total, count
        Its discounted losses, see `ensembles.votes.discounted`.
    """

    index: int
    first: int
    learner: Learner
    learned: int = 0
    total: float = 0.0
    count: float = 0.0

    @property
    def schema(self) -> Schema | None:
        """The fields and classes it knows, where its kind of learner is bound to any."""
        return self.learner.schema if isinstance(self.learner, Tabular) else None

    @property
    def answers(self) -> bool:
        """Whether it has learned enough to answer."""
        return self.learner.ready if isinstance(self.learner, Tabular) else self.learned > 0

    def declare(self, classes: Sequence[Label] | None, fields: Sequence[Any] | None) -> None:
        """Make known what the stream is known to hold, where it matters to the learner."""
        if isinstance(self.learner, Tabular):
            self.learner.declare(classes, fields)

    def answer(self, rows: Examples) -> Predictions:
        """Answer all rows, which ask for nothing else, without learning."""
        if isinstance(self.learner, Tabular):
            return self.learner.predict(rows)
        return self.learner.predict_learn(rows)

    def go_on(self, rows: Examples) -> Predictions:
        """Answer all rows, and learn those that are to be learned if it still can.

        What is fitted once, at its close, only answers.
        """
        if isinstance(self.learner, FromBatch):
            return self.learner.predict(rows)
        return self.learner.predict_learn(rows)

    def close(self) -> None:
        """Fit, where the learner does that when its window closes."""
        if isinstance(self.learner, Tabular):
            self.learner.close()

    def to_json(self) -> dict[str, Any]:
        """Return all but the learner."""
        return {
            "index": self.index,
            "first": self.first,
            "learned": self.learned,
            "total": self.total,
            "count": self.count,
        }


class Asked(NamedTuple):
    """The record that was asked about last, alone, and what the closed members answered."""

    fields: list[Any]
    values: list[Any]
    classes: int
    members: list[Member]
    answers: tuple[Predictions, ...]

    @classmethod
    def of(cls, rows: Examples, members: list[Member], answers: list[Predictions]) -> Self:
        """Remember the answers of these members to the one row."""
        row = rows.rows[0]
        values = list(row.values())
        return cls(list(row), values, len(rows.classes), members, tuple(answers))

    def is_for(self, rows: Examples, members: list[Member]) -> bool:
        """Whether these very members would answer this very record."""
        row = rows.rows[0]
        return (
            self.members is members
            and self.classes == len(rows.classes)
            and self.fields == list(row)
            and all(map(operator.is_, self.values, row.values()))
        )


def make_learner(
    model: Any,
    seed: int | None,
    task: Task,
    positive: Label | None,
    classes: Sequence[Label] | None,
    window: int,
    index: int,
) -> Learner:
    """Return the untrained learner of the member of an index, see `seeded` and `as_learner`."""
    return as_learner(
        seeded(model, seed, index), task, positive=positive, classes=classes, window=window
    )


def seeded(model: Any, seed: int | None, index: int) -> Any:
    """Return an untrained copy of a model; seeds it leaves open are drawn from (seed, index).

    With `seed` None they stay open. A member's draws do not depend on the members before it. In
    a learner around an estimator, it is the estimator's seeds that are drawn.
    """
    if isinstance(model, FromRiver | Tabular):
        twin = model.fresh()
        twin.model = seeded(twin.model, seed, index)
        return twin
    if isinstance(model, Own):
        return model.fresh() if seed is None else model.with_seed(_drawn(seed, index))
    if isinstance(model, Chain):
        return compiled(seeded(model.source, seed, index), model.positive, model.classes)
    if not isinstance(model, base.Base) and not hasattr(model, "get_params"):
        return model.fresh() if hasattr(model, "fresh") else copy.deepcopy(model)
    if seed is None:
        return model.clone() if isinstance(model, base.Base) else clone(model)
    return _filled(model, _drawn(seed, index))


def _drawn(seed: int, index: int) -> int:
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0] >> 1)


def _filled(value: Any, seed: int) -> Any:
    """Return an untrained copy with the seeds set that are open at any depth."""
    if isinstance(value, base.Base):
        return value.clone(_river_seeds(value._get_params(), seed))
    if type(value) in (list, tuple):
        return type(value)(_filled(one, seed) for one in value)
    if type(value) is dict:
        return {name: _filled(one, seed) for name, one in value.items()}
    if isinstance(value, type) or not hasattr(value, "get_params"):
        return value
    twin = clone(value)
    left_open = [
        name
        for name, held in twin.get_params().items()
        if held is None and name.rsplit("__", 1)[-1] in _SEEDS
    ]
    return twin.set_params(**dict.fromkeys(left_open, seed))


def _river_seeds(parameters: dict[str, Any], seed: int) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    for name, value in parameters.items():
        if name in _SEEDS and value is None:
            filled[name] = seed
        elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dict):
            filled[name] = (value[0], _river_seeds(value[1], seed))
        else:
            filled[name] = _filled(value, seed)
    return filled
