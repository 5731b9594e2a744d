from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import linear_model, optim, preprocessing

from learners.base import Classes, Examples, Task
from learners.checks import predict_learn_resumed
from learners.compiled.chain import Chain
from learners.compiled.pipeline import compiled
from learners.compiled.twins import NoTwinError, twin_of
from learners.digests import digest
from learners.errors import LearnerFailedError
from learners.from_river import FromRiver
from learners.table import Table
from tests.twins import agree, cuts_of, indifferent_to_cuts, stream

losses, schedulers, initializers = optim.losses, optim.schedulers, optim.initializers
Logistic, Linear = linear_model.LogisticRegression, linear_model.LinearRegression

OPTIMISERS = {
    "sgd": optim.SGD(schedulers.InverseScaling(0.3, 0.4)),
    "sgd-optimal": optim.SGD(schedulers.Optimal(losses.Hinge(), 0.01)),
    "momentum": optim.Momentum(0.05),
    "nesterov": optim.NesterovMomentum(schedulers.InverseScaling(0.1)),
    "adagrad": optim.AdaGrad(),
    "adadelta": optim.AdaDelta(),
    "rmsprop": optim.RMSProp(0.01),
    "adam": optim.Adam(schedulers.InverseScaling(0.2)),
    "adamax": optim.AdaMax(),
    "amsgrad": optim.AMSGrad(),
    "amsgrad-biased": optim.AMSGrad(correct_bias=False),
    "nadam": optim.Nadam(),
    "adabound": optim.AdaBound(schedulers.InverseScaling(0.01)),
    "ftrl": optim.FTRLProximal(l1=0.1),
    "averager": optim.Averager(optim.Adam(), 20),
}
LOGISTIC = {
    "plain": Logistic(optim.SGD(0.1), intercept_lr=0.05),
    "weighed": Logistic(loss=losses.Log(2.0, 0.5), l2=0.1, clip_gradient=0.4),
    "hinge": Logistic(loss=losses.Hinge(), intercept_init=0.3),
    "focal": Logistic(loss=losses.BinaryFocalLoss(), intercept_lr=schedulers.InverseScaling(0.1)),
    "squared": Logistic(loss=losses.Squared(), intercept_lr=0.0),
    "l1": Logistic(optim.SGD(0.1), l1=0.01),
    "l1-adam": Logistic(optim.Adam(), l1=0.01),
    "constant": Logistic(initializer=initializers.Constant(0.5), l2=0.01),
    "constant-nesterov": Logistic(
        optim.NesterovMomentum(), initializer=initializers.Constant(-1.0)
    ),
    "perceptron": linear_model.Perceptron(l2=0.1),
}
LINEAR = {
    "squared": Linear(intercept_lr=0.1, l2=0.02),
    "absolute": Linear(loss=losses.Absolute()),
    "huber": Linear(loss=losses.Huber(0.3), initializer=initializers.Constant(0.2)),
    "quantile": Linear(loss=losses.Quantile(0.8)),
    "epsilon": Linear(loss=losses.EpsilonInsensitiveHinge(0.2)),
    "cauchy": Linear(loss=losses.Cauchy(3.0)),
    "poisson": Linear(loss=losses.Poisson(), clip_gradient=2.0),
    "ftrl": Linear(optim.FTRLProximal()),
}
SOFTMAX = {
    name: linear_model.SoftmaxRegression(rule.clone(), l2=0.01) for name, rule in OPTIMISERS.items()
}
SOFTMAX["weighed"] = linear_model.SoftmaxRegression(
    loss=losses.CrossEntropy({"class 1": 3.0, "class 0": 0.5})
)
MARGINS = {
    **{f"pa {mode}": linear_model.PAClassifier(0.1, mode) for mode in range(3)},
    **{f"pa of numbers {mode}": linear_model.PARegressor(0.1, mode, 0.2) for mode in range(3)},
    "pa through the origin": linear_model.PAClassifier(0.1, learn_intercept=False),
    "alma": linear_model.ALMAClassifier(),
    "alma of 3": linear_model.ALMAClassifier(p=3, alpha=0.7),
}
MODELS: dict[str, Any] = (
    {f"optimizer {name}": Logistic(rule, l2=0.01) for name, rule in OPTIMISERS.items()}
    | {f"logistic {name}": model for name, model in LOGISTIC.items()}
    | {f"linear {name}": model for name, model in LINEAR.items()}
    | {f"softmax {name}": model for name, model in SOFTMAX.items()}
    | MARGINS
    | {
        "scaled": preprocessing.StandardScaler() | Logistic(),
        "scaled, with l2": preprocessing.StandardScaler()
        | Logistic(optim.SGD(schedulers.InverseScaling(0.2)), losses.Hinge(), l2=0.05),
        "scaled numbers": preprocessing.StandardScaler() | Linear(),
        "scaled, with momentum": preprocessing.StandardScaler() | Logistic(optim.Momentum()),
        "centred": preprocessing.StandardScaler(with_std=False) | Logistic(),
    }
)
pytestmark = pytest.mark.slow


