"""Forests of regression trees that follow a stream."""

from __future__ import annotations

import functools

from river import forest, tree

from learners.compiled.forest import (
    MODELS,
    care_of,
    columns_of,
    river_care,
    river_columns,
    threads_of,
)
from learners.compiled.grove import cores
from learners.compiled.own import Own, seed_of, whole
from learners.compiled.regression_grove import RegressionGrove
from learners.compiled.regression_tree import own_rules, river_rules
from learners.compiled.twins import NoTwinError, twin


class AdaptiveRandomForestRegressor(Own):
    """Adaptive random forest for numbers (Gomes et al., 2018).

    Each tree learns each row with a weight drawn from Poisson(6), and each leaf splits by columns
    of its own. A tree whose errors seem to grow (ADWIN) gets a young one behind it, which takes
    its place when they have grown. The mean of the trees answers.

    Time of a row: O(n_models x (depth + columns)), side by side on `threads`. Memory: that of
    `n_models` trees, see `learners.compiled.regression_tree.HoeffdingTreeRegressor`; a row of
    windows for each.

    Parameters
    ----------
    n_models
        How many trees.
    max_features
        Columns of a leaf: "sqrt" for round(sqrt(d)) + 1 of the d that a row has, a share of them,
        or how many.
    rate
        Mean weight of a row.
    grace, delta, tau, leaf, max_nodes
        See `learners.compiled.regression_tree.HoeffdingTreeRegressor`.
    warning_delta, drift_delta
        Confidence of the two windows of errors.
    seed
        Of all that is drawn; a service gives it its own where it is left out.
    threads
        How many trees run at once, None for one on each core; no result depends on it.
    """

    def __init__(
        self,
        n_models: int = 10,
        max_features: str | float = 0.6,
        rate: float = 6.0,
        grace: int = 50,
        delta: float = 0.01,
        tau: float = 0.05,
        leaf: str = "adaptive",
        max_nodes: int = 100_000,
        warning_delta: float = 0.01,
        drift_delta: float = 0.001,
        seed: int | None = None,
        threads: int | None = None,
    ) -> None:
        rules = own_rules(grace, delta, tau, leaf, max_nodes)._replace(
            columns=columns_of(max_features)
        )
        care = care_of(rate, warning_delta, drift_delta)
        models, own_seed = whole("n_models", n_models, most=MODELS), seed_of(seed)
        super().__init__(RegressionGrove(rules, care, models, own_seed, threads_of(threads)))


@twin(forest.ARFRegressor)
def _adaptive_random_forest(estimator: forest.ARFRegressor) -> RegressionGrove:
    """Return a forest of the same distribution: other random numbers, the same conventions.

    River's trees do not get the forest's `min_samples_split`; so these ask for its default, 5.
    """
    name = "ARFRegressor"
    mean = estimator.aggregation_method == "mean"
    if mean and not estimator.disable_weighted_vote:
        raise NoTwinError(f"{name} with disable_weighted_vote=False")
    splitter = estimator.splitter or tree.splitter.TEBSTSplitter()
    rules, digits = river_rules(estimator, splitter)
    least = tree.HoeffdingTreeRegressor().min_samples_split
    return RegressionGrove(
        rules._replace(least=float(least)),
        river_care(estimator),
        estimator.n_models,
        estimator.seed or 0,
        cores(),
        False,
        frozenset(estimator.nominal_attributes or ()),
        digits,
        not mean,
        functools.partial(river_columns, estimator.max_features),
    )
