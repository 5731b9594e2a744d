"""River's and scikit-learn's own checks, on both rolling estimators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from river.checks import yield_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

from ensembles.rolling import RollingClassifier, RollingRegressor

pytestmark = pytest.mark.slow

ESTIMATORS: list[Any] = [RollingClassifier, RollingRegressor]

IMPOSSIBLE = {
    "check_estimator_tags_renamed": (
        "river's own base class has a method _more_tags, which scikit-learn takes for its old one"
    ),
}
WEIGHTED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "the check takes a weight of 2 for two records in any order: a window counts records, and "
        "a stream has an order"
    ),
}


def river_cases() -> list[Any]:
    return [
        pytest.param(model, check, id=f"{type(model).__name__}-{check.__name__}-{number}")
        for kind in ESTIMATORS
        for model in [kind(**params) for params in kind._unit_test_params()]
        for number, check in enumerate(yield_checks(model))
    ]


def sklearn_cases() -> list[Any]:
    cases = []
    for kind in ESTIMATORS:
        failing = IMPOSSIBLE | (WEIGHTED if kind is RollingRegressor else {})
        model = kind(window=50, keep=3)
        for made, check in estimator_checks_generator(model, mark=None):
            name = getattr(check, "func", check).__name__
            marks = (
                [pytest.mark.xfail(reason=failing[name], strict=True)] if name in failing else []
            )
            cases.append(pytest.param(made, check, marks=marks, id=f"{kind.__name__}-{name}"))
    return cases


@pytest.mark.parametrize(("model", "check"), river_cases())
def test_river(model: Any, check: Callable[[Any], None]) -> None:
    assert check.__name__ not in model._unit_test_skips()
    check(model.clone())


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(("model", "check"), sklearn_cases())
def test_sklearn(model: Any, check: Callable[[Any], None]) -> None:
    check(model)
