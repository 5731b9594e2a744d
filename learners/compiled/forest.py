"""Forests of Hoeffding trees that follow a stream: adaptive random forest, bagging, patches."""

from __future__ import annotations

import math
from typing import Any, Self

from river import drift, forest, metrics

from learners.base import LEARN, Floats, State
from learners.compiled.care import REPLACE, REPLACE_WORST, Care
from learners.compiled.flow import Flow
from learners.compiled.grove import Grove, cores
from learners.compiled.own import Own, positive, seed_of, share, whole
from learners.compiled.rules import ALL, SQUARE_ROOT, Rules
from learners.compiled.tree import river_rules
from learners.compiled.twins import NoTwinError, twin
from learners.errors import LearnerError

# The most trees, and the highest mean weight of a row: drawing takes as many steps.
MODELS, RATE = 10_000, 100.0


class AdaptiveRandomForestClassifier(Own):
    """Adaptive random forest (Gomes et al., 2017) of Hoeffding trees with MOA's conventions.

    Each tree learns each row with a weight drawn from Poisson(6), each leaf looks at columns of
    its own. A tree whose errors seem to rise (ADWIN) gets a young one behind it, which takes its
    place when they have risen. Votes weigh as much as their tree was right.

    Time of a row: O(n_models x (depth + columns of a leaf x classes in it)), side by side on
    `threads`. Memory: 48 bytes for each column and class of a leaf.

    Parameters
    ----------
    n_models
        How many trees.
    max_features
        Columns of a leaf: "sqrt" for round(sqrt(d)) + 1 of the d that a row has, a share of them,
        or how many.
    rate
        Mean weight of a row.
    grace, delta, tau, max_nodes
        See `learners.compiled.tree.HoeffdingTreeClassifier`.
    warning_delta, drift_delta
        Confidence of the two windows of errors.
    seed
        Of all that is drawn; a service gives it its own where it is left out.
    threads
        How many trees run at once, None for one on each core; no result depends on it.

    Examples
    --------
    >>> import numpy as np
    >>> from learners.base import Classes, Examples
    >>> rows, y = [{"x": 1.0}, {"x": 9.0}, {"x": 1.2}], np.array([0.0, 1.0, 0.0])
    >>> learner = AdaptiveRandomForestClassifier(n_models=3, seed=1)
    >>> learner.predict_learn(Examples.of(rows, y, Classes("ab"))).value
    array([nan,  0.,  0.])
    """

    def __init__(
        self,
        n_models: int = 10,
        max_features: str | float = "sqrt",
        rate: float = 6.0,
        grace: int = 50,
        delta: float = 0.01,
        tau: float = 0.05,
        max_nodes: int = 100_000,
        warning_delta: float = 0.01,
        drift_delta: float = 0.001,
        seed: int | None = None,
        threads: int | None = None,
    ) -> None:
        rules = _rules(grace, delta, tau, max_nodes, columns_of(max_features), False)
        care = care_of(rate, warning_delta, drift_delta)
        super().__init__(_side_by_side(rules, care, n_models, seed, threads))


class StreamingRandomPatchesClassifier(Own):
    """Streaming random patches (Gomes, Read and Bifet, 2019) of Hoeffding trees.

    As `AdaptiveRandomForestClassifier`, but a tree draws its columns once, and the young tree
    behind it its own.

    Parameters
    ----------
    max_features
        Columns of a tree: a share of those that its first row has, "sqrt" or how many.
    n_models, rate, grace, delta, tau, max_nodes, warning_delta, drift_delta, seed, threads
        See `AdaptiveRandomForestClassifier`.
    """

    def __init__(
        self,
        n_models: int = 10,
        max_features: str | float = 0.6,
        rate: float = 6.0,
        grace: int = 50,
        delta: float = 0.01,
        tau: float = 0.05,
        max_nodes: int = 100_000,
        warning_delta: float = 0.0001,
        drift_delta: float = 0.00001,
        seed: int | None = None,
        threads: int | None = None,
    ) -> None:
        rules = _rules(grace, delta, tau, max_nodes, columns_of(max_features), True)
        care = care_of(rate, warning_delta, drift_delta)
        super().__init__(_side_by_side(rules, care, n_models, seed, threads))


class LeveragingBaggingClassifier(Own):
    """Leveraging bagging (Bifet, Holmes and Pfahringer, 2010) of Hoeffding trees.

    When the errors of any tree have risen (ADWIN), the tree that errs most begins anew: the trees
    hang together row by row, and so learn on one thread.

    Parameters
    ----------
    n_models, rate, grace, delta, tau, max_nodes, drift_delta, seed
        See `AdaptiveRandomForestClassifier`.
    """

    def __init__(
        self,
        n_models: int = 10,
        rate: float = 6.0,
        grace: int = 200,
        delta: float = 1e-7,
        tau: float = 0.05,
        max_nodes: int = 100_000,
        drift_delta: float = 0.002,
        seed: int | None = None,
    ) -> None:
        rules = _rules(grace, delta, tau, max_nodes, 0.0, False)
        care = Care(
            rate=positive("rate", rate, RATE),
            drift=REPLACE_WORST,
            drift_delta=share("drift_delta", drift_delta),
        )
        super().__init__(
            Grove(rules, care, [whole("n_models", n_models, most=MODELS)], seed_of(seed))
        )


