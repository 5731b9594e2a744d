"""The Hoeffding tree for numbers: under this project's own name, and as river's twin."""

from __future__ import annotations

from typing import Any

from river import linear_model, optim, tree

from learners.compiled.care import Care
from learners.compiled.own import Own, positive, share, whole
from learners.compiled.regression_grove import RegressionGrove
from learners.compiled.regression_rules import (
    BY_BETTER,
    BY_MEAN,
    BY_MODEL,
    EVEN,
    EXTENDED,
    Rules,
)
from learners.compiled.rules import ALL, RIVERS
from learners.compiled.tree import ENDLESS, refuse_bounds
from learners.compiled.twins import NoTwinError, twin
from learners.errors import LearnerError

ANSWERS = {"mean": BY_MEAN, "model": BY_MODEL, "adaptive": BY_BETTER}
# Values of a column that a leaf of a twin tells apart, and nodes at which it stops to split.
MOST, MOST_NODES = 10_000, 20_000


class HoeffdingTreeRegressor(Own):
    """Hoeffding tree for numbers: FIMT-DD (Ikonomovska, Gama and Džeroski, 2011) without its drift.

    A leaf sums up the targets by at most 64 intervals of each column, as wide as its values need
    (after Mastelini and de Carvalho, 2021), and splits where the variance falls most; a category
    splits into one word and the rest. Of a category a leaf tells 64 words apart, the first that it
    met; a row with a further one counts to one of these. It answers with the mean of its targets
    or a linear model of the numbers in standard deviations, whichever erred less of late; a row
    without the value asked for goes where most rows went. A target far beyond those before counts
    for less: see `learners.compiled.regression_leaf.tamed`.

    Time of a row: O(depth + columns); every `grace` rows of a leaf, 64 thresholds for each
    column. Memory: at most 64 x 56 + 40 bytes, 3.6 kilobytes, for each column and leaf, for at
    most `max_nodes` nodes; room is doubled when it is full, so up to twice that.

    Parameters
    ----------
    grace
        Weight that a leaf learns between two tries to split.
    delta
        One minus the confidence in the choice of a split.
    tau
        Below this bound the best of two equal splits is taken.
    leaf
        What a leaf answers with: "mean", "model" or "adaptive", the better of both.
    max_depth
        Deepest level that may split; None for no limit.
    max_nodes
        The tree stops to split when it has so many.
    """

    def __init__(
        self,
        grace: int = 200,
        delta: float = 1e-7,
        tau: float = 0.05,
        leaf: str = "adaptive",
        max_depth: int | None = None,
        max_nodes: int = 100_000,
    ) -> None:
        rules = own_rules(grace, delta, tau, leaf, max_nodes)._replace(
            depth=ENDLESS if max_depth is None else whole("max_depth", max_depth)
        )
        super().__init__(RegressionGrove(rules, Care()))


def own_rules(grace: int, delta: float, tau: float, leaf: str, max_nodes: int) -> Rules:
    """Return the rules of a tree under this project's own name."""
    if leaf not in ANSWERS:
        raise LearnerError(f"wanted leaf as one of {', '.join(ANSWERS)}, got {leaf!r}: name one")
    return Rules(
        answer=ANSWERS[leaf],
        grace=positive("grace", grace),
        delta=share("delta", delta),
        tau=positive("tau", tau),
        nodes=whole("max_nodes", max_nodes),
    )


@twin(tree.HoeffdingTreeRegressor)
def _hoeffding_tree(estimator: tree.HoeffdingTreeRegressor) -> RegressionGrove:
    """Return river's tree with river's conventions.

    Four things of river have no like here. Its binary search trees grow with the values they
    meet: the twin is the same as long as no column of a leaf has more than 10,000 of them, after
    rounding; a further one counts to its neighbour. River counts the bytes of its objects every
    `memory_estimate_period` records and puts leaves to sleep beyond `max_size`: the twin stops to
    split at 20,000 nodes, and other bounds than river's own have no twin. Of columns with equal
    merits the last wins, by the order of keys in the leaf's first row; here by the order in which
    columns first came, numbers before words. And where a value is missing river adds up the
    weights of branches leaf by leaf, the twin row by row: a row may go elsewhere where weights are
    no sums of powers of two and branches weigh the same.
    """
    nominal = frozenset(estimator.nominal_attributes or ())
    rules, digits = river_rules(estimator, estimator.splitter)
    return RegressionGrove(rules, Care(), nominal=nominal, digits=digits)


