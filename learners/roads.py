"""Which road an estimator takes to become a learner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from river import base
from sklearn.base import is_classifier, is_outlier_detector, is_regressor

from learners.base import Label, Learner, Task
from learners.errors import LearnerError
from learners.from_batch import FromBatch
from learners.from_river import FromRiver
from learners.from_sklearn import FromSklearn


def as_learner(
    estimator: Any,
    task: Task | None = None,
    positive: Label | None = None,
    classes: Sequence[Label] | None = None,
    gather: int | None = None,
    window: int = 1_000,
    trust: frozenset[str] = frozenset(),
) -> Learner:
    """Return a learner around an estimator, found by looking at what it can do.

    A learner is returned as it is; a river estimator takes `FromRiver`, one with partial_fit
    `FromSklearn`, one with only fit `FromBatch`.

    Parameters
    ----------
    estimator
        An instance of a river or scikit-learn estimator, or of a learner.
    task
        What it should answer with; None asks the estimator.
    positive
        The class that is True for a river classifier that only tells True from False.
    classes
        All classes, when they are known before the first row.
    gather
        See `FromSklearn`.
    window
        See `FromBatch`.
    trust
        Exact names of further globals that its saved state may refer to.

    Raises
    ------
    LearnerError
        It is no estimator that predicts, or not for this task.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> type(as_learner(DecisionTreeRegressor())).__name__
    'FromBatch'
    """
    if isinstance(estimator, type):
        raise LearnerError(
            f"wanted an estimator, got the class {estimator.__name__}: "
            f"make one, as in {estimator.__name__}()"
        )
    learner: Any
    if hasattr(estimator, "predict_learn"):
        learner = estimator
    elif isinstance(estimator, base.Estimator):
        learner = FromRiver(estimator, positive, classes or (), trust)
    else:
        found = task or _task_of(estimator)
        if hasattr(estimator, "partial_fit"):
            learner = FromSklearn(estimator, found, gather, None, classes, trust)
        else:
            learner = FromBatch(estimator, found, window, trust)
    if task is not None and learner.task is not task:
        raise LearnerError(
            f"wanted an estimator for {task.value}, got {type(estimator).__name__}, which is for "
            f"{learner.task.value}: choose another estimator or another task"
        )
    return learner  # type: ignore[no-any-return]  # any of the roads, or what says it is one


def _task_of(estimator: Any) -> Task:
    name = type(estimator).__name__
    if not hasattr(estimator, "fit") and not hasattr(estimator, "partial_fit"):
        raise LearnerError(
            f"wanted a river or scikit-learn estimator, got {name}: it has neither learn_one, "
            "partial_fit nor fit"
        )
    if is_classifier(estimator):
        return Task.CLASSIFICATION
    if is_regressor(estimator):
        return Task.REGRESSION
    if is_outlier_detector(estimator):
        return Task.ANOMALY
    raise LearnerError(
        f"wanted a classifier, regressor or outlier detector, got {name}: name the task, "
        "or choose another estimator"
    )
