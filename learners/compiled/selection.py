"""Selection of columns, and their renaming."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from river import compose, preprocessing

from learners.base import LEARN, PREDICT
from learners.compiled.chain import Stateless
from learners.compiled.flow import Flow
from learners.compiled.twins import NoTwinError, twin
from learners.errors import LearnerFailedError
from learners.table import MISSING


class Select(Stateless):
    """Keeps some fields, each of which every row must have.

    Twin of `river.compose.Select`. O(d) a row.

    Parameters
    ----------
    keys
        Names of the fields.
    """

    def __init__(self, keys: set[Any]) -> None:
        self.keys = keys

    def run(self, flow: Flow) -> Flow:
        """See `learners.compiled.chain.Stage`."""
        kept = _where(flow, lambda name: name in self.keys)
        lack = np.zeros(len(flow.op), np.bool_)
        if len(kept.names) + len(kept.categories) < len(self.keys):
            lack[:] = True
        else:
            lack |= np.isnan(kept.asked).any(axis=1) & (flow.op & PREDICT != 0)
            if kept.taught is not kept.asked or (flow.op != PREDICT | LEARN).any():
                lack |= np.isnan(kept.taught).any(axis=1) & (flow.op & LEARN != 0)
            lack |= (kept.codes == MISSING).any(axis=1)
        lack &= flow.op != 0
        if lack.any():
            raise LearnerFailedError(
                f"Select wants the fields {', '.join(sorted(map(str, self.keys)))}, got a row "
                "without one of them: leave such rows out, or choose by Discard or SelectType",
                int(lack.argmax()),
            )
        return kept


class Filter(Stateless):
    """Keeps the fields that pass a test, where a row has them.

    Twin of river's `Discard` and `SelectType`. O(d) a row.

    Parameters
    ----------
    numbers, categories
        Tells from the name whether to keep a field of numbers, and one of strings.
    """

    def __init__(self, numbers: Callable[[Any], bool], categories: Callable[[Any], bool]) -> None:
        self._numbers, self._categories = numbers, categories

    def run(self, flow: Flow) -> Flow:
        """See `learners.compiled.chain.Stage`."""
        return _where(flow, self._numbers, self._categories)


class Renamed(Stateless):
    """Gives the fields other names.

    Twin of river's `Prefixer` and `Suffixer`. O(1) a row.

    Parameters
    ----------
    before, behind
        What to put at the ends of a name.
    """

    def __init__(self, before: str = "", behind: str = "") -> None:
        self.before, self.behind = before, behind

    def run(self, flow: Flow) -> Flow:
        """See `learners.compiled.chain.Stage`."""
        renamed = flow.numbers(self._all(flow.names), flow.asked, flow.taught)
        renamed.categories = self._all(flow.categories)
        return renamed

    def _all(self, names: list[Any]) -> list[Any]:
        return [f"{self.before}{name}{self.behind}" for name in names]


def _where(
    flow: Flow, numbers: Callable[[Any], bool], categories: Callable[[Any], bool] | None = None
) -> Flow:
    return flow.kept(
        [j for j, name in enumerate(flow.names) if numbers(name)],
        [j for j, name in enumerate(flow.categories) if (categories or numbers)(name)],
    )


@twin(compose.Select)
def _select(estimator: compose.Select) -> Select:
    return Select(set(estimator.keys))


@twin(compose.Discard)
def _discard(estimator: compose.Discard) -> Filter:
    keys = frozenset(estimator.keys)
    return Filter(lambda name: name not in keys, lambda name: name not in keys)


@twin(compose.SelectType)
def _select_type(estimator: compose.SelectType) -> Filter:
    types = estimator.types
    found = {issubclass(kind, types) for kind in (int, float, bool)}
    if len(found) > 1:
        raise NoTwinError("SelectType of some numbers: columns do not tell 1 from 1.0 and True")
    numbers, words = found.pop(), issubclass(str, types)
    return Filter(lambda _: numbers, lambda _: words)


@twin(compose.Prefixer)
def _prefixer(estimator: compose.Prefixer) -> Renamed:
    return Renamed(before=estimator.prefix)


@twin(compose.Suffixer)
def _suffixer(estimator: compose.Suffixer) -> Renamed:
    return Renamed(behind=estimator.suffix)


@twin(preprocessing.StatImputer)
@twin(preprocessing.PreviousImputer)
def _imputer(estimator: Any) -> None:
    raise NoTwinError(
        f"{type(estimator).__name__}: rows come without what they lack, so it fills nothing in"
    )
