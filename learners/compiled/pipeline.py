"""A river pipeline as a chain of compiled stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from river import base, compose

import learners.compiled.adaptive_tree
import learners.compiled.bayes
import learners.compiled.encoding
import learners.compiled.forest
import learners.compiled.half_space
import learners.compiled.hashing
import learners.compiled.linear
import learners.compiled.margins
import learners.compiled.mondrian
import learners.compiled.neighbors
import learners.compiled.norms
import learners.compiled.regression_forest
import learners.compiled.regression_tree
import learners.compiled.retraining
import learners.compiled.scaling
import learners.compiled.selection
import learners.compiled.softmax
import learners.compiled.tree
import learners.compiled.union  # noqa: F401  # these register their twins
from learners.base import Label
from learners.compiled.chain import Chain
from learners.compiled.scaled import ScaledLinear
from learners.compiled.twins import NoTwinError, twin_of
from learners.digests import digest


def compiled(estimator: Any, positive: Label | None = None, classes: Sequence[Label] = ()) -> Chain:
    """Return the twin of a river estimator or pipeline in compiled code.

    Parameters
    ----------
    estimator
        Untrained.
    positive, classes
        See `learners.from_river.FromRiver`.

    Raises
    ------
    NoTwinError
        There is none; the text names the part without one.

    Examples
    --------
    >>> from river import linear_model, preprocessing
    >>> from learners.base import Classes, Examples
    >>> import numpy as np
    >>> model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    >>> rows, y = [{"x": 1.0}, {"x": 9.0}, {"x": 1.2}], np.array([0.0, 1.0, 0.0])
    >>> compiled(model).predict_learn(Examples.of(rows, y, Classes("ab"))).value
    array([nan,  0.,  0.])
    """
    if not isinstance(estimator, base.Estimator):
        raise NoTwinError(f"{type(estimator).__name__}, which is not of river")
    steps = (
        list(estimator.steps.values()) if isinstance(estimator, compose.Pipeline) else [estimator]
    )
    for step in steps[:-1]:
        if not isinstance(step, base.Transformer):
            raise NoTwinError(f"{type(step).__name__} before the last step")
    if isinstance(steps[-1], base.Transformer | compose.Pipeline):
        raise NoTwinError(f"{type(steps[-1]).__name__} as the last step")
    *stages, model = [twin_of(step) for step in steps]
    untrained = estimator.clone()
    if digest(untrained) != digest(estimator):
        open_seed = digest(untrained) != digest(estimator.clone())
        raise NoTwinError(f"an estimator {'without a seed' if open_seed else 'that has learned'}")
    if stages and ScaledLinear.suits(stages[-1], model):
        model = ScaledLinear(stages.pop(), model)
    return Chain(stages, model, estimator, positive, classes)
