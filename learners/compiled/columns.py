"""What a stage or model keeps by column: the names, and rows of numbers that grow with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from learners.base import State
from learners.compiled.flow import Fields, Flow
from learners.table import Floats


class Columns:
    """Numbers by column, for each column learned from so far.

    Parameters
    ----------
    first
        What a new column starts with: a number for each row of `values`.

    Attributes
    ----------
    values
        float64[len(first), columns] in C order.
    """

    def __init__(self, first: Sequence[float]) -> None:
        self._first = np.array(first, dtype=np.float64)[:, None]
        self._fields = Fields()
        self.values = np.empty((len(first), 0))

    @property
    def names(self) -> list[Any]:
        """Names of the columns in the order they were first learned."""
        return self._fields.names

    def match(self, flow: Flow) -> tuple[Floats, Floats]:
        """Return the flow's `asked` and `taught` by own columns; see `Fields.match`."""
        if flow.names == self._fields.names:
            return flow.asked, flow.taught
        asked, taught = self._fields.match(flow)
        more = len(self._fields) - self.values.shape[1]
        if more:
            self.values = np.hstack((self.values, np.repeat(self._first, more, axis=1)))
        return asked, taught

    def match_all(self, flow: Flow) -> tuple[list[Any], Floats, Floats, Floats]:
        """Return names, `asked`, `taught` and values, at the end the columns only asked about.

        To a stage they are worth what a new column starts with. It gives the values back to
        `keep`, which leaves those at the end out.
        """
        if flow.names == self._fields.names:
            return flow.names, flow.asked, flow.taught, self.values
        asked, taught = self.match(flow)
        known = set(self.names)
        strange = [j for j, name in enumerate(flow.names) if name not in known]
        if not strange:
            return self.names, asked, taught, self.values
        more = flow.asked[:, strange]
        wide = np.hstack((self.values, np.repeat(self._first, len(strange), axis=1)))
        names = self.names + [flow.names[j] for j in strange]
        return (
            names,
            np.hstack((asked, more)),
            np.hstack((taught, np.full_like(more, np.nan))),
            wide,
        )

    def keep(self, values: Floats) -> None:
        """Go on with the values that `match_all` gave."""
        if values is not self.values:
            self.values = np.ascontiguousarray(values[:, : len(self.names)])

    def state(self) -> State:
        """See `learners.compiled.chain.Stage`."""
        return State(
            meta={"names": list(self.names)}, arrays={"values": np.array(self.values, order="C")}
        )

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Stage`."""
        self._fields = Fields(state.meta["names"])
        self.values = np.array(state.arrays["values"], order="C")
