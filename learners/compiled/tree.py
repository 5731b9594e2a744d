"""The Hoeffding tree for classes: under this project's own name, and as river's twin."""

from __future__ import annotations

import inspect
from typing import Any

from river import tree

from learners.compiled.care import Care
from learners.compiled.grove import Grove
from learners.compiled.own import Own, positive, share, whole
from learners.compiled.rules import (
    BY_BAYES,
    BY_BETTER,
    BY_MAJORITY,
    GAIN,
    GINI,
    Rules,
)
from learners.compiled.twins import NoTwinError, twin

ANSWERS = {"mc": BY_MAJORITY, "nb": BY_BAYES, "nba": BY_BETTER}
CRITERIA = {"info_gain": GAIN, "gini": GINI}
ENDLESS = 10**9
# Nodes at which a twin stops to split; river looks at the bytes of its objects now and then.
MOST_NODES = 100_000


class HoeffdingTreeClassifier(Own):
    """Hoeffding tree (Domingos and Hulten, 2000) with MOA's conventions.

    Leaves answer by majority or by naive Bayes (Gaussians for numbers), whichever was right more
    often in the leaf (Holmes, Kirkby and Pfahringer, 2005); a category is split into a branch for
    each word; a row without the value asked for goes where most rows went.

    Time of a row: O(depth + fields x classes in the leaf); every `grace` rows of a leaf, 10
    thresholds more for each field. Memory: 48 bytes for each field, class and leaf, for at most
    `max_nodes` nodes.

    Parameters
    ----------
    grace
        Weight that a leaf learns between two tries to split.
    delta
        One minus the confidence in the choice of a split.
    tau
        Below this bound the best of two equal splits is taken.
    max_depth
        Deepest level that may split; None for no limit.
    max_nodes
        The tree stops to split when it has so many.

    Examples
    --------
    >>> import numpy as np
    >>> from learners.base import Classes, Examples
    >>> rows, y = [{"x": 1.0}, {"x": 9.0}, {"x": 1.2}], np.array([0.0, 1.0, 0.0])
    >>> learner = HoeffdingTreeClassifier(grace=50)
    >>> learner.predict_learn(Examples.of(rows, y, Classes("ab"))).value
    array([nan,  0.,  0.])
    """

    def __init__(
        self,
        grace: int = 200,
        delta: float = 1e-7,
        tau: float = 0.05,
        max_depth: int | None = None,
        max_nodes: int = 100_000,
    ) -> None:
        rules = Rules(
            grace=positive("grace", grace),
            delta=share("delta", delta),
            tau=positive("tau", tau),
            depth=ENDLESS if max_depth is None else whole("max_depth", max_depth),
            nodes=whole("max_nodes", max_nodes),
        )
        super().__init__(Grove(rules, Care(), [1]))


@twin(tree.HoeffdingTreeClassifier)
def _hoeffding_tree(estimator: tree.HoeffdingTreeClassifier) -> Grove:
    """Return river's tree with river's conventions.

    Three things of river have no like here. It counts the bytes of its Python objects every
    `memory_estimate_period` records and puts leaves to sleep beyond `max_size`: the twin stops to
    split at 100,000 nodes, and is the same as long as river's tree stays within `max_size`, or the
    period. Other bounds than river's own have no twin. Of columns
    with equal merits the last wins, by the order of keys in the leaf's first row; here by the
    order in which columns first came, numbers before words. And where a category has two words in
    a leaf, river may, by the last bit of a sum, ask "is it this one" for the word with the lower
    hash in place of "which one": with `gini`, or three classes and more. The twin asks which one;
    a third word that comes later goes elsewhere.
    """
    nominal = frozenset(estimator.nominal_attributes or ())
    return Grove(river_rules(estimator), Care(), [1], nominal=nominal)


def river_rules(estimator: Any) -> Rules:
    """Return the rules of a tree, or of the trees of a forest, of river."""
    name, splitter = type(estimator).__name__, estimator.splitter
    answer = estimator.leaf_prediction
    if splitter is not None and type(splitter) is not tree.splitter.GaussianSplitter:
        raise NoTwinError(f"{name} with the splitter {type(splitter).__name__}")
    if estimator.binary_split:
        raise NoTwinError(f"{name} with binary_split, which tries words in the order of their hash")
    if estimator.stop_mem_management:
        raise NoTwinError(f"{name} with stop_mem_management")
    if estimator.remove_poor_attrs and answer == "mc":
        raise NoTwinError(f"{name} with remove_poor_attrs")
    refuse_bounds(estimator)
    if not 0.0 < estimator.delta <= 1.0:
        raise NoTwinError(f"{name} with delta={estimator.delta!r}")
    if estimator.split_criterion not in CRITERIA:
        raise NoTwinError(f"{name} with split_criterion={estimator.split_criterion!r}")
    return Rules(
        rivers=True,
        answer=ANSWERS[answer],
        criterion=CRITERIA[estimator.split_criterion],
        grace=float(estimator.grace_period),
        delta=float(estimator.delta),
        tau=float(estimator.tau),
        depth=ENDLESS if estimator.max_depth is None else int(estimator.max_depth),
        points=10 if splitter is None else int(splitter.n_splits),
        share=float(estimator.max_share_to_split),
        fraction=float(estimator.min_branch_fraction),
        preprune=bool(estimator.merit_preprune),
        threshold=float(estimator.nb_threshold),
        nodes=MOST_NODES,
    )


def refuse_bounds(estimator: Any) -> None:
    """Raise where a tree or forest of river is to hold other bytes than it usually may."""
    usual = inspect.signature(type(estimator)).parameters
    for name in ("max_size", "memory_estimate_period"):
        if getattr(estimator, name) != usual[name].default:
            raise NoTwinError(
                f"{type(estimator).__name__} with {name}={getattr(estimator, name)!r}, "
                "by which river counts the bytes of its objects"
            )