def river_rules(estimator: Any, splitter: Any) -> tuple[Rules, int | None]:
    """Return the rules of a tree, or of the trees of a forest, of river, and decimal places."""
    name = type(estimator).__name__
    observer, radius, digits = EXTENDED, 0.0, None
    if type(splitter) is tree.splitter.TEBSTSplitter:
        digits = int(splitter.digits)
    elif type(splitter) is tree.splitter.QOSplitter and not splitter.allow_multiway_splits:
        observer, radius = EVEN, float(splitter.radius)
    elif type(splitter) is not tree.splitter.EBSTSplitter:
        multiway = getattr(splitter, "allow_multiway_splits", False)
        clause = f"{type(splitter).__name__}{' with allow_multiway_splits' if multiway else ''}"
        raise NoTwinError(f"{name} with the splitter {clause}")
    if estimator.stop_mem_management:
        raise NoTwinError(f"{name} with stop_mem_management")
    if estimator.remove_poor_attrs:
        raise NoTwinError(f"{name} with remove_poor_attrs")
    refuse_bounds(estimator)
    if not 0.0 < estimator.delta <= 1.0:
        raise NoTwinError(f"{name} with delta={estimator.delta!r}")
    if not estimator.grace_period > 0:
        raise NoTwinError(f"{name} with grace_period={estimator.grace_period!r}")
    answer = ANSWERS[estimator.leaf_prediction]
    if answer != BY_MEAN and estimator.nominal_attributes:
        raise NoTwinError(f"{name} with nominal_attributes and linear models in its leaves")
    rules = Rules(
        convention=RIVERS,
        answer=answer,
        observer=observer,
        radius=radius,
        most=MOST,
        grace=float(estimator.grace_period),
        delta=float(estimator.delta),
        tau=float(estimator.tau),
        depth=ENDLESS if estimator.max_depth is None else int(estimator.max_depth),
        least=float(estimator.min_samples_split),
        binary=bool(estimator.binary_split),
        preprune=bool(estimator.merit_preprune),
        decay=float(estimator.model_selector_decay),
        nodes=MOST_NODES,
        columns=ALL,
    )
    if answer == BY_MEAN:
        return rules, digits
    return _with_model(rules, estimator.leaf_model, name), digits


def _with_model(rules: Rules, model: Any, name: str) -> Rules:
    """Return the rules with those of the linear model in each leaf."""
    model = linear_model.LinearRegression() if model is None else model
    if type(model) is not linear_model.LinearRegression:
        raise NoTwinError(f"{name} with the leaf_model {type(model).__name__}")
    optimizer, constant = model.optimizer, optim.schedulers.Constant
    if type(optimizer) is not optim.SGD:
        raise NoTwinError(f"{name} with the optimizer {type(optimizer).__name__} in its leaves")
    if type(optimizer.lr) is not constant or type(model.intercept_lr) is not constant:
        raise NoTwinError(f"{name} with a leaf_model whose learning rate is not constant")
    if type(model.loss) is not optim.losses.Squared:
        raise NoTwinError(f"{name} with the loss {type(model.loss).__name__} in its leaves")
    if model.l1 or model.l2 or type(model.initializer) is not optim.initializers.Zeros:
        raise NoTwinError(f"{name} with a leaf_model with l1, l2 or an initializer")
    return rules._replace(
        rate=float(optimizer.lr.learning_rate),
        intercept_rate=float(model.intercept_lr.learning_rate),
        intercept=float(model.intercept_init),
        clip=float(model.clip_gradient),
    )
