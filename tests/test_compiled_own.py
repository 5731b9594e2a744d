"""Learners under this project's own name: their parameters, seeds and windows."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from ensembles.members import seeded
from ensembles.rolling import RollingClassifier, RollingRegressor
from learners.checks import same_answers, same_states
from learners.compiled.forest import (
    AdaptiveRandomForestClassifier,
    LeveragingBaggingClassifier,
    StreamingRandomPatchesClassifier,
)
from learners.compiled.regression_forest import AdaptiveRandomForestRegressor
from learners.compiled.regression_tree import HoeffdingTreeRegressor
from learners.compiled.tree import HoeffdingTreeClassifier
from learners.errors import LearnerError
from learners.roads import as_learner
from stream.config import Config
from stream.model import build, describe
from tests.rolling_cases import stream

FORESTS: list[Any] = [
    AdaptiveRandomForestClassifier,
    StreamingRandomPatchesClassifier,
    LeveragingBaggingClassifier,
    AdaptiveRandomForestRegressor,
]
ALL: list[Any] = [*FORESTS, HoeffdingTreeClassifier, HoeffdingTreeRegressor]
each = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
each_forest = pytest.mark.parametrize("kind", FORESTS, ids=lambda kind: kind.__name__)


def model(**of: Any) -> Config:
    return Config.of(
        {
            "name": "own",
            "task": "classification",
            "record": {"label": "label"},
            "model": {"learner": "learners.compiled.forest.AdaptiveRandomForestClassifier", **of},
        }
    )


@each
@pytest.mark.slow
def test_they_roll(kind: Any) -> None:
    number = kind.__name__.endswith("Regressor")
    face: Any = RollingRegressor if number else RollingClassifier
    rows = stream(700, number=number)
    first, second = (as_learner(face(kind(), window=150, keep=2, random_state=7)) for _ in range(2))
    answers = first.predict_learn(rows)
    assert np.isfinite(answers.value[300:]).all()
    same_answers(answers, second.predict_learn(rows))
    same_states(first.state(), second.state())


@each
def test_a_copy_is_made_with_what_it_was_made_with(kind: Any) -> None:
    one = kind(grace=77)
    for other in one.fresh(), copy.deepcopy(one), pickle.loads(pickle.dumps(one)):
        assert repr(other) == repr(one) == f"{kind.__name__}(grace=77)"


@each_forest
def test_an_open_seed_is_filled_and_one_that_was_given_stays(kind: Any) -> None:
    assert kind().open_seed and not kind(seed=3).open_seed
    assert kind().with_seed(7).parameters == {"seed": 7}
    assert kind(seed=3).with_seed(7).parameters == {"seed": 3}
    assert not HoeffdingTreeClassifier().open_seed


def test_a_config_gives_its_seed_to_a_forest_and_each_member_its_own() -> None:
    alone: Any = build(model())
    assert alone.parameters["seed"] == model().seed
    given: Any = build(model(params={"seed": 5}))
    assert given.parameters["seed"] == 5
    members = [seeded(AdaptiveRandomForestClassifier(), 7, index) for index in range(3)]
    assert len({member.parameters["seed"] for member in members}) == 3
    assert seeded(AdaptiveRandomForestClassifier(seed=3), 7, 1).parameters["seed"] == 3


def test_check_says_once_that_it_is_compiled() -> None:
    for compiled in "off", "auto":
        told = describe(model(compile=compiled))
        assert "not compiled" not in told and "AdaptiveRandomForestClassifier" in told


@each_forest
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("n_models", value) for value in (0, -1, 0.5, 2.5, "ten", None, True, 10**9)),
        *(("seed", value) for value in (-1, 0.5, "one")),
        *(("grace", value) for value in (0, float("inf"), float("nan"), "many")),
        *(("max_nodes", value) for value in (0, 10.5, "all", 10**21)),
        *(("delta", value) for value in (0.0, 1.0, "small")),
        *(("rate", value) for value in (0.0, -1.0, 1e300, "x")),
        *(("threads", value) for value in (0, -3, 1.5)),
        *(("max_features", value) for value in (0, -1, 1.5, "log", float("inf"), True)),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(kind: Any, name: str, value: Any) -> None:
    if kind is LeveragingBaggingClassifier and name in ("threads", "max_features"):
        return
    with pytest.raises(LearnerError, match=f"^wanted {name} .*, got .*: give it"):
        kind(**{name: value})


@pytest.mark.slow
def test_a_share_of_one_is_all_columns_and_one_is_one() -> None:
    rows = stream(1_500)

    def right(columns: float) -> float:
        learner = AdaptiveRandomForestClassifier(n_models=3, max_features=columns, grace=30)
        return float((learner.predict_learn(rows).value == rows.y)[300:].mean())

    assert right(1.0) > right(1) + 0.05
