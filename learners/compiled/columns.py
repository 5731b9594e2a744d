"""What a stage or model keeps by column: the names, and rows of numbers that grow with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from learners.base import State
from learners.compiled.flow import Fields, Flow, Places, placed
from learners.table import Floats

FEW = 2
"""A flow that has less than one in so many of the own columns is worked on with its own only."""


class Columns:
    """Numbers by column, for each column learned from so far.

    Parameters
    ----------
    first
        What a new column starts with: a number for each row of `values`.
    """

    def __init__(self, first: Sequence[float]) -> None:
        self._first = np.array(first, dtype=np.float64)[:, None]
        self._fields = Fields()
        # There may be room at the end, for columns to come.
        self._room = np.empty((len(first), 0))
        # Where the numbers belong that `keep` is to be given; None for all.
        self._lent: Places | None = None

    @property
    def names(self) -> list[Any]:
        """Names of the columns in the order they were first learned."""
        return self._fields.names

    @property
    def values(self) -> Floats:
        """float64[len(first), columns] in C order, to be written to."""
        if self._room.shape[1] > len(self._fields):
            self._room = np.ascontiguousarray(self._room[:, : len(self._fields)])
        return self._room

    def match(self, flow: Flow) -> tuple[Floats, Floats]:
        """Return the flow's `asked` and `taught` by own columns; see `Fields.match`."""
        if flow.names == self._fields.names:
            return flow.asked, flow.taught
        asked, taught = self._fields.match(flow)
        self._grow(len(self._fields))
        return asked, taught

    def some(self, flow: Flow) -> tuple[Floats, Floats, Floats]:
        """Return `asked` and `taught` by own columns, and the values, which `keep` takes back.

        Where the flow has few of them, as of those that words are made to, it is they alone, in
        their order: to what leaves a missing number alone that is the same, bit for bit, and a
        row costs what is in its block and not what was ever in any.
        """
        self._lent = None
        if flow.names == self.names:
            return flow.asked, flow.taught, self.values
        own, theirs = self._fields.some(flow)
        if FEW * len(flow.names) >= len(self._fields):
            self._grow(len(self._fields))
            return *self.match(flow), self.values
        self._grow(2 * len(self._fields))
        self._lent = own
        return *placed(flow, theirs), np.take(self._room, own, axis=1)

    def some_and_strangers(self, flow: Flow) -> tuple[list[Any], Floats, Floats, Floats]:
        """Return names and the same, and at the end the columns only asked about.

        To a stage they are worth what a new column starts with; `keep` leaves them out.
        """
        if flow.names == self.names:
            self._lent = None
            return flow.names, flow.asked, flow.taught, self.values
        asked, taught, values = self.some(flow)
        names = self.names if self._lent is None else [self.names[j] for j in self._lent.tolist()]
        known = set(names)
        strange = [j for j, name in enumerate(flow.names) if name not in known]
        if not strange:
            return names, asked, taught, values
        more = flow.asked[:, strange]
        wide = np.hstack((values, np.repeat(self._first, len(strange), axis=1)))
        return (
            names + [flow.names[j] for j in strange],
            np.hstack((asked, more)),
            np.hstack((taught, np.full_like(more, np.nan))),
            wide,
        )

    def keep(self, values: Floats) -> None:
        """Go on with the values that were given."""
        if self._lent is not None:
            self._room[:, self._lent] = values[:, : len(self._lent)]
        elif values is not self._room:
            self._room = np.ascontiguousarray(values[:, : len(self.names)])

    def state(self) -> State:
        """See `learners.compiled.chain.Stage`."""
        own = self._room[:, : len(self.names)]
        return State(meta={"names": list(self.names)}, arrays={"values": np.array(own, order="C")})

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Stage`."""
        self._fields = Fields(state.meta["names"])
        self._room = np.array(state.arrays["values"], order="C")

    def _grow(self, room: int) -> None:
        """Let new columns start; where there is no room for them make so much."""
        columns = self._room.shape[1]
        if columns < len(self._fields):
            more = np.repeat(self._first, room - columns, axis=1)
            self._room = np.hstack((self._room, more))
