"""What a model meets that it has not learned: fields it is only asked about, and words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from learners.base import LEARN
from learners.compiled.flow import Fields, Flow
from learners.errors import LearnerFailedError
from learners.table import MISSING, Floats


def introduced(flow: Flow, fields: Fields) -> tuple[Floats, Floats, Floats]:
    """Return a block by own columns, and apart what a row was asked of fields not yet learned.

    A field that is learned in mid-block is a stranger in the rows before, as it would be if the
    block had been cut there.

    Returns
    -------
    asked, taught
        As from `Fields.match`, but for strangers, which are missing in `asked`.
    strangers
        float64[n, s]: by row the values of strangers in ascending order, NaN after them. In that
        order a sum of them does not depend on where blocks are cut.
    """
    before = len(fields)
    asked, taught = fields.match(flow)
    places = {name: place for place, name in enumerate(fields.names)}
    new = [j for j, name in enumerate(flow.names) if places.get(name, before) >= before]
    if not new:
        return asked, taught, np.empty((len(asked), 0))
    strange = np.full((len(asked), len(new)), np.nan)
    # Where the flow's columns are already the own ones, nothing was copied.
    asked = asked.copy()
    for s, j in enumerate(new):
        learned = ~np.isnan(flow.taught[:, j]) & ((flow.op & LEARN) != 0)
        # A row is asked before it is learned, so the first row that learns the field counts too.
        end = int(learned.argmax()) + 1 if learned.any() else len(learned)
        strange[:end, s] = flow.asked[:end, j]
        if flow.names[j] in places:
            asked[:end, places[flow.names[j]]] = np.nan
    return asked, taught, np.sort(strange, axis=1)


def only_numbers(
    flow: Flow, name: str, ops: int = LEARN, fields: Collection[Any] | None = None
) -> None:
    """Raise `LearnerFailedError` at the first row that gives a word to a model of numbers.

    Parameters
    ----------
    flow
        The block.
    name
        Of the estimator.
    ops
        In rows of which operations a word is too much.
    fields
        In which fields it is; None for all.
    """
    names = [field for field in flow.categories if fields is None or field in fields]
    taken = [j for j, field in enumerate(flow.categories) if field in names]
    rows, places = np.nonzero((flow.codes[:, taken] != MISSING) & (flow.op & ops != 0)[:, None])
    if len(rows):
        raise LearnerFailedError(
            f"wanted numbers, got a string in {names[places[0]]}, which {name} cannot take: "
            "encode it in the pipeline, or leave the field out",
            int(rows[0]),
        )
