"""A chain of compiled stages with a model at its end, as a learner."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from learners.base import (
    LEARN,
    Classes,
    Examples,
    Floats,
    Label,
    Predictions,
    State,
    Task,
)
from learners.compiled.flow import Flow
from learners.compiled.pieces import Wide, rows_at_once, rows_of_new_columns, terse
from learners.compiled.sides import Sides
from learners.errors import LearnerFailedError, StateError, no_weights
from learners.from_river import name_of


class Stage(Protocol):
    """A transformer: makes other columns of a block, and learns from it."""

    @property
    def spreads(self) -> bool:
        """Whether it makes columns of values."""
        ...

    def run(self, flow: Flow) -> Flow:
        """Return the columns after this stage, row by row: asked, then learned, then taught."""
        ...

    def fresh(self) -> Self:
        """Return an untrained one with the same parameters."""
        ...

    def state(self) -> State:
        """Return a copy of the state, which depends on the rows learned and on nothing else."""
        ...

    def restore(self, state: State) -> None:
        """Become the one that gave this state."""
        ...


class Stateless:
    """What a stage that learns nothing has of a state."""

    spreads = False

    def fresh(self) -> Self:
        """See `Stage.fresh`."""
        return self

    def state(self) -> State:
        """See `Stage.state`."""
        return State()

    def restore(self, state: State) -> None:
        """See `Stage.restore`."""


class Model(Protocol):
    """What answers: one kernel call a block, each row answered before it is learned."""

    task: Task
    two_classes: bool
    takes_weight: bool

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats | None]:
        """Return answers and probabilities.

        Parameters
        ----------
        flow
            For a classifier `y` holds its own codes: classes in the order they were first
            learned, or 0 and 1 where it only tells two apart.
        classes
            How many of these codes there are.

        Returns
        -------
        value
            float64[n]: target, score or own code of the class; NaN if not asked or not known.
        proba
            float64[n, classes] by own code, 0 for a class not learned before the row; or None.
        """
        ...

    def fresh(self) -> Self:
        """See `Stage.fresh`."""
        ...

    def state(self) -> State:
        """See `Stage.state`."""
        ...

    def restore(self, state: State) -> None:
        """See `Stage.restore`."""
        ...


class Chain:
    """Compiled stages and a model as a learner.

    Parameters
    ----------
    stages
        Run in order before the model.
    model
        What answers.
    source
        The untrained river estimator whose twin it is.
    positive
        The class that is True for a model that only tells two apart; see `learners.pair`.
    classes
        The classes known before the first row.
    """

    columnar = True

    def __init__(
        self,
        stages: Sequence[Stage],
        model: Model,
        source: Any,
        positive: Label | None = None,
        classes: Sequence[Label] = (),
    ) -> None:
        self.stages, self.model = list(stages), model
        self.source, self.name = source, name_of(source)
        self.positive, self.classes = positive, tuple(classes)
        self.task, self.two_classes = model.task, model.two_classes
        self.takes_weight = model.takes_weight
        self._sides = Sides(self.name, classes if self.two_classes else (), positive)
        self._labels: list[Label] = []
        self._wide = [part for part in (*stages, model) if isinstance(part, Wide)]
        self._spreads = any(stage.spreads for stage in stages)

    @property
    def estimator(self) -> object:
        """What a digest is taken of: the names of the parts, their parameters and states."""
        parts = [*self.stages, self.model]
        return ["compiled", [type(part).__name__ for part in parts], _plain(self.state())]

    @property
    def draws(self) -> bool:
        """Whether it draws other random numbers than the estimator that it is the twin of."""
        return bool(getattr(self.model, "draws", False))

    def predict_learn(self, rows: Examples) -> Predictions:
        """See `learners.base.Learner`."""
        if not self.takes_weight and ((rows.op & LEARN != 0) & (rows.weight != 1.0)).any():
            raise no_weights(self.name)
        if len(rows) == 1:
            return self._predict_learn(rows)
        table, start = rows.table(), 0
        most = rows_of_new_columns(table) if self._spreads else len(rows)
        answers: list[Predictions] = []
        refused: dict[int, str] = {}
        while start < len(rows) or not answers:
            size = min(most, rows_at_once(len(table.names), self._wide))
            if size >= len(rows):
                return self._predict_learn(rows)
            try:
                answers.append(self._predict_learn(rows[start : start + size]))
            except LearnerFailedError as error:
                raise LearnerFailedError(str(error), start + error.row) from error
            refused |= {start + row: why for row, why in answers[-1].refused.items()}
            start += size
        probas = [part.proba for part in answers if part.proba is not None]
        return Predictions(
            np.concatenate([part.value for part in answers]),
            np.concatenate(probas) if probas else None,
            refused,
        )

    def _predict_learn(self, rows: Examples) -> Predictions:
        if not (rows.op.flags.carray and rows.y.flags.carray and rows.weight.flags.carray):
            arrays = _own(rows.op), _own(rows.y), _own(rows.weight)
            rows = Examples(rows.table(), *arrays, rows.time, rows.classes)
        if self.task is not Task.CLASSIFICATION:
            value, _ = self._run(rows, rows.op, rows.y, 0)
            return Predictions(value)
        if self.two_classes:
            op, sides, refused = self._sides.take(rows)
            value, proba = self._run(rows, op, sides, 2)
            return self._sides.answer(rows, value, proba, refused)
        own = self._own_codes(rows, (rows.op & LEARN) != 0)
        value, proba = self._run(rows, rows.op, own, len(self._labels))
        return self._by_class(rows.classes, value, proba)

    def admit(self, rows: Examples) -> tuple[int, str]:
        """Any field at any time, and any class unless the model knows only two."""
        if self.two_classes:
            _, _, refused = copy.deepcopy(self._sides).take(rows)
            for row, reason in refused.items():
                return row, reason
        return len(rows), ""

    def fresh(self) -> Chain:
        """See `learners.base.Learner`."""
        stages = [stage.fresh() for stage in self.stages]
        return Chain(stages, self.model.fresh(), self.source, self.positive, self.classes)

    def state(self) -> State:
        """See `learners.base.Learner`."""
        parts: list[Stage | Model] = [*self.stages, self.model]
        meta = {
            "road": "compiled",
            "name": self.name,
            "labels": list(self._labels),
            "sides": self._sides.state(),
        }
        return State(meta=meta, members={str(i): part.state() for i, part in enumerate(parts)})

    def restore(self, state: State) -> None:
        """See `learners.base.Learner`."""
        meta = state.meta
        if meta.get("road") != "compiled" or meta["name"] != self.name:
            raise StateError(
                f"wanted the state of a compiled {self.name}, got that of "
                f"{meta.get('name', meta.get('road'))!r}: give the model another name, "
                "or its old configuration back"
            )
        self._labels = list(meta["labels"])
        self._sides.restore(meta["sides"])
        parts: list[Stage | Model] = [*self.stages, self.model]
        for i, part in enumerate(parts):
            part.restore(state.members[str(i)])

    def _run(
        self, rows: Examples, op: Any, y: Floats, classes: int
    ) -> tuple[Floats, Floats | None]:
        table = terse(rows.table())
        dense = _own(table.dense)
        flow = Flow(
            table.names,
            dense,
            dense,
            table.categories,
            table.codes,
            table.words,
            op,
            y,
            rows.weight,
            self._labels,
        )
        for stage in self.stages:
            flow = stage.run(flow)
        return self.model.run(flow, classes)

    def _own_codes(self, rows: Examples, learned: Any) -> Floats:
        """Return the model's codes of the labels; a class first learned here joins."""
        labels = rows.classes.labels
        own = {label: float(code) for code, label in enumerate(self._labels)}
        table = np.array([own.get(label, math.nan) for label in labels] + [math.nan])
        codes = np.where(np.isnan(rows.y), -1.0, rows.y).astype(np.int64)
        for code in dict.fromkeys(codes[learned & np.isnan(table[codes])].tolist()):
            table[code] = len(self._labels)
            self._labels.append(labels[code])
        return table[codes]

    def _by_class(self, classes: Classes, value: Floats, proba: Floats | None) -> Predictions:
        """Return answers by the stream's codes."""
        theirs = np.array([classes.codes.get(label, math.nan) for label in self._labels] or [0.0])
        known = np.where(np.isnan(value), 0.0, value).astype(np.int64)
        value = np.where(np.isnan(value), math.nan, theirs[known])
        if proba is None:
            return Predictions(value)
        whole = np.zeros((len(value), len(classes)))
        for own, code in enumerate(theirs[: len(self._labels)].tolist()):
            if not math.isnan(code):
                whole[:, int(code)] = proba[:, own]
        return Predictions(value, whole)


def _own(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as kernels are compiled for: a read-only or strided one takes another."""
    return array if array.flags.carray else np.array(array, order="C")


def _plain(state: State) -> dict[str, Any]:
    members = {name: _plain(member) for name, member in state.members.items()}
    return {"meta": state.meta, "arrays": dict(state.arrays), "members": members}
