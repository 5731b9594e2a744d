"""The state of each compiled learner is its own: a checkpoint is read while the learner goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from river import (
    anomaly,
    compose,
    drift,
    forest,
    linear_model,
    naive_bayes,
    neighbors,
    optim,
    preprocessing,
    tree,
)

from learners.base import State, Task
from learners.checks import check_state_is_private
from learners.compiled.forest import (
    AdaptiveRandomForestClassifier,
    LeveragingBaggingClassifier,
    StreamingRandomPatchesClassifier,
)
from learners.compiled.pipeline import compiled
from learners.compiled.regression_forest import AdaptiveRandomForestRegressor
from learners.compiled.regression_tree import HoeffdingTreeRegressor
from learners.compiled.tree import HoeffdingTreeClassifier
from learners.pending import Pending
from tests.twins import stream

WORDS = ["c", "a", "b"]
EBST = tree.splitter.EBSTSplitter()
LEAF: dict[str, Any] = {"leaf_prediction": "mean"}


def after(*stages: Any) -> Any:
    model = compose.Pipeline(*stages)
    return model | linear_model.LogisticRegression(optim.Adam())


NUMBERS: dict[str, Any] = {
    "plain": linear_model.LogisticRegression(),
    "scaled": preprocessing.StandardScaler() | linear_model.LogisticRegression(),
    "scaled, with Adam": after(preprocessing.StandardScaler()),
    "least and largest": after(preprocessing.MinMaxScaler()),
    "largest magnitude": after(preprocessing.MaxAbsScaler()),
    "norm": after(preprocessing.Normalizer()),
    "beside": after(preprocessing.MaxAbsScaler() + preprocessing.Binarizer()),
    "softmax": linear_model.SoftmaxRegression(),
    "perceptron": linear_model.Perceptron(),
    "passive": linear_model.PAClassifier(),
    "alma": linear_model.ALMAClassifier(),
    "gaussian": naive_bayes.GaussianNB(),
    "multinomial": preprocessing.Binarizer() | naive_bayes.MultinomialNB(),
    "neighbors": neighbors.KNNClassifier(3, neighbors.LazySearch(50)),
    "mondrian": forest.AMFClassifier(n_estimators=3, seed=1),
    "retraining, adwin": drift.DriftRetrainingClassifier(
        naive_bayes.GaussianNB(), drift.ADWIN(0.3, 4), train_in_background=False
    ),
    "retraining, ddm": drift.DriftRetrainingClassifier(
        naive_bayes.GaussianNB(), drift.binary.DDM(10, 1.0, 2.0)
    ),
    "retraining, page-hinkley": drift.DriftRetrainingClassifier(
        naive_bayes.GaussianNB(), drift.PageHinkley(10, threshold=3.0), train_in_background=False
    ),
}
CATEGORIES: dict[str, Any] = {
    "one-hot": after(compose.SelectType(str), preprocessing.OneHotEncoder()),
    "hashed": after(preprocessing.FeatureHasher(20, seed=1)),
    "river's tree": tree.HoeffdingTreeClassifier(10, delta=0.3),
    "river's adaptive tree": tree.HoeffdingAdaptiveTreeClassifier(10, delta=0.3, seed=1),
    "river's forest": forest.ARFClassifier(n_models=3, grace_period=10, seed=5),
    "tree": HoeffdingTreeClassifier(grace=10, delta=0.3),
    "forest": AdaptiveRandomForestClassifier(n_models=3, grace=10, warning_delta=0.3),
    "patches": StreamingRandomPatchesClassifier(n_models=3, grace=10, drift_delta=0.1),
    "bagging": LeveragingBaggingClassifier(n_models=3, grace=10, drift_delta=0.3),
}
TARGETS: dict[str, Any] = {
    "linear": linear_model.LinearRegression(),
    "passive numbers": linear_model.PARegressor(),
    "neighbors of numbers": neighbors.KNNRegressor(3, neighbors.LazySearch(50)),
    "mondrian numbers": forest.AMFRegressor(n_estimators=3, seed=1),
    "half-spaces": anomaly.HalfSpaceTrees(n_trees=3, height=3, window_size=10, seed=1),
    "river's tree of numbers": tree.HoeffdingTreeRegressor(10, delta=0.3, **LEAF),
    "river's sorted tree": tree.HoeffdingTreeRegressor(10, delta=0.3, splitter=EBST, **LEAF),
    "river's forest of numbers": forest.ARFRegressor(n_models=3, grace_period=20, seed=5, **LEAF),
    "tree of numbers": HoeffdingTreeRegressor(grace=10, delta=0.3),
    "forest of numbers": AdaptiveRandomForestRegressor(n_models=3, grace=20, warning_delta=0.3),
}
LIGHT = {"gaussian", "half-spaces"}
"""They are compiled in a second or two."""


class Leaking:
    """A learner whose state goes on with it."""

    def __init__(self, pending: bool) -> None:
        self.sums, self.pending = np.zeros(1), pending

    def predict_learn(self, rows: Any) -> None:
        self.sums += len(rows)

    def state(self) -> State:
        arrays = {"sums": self.sums}
        return State(arrays=Pending(lambda: dict(arrays)) if self.pending else arrays)


@pytest.mark.parametrize("pending", [False, True])
def test_a_state_that_goes_on_with_its_learner_is_found(pending: bool) -> None:
    make: Any = Leaking
    with pytest.raises(AssertionError, match="not equal"):
        check_state_is_private(lambda: make(pending), stream(1, 10))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in LIGHT else pytest.mark.slow)
        for name in (*NUMBERS, *CATEGORIES, *TARGETS)
    ],
)
def test_a_state_is_private(name: str) -> None:
    model = (NUMBERS | CATEGORIES | TARGETS)[name]
    learner = model if hasattr(model, "predict_learn") else compiled(model)
    task = Task.REGRESSION if name in TARGETS else Task.CLASSIFICATION
    rows = stream(9, 300, task, words=WORDS if name in CATEGORIES else ())
    check_state_is_private(learner.fresh, rows)
