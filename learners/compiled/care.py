"""How an ensemble treats its trees, and what it does about those that err more."""

from __future__ import annotations

from typing import NamedTuple

from learners.compiled.alarm import note, silence
from learners.compiled.chance import Seeds
from learners.compiled.jit import part
from learners.compiled.pool import NOBODY, Pool, Whole, fell, new_leaf
from learners.table import Floats

# What is done about drift: nothing, a new tree for each that errs more, or for the worst of all.
LEAVE, REPLACE, REPLACE_WORST = 0, 1, 2


class Care(NamedTuple):
    """How an ensemble treats its trees.

    Attributes
    ----------
    rate
        Mean of the Poisson distribution that weighs each row for each tree; 0: no drawing.
    drift
        LEAVE, REPLACE or REPLACE_WORST.
    warning_delta, drift_delta
        Of the two windows of errors; a tree grows in the background from a warning on.
    rises
        Whether only more errors count as a change.
    weighted
        Whether a vote weighs as much as the tree was right.
    """

    rate: float = 0.0
    drift: int = LEAVE
    warning_delta: float = 0.01
    drift_delta: float = 0.001
    rises: bool = True
    weighted: bool = False


class Stand(NamedTuple):
    """The trees of one pool.

    Attributes
    ----------
    roots
        int64[m, 2], of each tree and of the one behind it; -1 for none.
    chance
        uint64[m, 1], random numbers.
    right
        float64[m, 2], rows answered rightly, and rows.
    alarms
        int64[m, 2, ...], windows of errors for warnings and for drift.
    """

    roots: Whole
    chance: Seeds
    right: Floats
    alarms: Whole


@part
def watch(pool: Pool, care: Care, stand: Stand, t: int, wrong: bool) -> bool:
    """See whether errors call for a tree behind or put it in front; say if they changed."""
    behind = stand.roots[t, 1]
    if care.drift == REPLACE and note(stand.alarms[t, 0], wrong, care.warning_delta, care.rises):
        if behind >= 0:
            fell(pool, behind)
        behind = new_leaf(pool, NOBODY)
        stand.roots[t, 1] = behind
        silence(stand.alarms[t, 0])
    changed = note(stand.alarms[t, 1], wrong, care.drift_delta, care.rises)
    if changed and care.drift == REPLACE:
        fell(pool, stand.roots[t, 0])
        if behind >= 0:
            silence(stand.alarms[t, 0])
        else:
            behind = new_leaf(pool, NOBODY)
        stand.roots[t, 0] = behind
        stand.roots[t, 1] = -1
        silence(stand.alarms[t, 1])
        stand.right[t, 0] = stand.right[t, 1] = 0.0
    return changed


@part
def replace_worst(pool: Pool, stand: Stand) -> None:
    """Begin the tree anew that errs most in its window."""
    worst, most = -1, 0.0
    for t in range(len(stand.roots)):
        width, ones = stand.alarms[t, 1, -1, 0], stand.alarms[t, 1, -1, 1]
        if width > 0 and ones / width > most:
            worst, most = t, ones / width
    if worst >= 0:
        fell(pool, stand.roots[worst, 0])
        stand.roots[worst, 0] = new_leaf(pool, NOBODY)
        silence(stand.alarms[worst, 1])
