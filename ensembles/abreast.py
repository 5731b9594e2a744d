"""Members of an ensemble doing their part side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ensembles.members import Member
from learners.base import Examples, Predictions
from learners.compiled.chain import Chain
from learners.compiled.grove import cores

WORTH = 1_000
"""The fewest rows for which starting threads pays."""


def abreast(
    part: Callable[[Member], Predictions], members: Sequence[Member], rows: Examples
) -> list[Predictions]:
    """Return what each member makes of the rows, in the order of the members.

    Compiled members run on as many threads as there are cores, since kernels leave the
    interpreter to others; for learners in Python threads would only cost. No answer depends on it.
    """
    compiled = all(isinstance(member.learner, Chain) for member in members)
    threads = min(cores(), len(members))
    if not compiled or threads < 2 or len(rows) < WORTH:
        return [part(member) for member in members]
    rows.table()  # made once, and not by each
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(part, members))