class RiverForest(Grove):
    """The trees of `river.forest.ARFClassifier`: the number of columns is that of the first row.

    Attributes
    ----------
    max_features
        As river takes it.
    """

    max_features: Any = "sqrt"

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats]:
        """See `learners.compiled.chain.Model.run`."""
        if self.rules.columns == SQUARE_ROOT:
            for i in ((flow.op & LEARN) != 0).nonzero()[0][:1]:
                count = (flow.taught[i] == flow.taught[i]).sum() + (flow.codes[i] >= 0).sum()
                self.rules = self.rules._replace(
                    columns=river_columns(self.max_features, int(count))
                )
        return super().run(flow, classes)

    def fresh(self) -> Self:
        """See `learners.compiled.chain.Model.fresh`."""
        model = super().fresh()
        model.max_features = self.max_features
        model.rules = self.rules._replace(columns=SQUARE_ROOT)
        return model

    def state(self) -> State:
        """See `learners.compiled.chain.Model.state`."""
        state = super().state()
        state.meta["columns"] = self.rules.columns
        return state

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model.restore`."""
        super().restore(state)
        self.rules = self.rules._replace(columns=state.meta["columns"])


def river_columns(wanted: Any, count: int) -> float:
    """Return how many of so many columns a forest of river looks at, by its `max_features`."""
    if wanted == "sqrt":
        wanted = round(math.sqrt(count))
    elif wanted == "log2":
        wanted = round(math.log2(count)) if count else 0
    elif isinstance(wanted, float):
        wanted = int(wanted * count)
    elif wanted is None:
        wanted = count
    if wanted < 0:
        wanted += count
    return float(min(max(wanted, 1), max(count, 1)))


@twin(forest.ARFClassifier)
def _adaptive_random_forest(estimator: forest.ARFClassifier) -> RiverForest:
    """Return a forest of the same distribution: other random numbers, the same conventions."""
    name = "ARFClassifier"
    if type(estimator.metric) is not metrics.Accuracy:
        raise NoTwinError(f"{name} with the metric {type(estimator.metric).__name__}")
    care = river_care(estimator)._replace(weighted=not estimator.disable_weighted_vote)
    model = RiverForest(
        river_rules(estimator)._replace(columns=SQUARE_ROOT),
        care,
        [1] * estimator.n_models,
        estimator.seed or 0,
        cores(),
        False,
        frozenset(estimator.nominal_attributes or ()),
    )
    model.max_features = estimator.max_features
    return model


def river_care(estimator: Any) -> Care:
    """Return how a forest of river treats its trees."""
    name = type(estimator).__name__
    if not isinstance(estimator.max_features, int | float | None) and (
        estimator.max_features not in ("sqrt", "log2")
    ):
        raise NoTwinError(f"{name} with max_features={estimator.max_features!r}")
    kinds = [estimator.warning_detector, estimator.drift_detector]
    care = Care(rate=float(estimator.lambda_value))
    if all(type(kind) is drift.NoDrift for kind in kinds):
        return care
    for kind in kinds:
        if type(kind) is not drift.ADWIN or not as_usual(kind):
            raise NoTwinError(f"{name} with {kind!r}")
    deltas = [float(kind.delta) for kind in kinds]
    return care._replace(drift=REPLACE, warning_delta=deltas[0], drift_delta=deltas[1], rises=False)


def as_usual(kind: drift.ADWIN) -> bool:
    """Say whether a window of river is but for its delta what all are here."""
    usual = drift.ADWIN()
    names = ("clock", "max_buckets", "min_window_length", "grace_period")
    return all(getattr(kind, name) == getattr(usual, name) for name in names)


def _rules(
    grace: float, delta: float, tau: float, max_nodes: int, columns: float, handed_down: bool
) -> Rules:
    return Rules(
        grace=positive("grace", grace),
        delta=share("delta", delta),
        tau=positive("tau", tau),
        nodes=whole("max_nodes", max_nodes),
        columns=columns,
        handed_down=handed_down,
    )


def care_of(rate: float, warning_delta: float, drift_delta: float) -> Care:
    """Return how an adaptive forest treats its trees."""
    return Care(
        rate=positive("rate", rate, RATE),
        drift=REPLACE,
        warning_delta=share("warning_delta", warning_delta),
        drift_delta=share("drift_delta", drift_delta),
        weighted=True,
    )


def _side_by_side(
    rules: Rules, care: Care, n_models: int, seed: int | None, threads: int | None
) -> Grove:
    pools = [1] * whole("n_models", n_models, most=MODELS)
    return Grove(rules, care, pools, seed_of(seed), threads_of(threads))


def threads_of(threads: int | None) -> int:
    """Return how many trees run at once."""
    return cores() if threads is None else whole("threads", threads)


def columns_of(max_features: str | float) -> float:
    """Return how many columns are drawn: see `learners.compiled.rules.Rules`."""
    if max_features == "sqrt":
        return SQUARE_ROOT
    if isinstance(max_features, float) and 0.0 < max_features <= 1.0:
        return ALL if max_features == 1.0 else max_features
    if not isinstance(max_features, int) or isinstance(max_features, bool) or max_features < 1:
        raise LearnerError(
            "wanted max_features as 'sqrt', a share up to 1.0 or a whole number from 1 on, got "
            f"{max_features!r}: give it one of these"
        )
    return float(max_features)
