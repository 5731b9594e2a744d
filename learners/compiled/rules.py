"""What a tree goes by: its parameters, as kernels take them."""

from __future__ import annotations

from typing import NamedTuple

# Conventions: this project's, which are MOA's, and river's.
OURS, RIVERS = 0, 1
# What a leaf answers with.
BY_MAJORITY, BY_BAYES, BY_BETTER = 0, 1, 2
# What a split is judged by.
GAIN, GINI = 0, 1
# Which columns a leaf looks at: all, round(sqrt(d)) + 1 of d, or rules.columns of them, a number
# from 1 on or a share below.
ALL, SQUARE_ROOT = 0.0, -1.0


class Rules(NamedTuple):
    """Parameters of trees.

    Attributes
    ----------
    rivers
        True for river's conventions, None for this project's, where they differ: naive Bayes,
        ties, missing values. None is a type of its own: what only river does is not compiled then.
    answer
        BY_MAJORITY, BY_BAYES or BY_BETTER of both in the leaf so far.
    criterion
        GAIN or GINI.
    grace
        Weight that a leaf learns between two tries to split.
    delta
        One minus the confidence in the choice of a split.
    tau
        A bound below it ends a tie.
    depth
        Deepest level that splits no more.
    points
        Thresholds tried for a number.
    share
        A leaf with a class beyond this share of the weight is not split.
    fraction
        Share of the weight that two branches at least must have.
    preprune
        Whether not to split competes as well, with a merit of minus infinity.
    threshold
        Weight from which a leaf answers by naive Bayes, where it does so always.
    nodes
        Nodes beyond which nothing splits.
    columns
        ALL, SQUARE_ROOT, a number or a share of the columns.
    handed_down
        Whether a tree draws its columns once, or each leaf its own.
    half
        Exponent of a square root. A constant would be compiled to another last bit than that of
        river's `** 0.5`, and a leaf's weight may hang on it.
    """

    rivers: bool | None = None
    answer: int = BY_BETTER
    criterion: int = GAIN
    grace: float = 200.0
    delta: float = 1e-7
    tau: float = 0.05
    depth: int = 1_000
    points: int = 10
    share: float = 1.0
    fraction: float = 0.01
    preprune: bool = True
    threshold: float = 0.0
    nodes: int = 100_000
    columns: float = ALL
    handed_down: bool = False
    half: float = 0.5
