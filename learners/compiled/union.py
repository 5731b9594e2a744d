"""Stages beside each other and behind each other, as one stage."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any, Self

import numpy as np
from river import base, compose

from learners.base import Floats, State
from learners.compiled.chain import Stage
from learners.compiled.flow import Flow
from learners.compiled.pieces import Wide
from learners.compiled.twins import NoTwinError, twin, twin_of
from learners.table import MISSING, moved


class _Stages:
    """Stages that make up one.

    Parameters
    ----------
    stages
        In order.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = list(stages)
        self.spreads = any(stage.spreads for stage in stages)

    @property
    def fields(self) -> Sized:
        """See `learners.compiled.pieces.Wide`."""
        wide = (stage.fields for stage in self.stages if isinstance(stage, Wide))
        return range(sum(map(len, wide)))

    def fresh(self) -> Self:
        """See `learners.compiled.chain.Stage`."""
        return type(self)([stage.fresh() for stage in self.stages])

    def state(self) -> State:
        """See `learners.compiled.chain.Stage`."""
        return State(members={str(i): stage.state() for i, stage in enumerate(self.stages)})

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Stage`."""
        for i, stage in enumerate(self.stages):
            stage.restore(state.members[str(i)])


class Steps(_Stages):
    """Stages behind each other. Twin of a `river.compose.Pipeline` of transformers."""

    def run(self, flow: Flow) -> Flow:
        """See `learners.compiled.chain.Stage`."""
        for stage in self.stages:
            flow = stage.run(flow)
        return flow


class Union(_Stages):
    """Stages beside each other; of two columns with one name a row takes the first it has.

    Twin of `river.compose.TransformerUnion`.
    """

    def run(self, flow: Flow) -> Flow:
        """See `learners.compiled.chain.Stage`."""
        flows = [stage.run(flow) for stage in self.stages]
        names = [name for part in flows for name in part.names]
        asked = _beside([part.asked for part in flows], names)
        taught = asked
        if any(part.taught is not part.asked for part in flows):
            taught = _beside([part.taught for part in flows], names)
        union = flow.numbers(list(dict.fromkeys(names)), asked, taught)
        union.categories, union.words, columns = [], [], []
        for part in flows:
            for j, name in enumerate(part.categories):
                if name not in union.categories:
                    union.categories.append(name)
                    union.words.append(part.words[j])
                    columns.append(part.codes[:, j])
                    continue
                place = union.categories.index(name)
                union.words[place] = list(union.words[place])
                other = moved(part.codes[:, j], part.words[j], union.words[place])
                columns[place] = np.where(columns[place] == MISSING, other, columns[place])
        union.codes = np.full((len(flow.op), len(columns)), MISSING, np.int32)
        for place, column in enumerate(columns):
            union.codes[:, place] = column
        return union


def _beside(matrices: list[Floats], names: list[Any]) -> Floats:
    """Return the columns of all, those of one name as one."""
    wide = [matrix for matrix in matrices if matrix.shape[1]]
    whole = np.hstack(wide) if len(wide) > 1 else (wide or matrices)[0]
    places: dict[Any, int] = {}
    for j, name in enumerate(names):
        first = places.setdefault(name, j)
        if first != j:
            gaps = np.isnan(whole[:, first])
            whole[gaps, first] = whole[gaps, j]
    return (
        whole
        if len(places) == len(names)
        else np.ascontiguousarray(whole[:, list(places.values())])
    )


@twin(compose.TransformerUnion)
def _union(estimator: compose.TransformerUnion) -> Union:
    return Union([twin_of(part) for part in estimator.transformers.values()])


@twin(compose.Pipeline)
def _steps(estimator: compose.Pipeline) -> Steps:
    for step in estimator.steps.values():
        if not isinstance(step, base.Transformer):
            raise NoTwinError(f"{type(step).__name__} in a pipeline inside another")
    return Steps([twin_of(step) for step in estimator.steps.values()])
