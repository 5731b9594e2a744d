from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift, forest, metrics
from river.datasets import synth

from learners.base import Examples
from learners.compiled.alarm import alarms, note
from learners.compiled.forest import (
    AdaptiveRandomForestClassifier,
    LeveragingBaggingClassifier,
    StreamingRandomPatchesClassifier,
)
from learners.compiled.jit import njit
from learners.compiled.pipeline import compiled
from learners.compiled.tree import HoeffdingTreeClassifier
from learners.compiled.twins import NoTwinError
from learners.digests import digest
from learners.errors import LearnerError
from learners.from_river import FromRiver
from tests.test_compiled_trees import real, right
from tests.twins import indifferent_to_cuts, stream

pytestmark = pytest.mark.slow
FORESTS: dict[str, Any] = {
    "adaptive": AdaptiveRandomForestClassifier(n_models=3, grace=10, warning_delta=0.3, seed=1),
    "share": AdaptiveRandomForestClassifier(n_models=3, max_features=0.6, grace=10, seed=2),
    "patches": StreamingRandomPatchesClassifier(n_models=3, grace=10, drift_delta=0.1, seed=3),
    "bagging": LeveragingBaggingClassifier(n_models=3, grace=10, drift_delta=0.3, seed=4),
    "river": compiled(forest.ARFClassifier(n_models=3, grace_period=10, seed=5)),
}


def turning(count: int = 9_000, turns: int = 6) -> Examples:
    """Return a stream in which what was true is false at each turn."""
    pairs = synth.SEA(seed=1).take(count)
    return real((x, y ^ bool(i * turns // count % 2)) for i, (x, y) in enumerate(pairs))


@pytest.mark.parametrize("name", FORESTS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_cuts_change_nothing(name: str, seed: int) -> None:
    weights = name != "river"
    rows = stream(seed, 600, classes=3, words=["c", "a", "b"], weights=weights)
    indifferent_to_cuts(FORESTS[name], rows, seed)


@pytest.mark.parametrize("kind", [AdaptiveRandomForestClassifier, StreamingRandomPatchesClassifier])
def test_threads_change_nothing(kind: Any) -> None:
    rows = turning(3_000, 2)
    alone, together = kind(n_models=5, seed=7, threads=1), kind(n_models=5, seed=7, threads=3)
    first, second = alone.predict_learn(rows), together.predict_learn(rows)
    np.testing.assert_array_equal(first.proba, second.proba)
    assert digest(alone.estimator) == digest(together.estimator)


def test_a_seed_decides_and_another_decides_otherwise() -> None:
    rows = turning(2_000, 2)
    kinds = [AdaptiveRandomForestClassifier(n_models=3, seed=seed) for seed in (1, 1, 2)]
    a, b, c = (kind.predict_learn(rows).proba for kind in kinds)
    assert a is not None
    assert c is not None
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


@pytest.mark.parametrize("name", ["adaptive", "patches", "bagging"])
def test_forests_follow_a_change(name: str) -> None:
    rows = turning()
    value = FORESTS[name].fresh().predict_learn(rows).value
    still = HoeffdingTreeClassifier().predict_learn(rows).value
    ours, theirs = (np.mean(answers == rows.y) for answers in (value, still))
    assert ours > theirs + 0.05


def test_a_twin_is_as_right_as_river_over_ten_seeds() -> None:
    rows = turning(1_200, 2)
    ours, theirs = [], []
    for seed in range(10):
        model = forest.ARFClassifier(n_models=3, seed=seed)
        ours.append(right(compiled(model), rows))
        theirs.append(right(FromRiver(model), rows))
    noise = np.sqrt((np.var(ours, ddof=1) + np.var(theirs, ddof=1)) / 10)
    assert abs(np.mean(ours) - np.mean(theirs)) < 3.5 * noise


@njit
def rings(window: Any, wrong: int) -> bool:
    return note(window, wrong, 0.01, False)


@pytest.mark.parametrize("seed", range(3))
def test_an_alarm_rings_when_adwin_does(seed: int) -> None:
    chance = np.random.default_rng(seed)
    errors = np.concatenate([chance.random(700) < p for p in (0.3, 0.5, 0.2, 0.9)])
    window, adwin = alarms(1)[0], drift.ADWIN(0.01)
    for i, wrong in enumerate(errors.tolist()):
        adwin.update(int(wrong))
        assert rings(window, int(wrong)) == adwin.drift_detected, i
        if adwin.drift_detected:
            window[:] = 0


@pytest.mark.parametrize(
    ("parameters", "clause"),
    [
        ({"metric": metrics.MacroF1()}, "MacroF1"),
        ({"drift_detector": drift.PageHinkley()}, "PageHinkley"),
        ({"warning_detector": drift.NoDrift()}, "NoDrift"),
        ({"drift_detector": drift.ADWIN(clock=8)}, "ADWIN"),
        ({"max_features": "third"}, "max_features"),
        ({"split_criterion": "hellinger"}, "hellinger"),
    ],
)
def test_what_has_no_twin_says_so(parameters: dict[str, Any], clause: str) -> None:
    with pytest.raises(NoTwinError, match=clause):
        compiled(forest.ARFClassifier(seed=1, **parameters))


@pytest.mark.parametrize("wrong", [{"n_models": 0}, {"max_features": "all"}, {"rate": -1.0}])
def test_parameters_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(LearnerError, match=f"wanted {next(iter(wrong))} "):
        AdaptiveRandomForestClassifier(**wrong)