def rows_for(model: Any, seed: int) -> Examples:
    twin = compiled(model)
    classes = 2 if twin.two_classes else 4
    return stream(seed, 200, twin.task, classes, weights=twin.takes_weight)


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None)
def test_a_twin_answers_as_river_does(name: str, seed: int) -> None:
    agree(MODELS[name], rows_for(MODELS[name], seed))


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=2, deadline=None)
def test_cuts_change_nothing(name: str, seed: int) -> None:
    indifferent_to_cuts(compiled(MODELS[name]), rows_for(MODELS[name], seed), seed)


@pytest.mark.parametrize("name", MODELS)
def test_no_rows_and_no_fields_are_taken_too(name: str) -> None:
    twin, rows = compiled(MODELS[name]), rows_for(MODELS[name], 1)
    twin.predict_learn(rows[:0])
    twin.predict_learn(rows[:30])
    assert len(twin.predict_learn(rows[:0]).value) == 0
    bare = Examples.of([{}, {}, {"a": 1.0}], rows.y[:3], rows.classes)
    agree(MODELS[name], bare)


@pytest.mark.parametrize("name", ["scaled", "scaled, with l2", "scaled numbers"])
def test_scaling_and_learning_in_one_pass_is_bit_for_bit_the_same(name: str) -> None:
    model, rows = MODELS[name], rows_for(MODELS[name], 5)
    stage, last = model.steps.values()
    apart = Chain([twin_of(stage)], twin_of(last), model).predict_learn(rows)
    together, _ = predict_learn_resumed(compiled(model), rows, cuts_of(rows, 1))
    np.testing.assert_array_equal(together.value, apart.value)
    if apart.proba is not None:
        np.testing.assert_array_equal(together.proba, apart.proba)


@pytest.mark.parametrize("name", ["logistic plain", "scaled", "scaled, with momentum"])
def test_the_order_of_the_columns_changes_nothing(name: str) -> None:
    rows = rows_for(MODELS[name], 6)
    table = rows.table()
    dense = np.ascontiguousarray(table.dense[:, ::-1])
    turned = Table(table.names[::-1], dense, table.categories, table.codes, table.words)
    other = Examples(turned, rows.op, rows.y, rows.weight, rows.time, rows.classes)
    one, two = compiled(MODELS[name]), compiled(MODELS[name])
    np.testing.assert_array_equal(one.predict_learn(rows).proba, two.predict_learn(other).proba)
    assert digest(one.estimator) == digest(two.estimator)


@pytest.mark.parametrize("name", ["plain", "l1"])
def test_a_third_class_is_refused_alike(name: str) -> None:
    agree(LOGISTIC[name], stream(1, classes=3))


def test_a_model_that_runs_away_answers_as_river_does() -> None:
    rows = stream(3, 200, Task.REGRESSION)
    rows.y *= 1e3
    agree(Linear(optim.SGD(5.0)), rows)


def test_a_row_on_which_river_raises_fails_alike() -> None:
    y = np.array([1.0, 0.0, 1.0])
    counts = Examples.of([{"a": 1.0}, {"b": 1.0}, {"a": 1e6}], y * 5.0, Classes())
    words = Examples.of([{}, {}, {"a": "red"}], y, Classes("ab"))
    for model, rows in (Linear(loss=losses.Poisson()), counts), (Logistic(), words):
        for learner in FromRiver(model.clone()), compiled(model):
            with pytest.raises(LearnerFailedError) as failed:
                learner.predict_learn(rows)
            assert failed.value.row == 2


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (Logistic(optim.AdaGrad(eps=0.0)), "eps 0.0"),
        (Logistic(initializer=initializers.Normal(seed=1)), "Normal"),
        (Logistic(optim.FTRLProximal(), l1=0.1), "l1"),
        (Linear(loss=losses.Hinge()), "Hinge"),
        (linear_model.ALMAClassifier(p=1), "p 1"),
        (linear_model.PAClassifier(C=0, mode=2), "C 0"),
        (preprocessing.StandardScaler(window_size=3) | Logistic(), "window_size"),
        (preprocessing.RobustScaler() | Logistic(), "RobustScaler"),
        (
            preprocessing.StandardScaler._from_state({"a": 1}, {"a": 1.0}, {"a": 1.0}) | Logistic(),
            "has learned",
        ),
    ],
)
def test_what_has_no_twin_says_so(model: Any, why: str) -> None:
    with pytest.raises(NoTwinError, match=why):
        compiled(model)
