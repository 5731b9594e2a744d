"""What a regression tree goes by: its parameters, as kernels take them."""

from __future__ import annotations

from typing import NamedTuple

from learners.compiled.jit import part
from learners.compiled.rules import ALL, OURS

# What a leaf answers with.
BY_MEAN, BY_MODEL, BY_BETTER = 0, 1, 2
# What a cell stands for: a value and all below it, an interval of one width for all columns, an
# interval as wide as it takes to have few of them.
EXTENDED, EVEN, FITTING = 0, 1, 2


class Rules(NamedTuple):
    """Parameters of regression trees.

    Attributes
    ----------
    convention
        OURS or RIVERS, where they differ: the linear model, the last steps of a split.
    answer
        BY_MEAN, BY_MODEL or BY_BETTER, which had the smaller errors of late.
    observer
        EXTENDED, EVEN or FITTING.
    radius
        Width of the intervals that are EVEN.
    most
        Cells of a column in a leaf.
    grace
        Weight that a leaf learns between two tries to split.
    delta
        One minus the confidence in the choice of a split.
    tau
        A bound below it ends a tie.
    depth
        Deepest level that splits no more.
    least
        Weight that each branch must have.
    binary
        Whether a category never splits into a branch for each word.
    preprune
        Whether not to split competes as well, with a merit of minus infinity.
    decay
        How much of the errors so far counts as much as the next one.
    rate, intercept_rate, intercept, clip
        Of the linear model's gradient descent.
    nodes
        Nodes beyond which nothing splits.
    columns
        See `learners.compiled.rules.Rules`; a leaf draws those that it may split by.
    """

    convention: int = OURS
    answer: int = BY_BETTER
    observer: int = FITTING
    radius: float = 0.0
    most: int = 64
    grace: float = 200.0
    delta: float = 1e-7
    tau: float = 0.05
    depth: int = 1_000
    least: float = 5.0
    binary: bool = True
    preprune: bool = True
    decay: float = 0.99
    rate: float = 0.1
    intercept_rate: float = 0.1
    intercept: float = 0.0
    clip: float = 0.0
    nodes: int = 100_000
    columns: float = ALL


@part
def unmet(rules: Rules) -> int:
    """Return what a column is to a new leaf: not met yet, or not looked at."""
    return int(rules.columns == ALL) - 1
