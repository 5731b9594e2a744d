from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift, tree
from river.datasets import synth

from learners import checks
from learners.base import Examples
from learners.compiled.pipeline import compiled
from learners.compiled.tree import HoeffdingTreeClassifier
from learners.compiled.twins import NoTwinError
from learners.from_river import FromRiver
from tests.test_compiled_trees import begun, real, right
from tests.twins import agree_but_for_ties, indifferent_to_cuts, stream

pytestmark = pytest.mark.slow
SEEDS = st.integers(0, 2**32)


def tree_of_river(seed: int, **others: Any) -> Any:
    """Return a tree with parameters that make it split, doubt, switch and stop in all ways."""
    chance = random.Random(seed)
    parameters: dict[str, Any] = {
        "grace_period": chance.choice([5, 20, 50]),
        "delta": chance.choice([0.01, 0.3]),
        "tau": chance.choice([0.05, 0.3]),
        "leaf_prediction": chance.choice(["mc", "nb", "nba", "nba"]),
        "max_depth": chance.choice([None, None, 2, 4]),
        "merit_preprune": chance.choice([True, True, False]),
        "nb_threshold": chance.choice([0, 30]),
        "bootstrap_sampling": False,
        "drift_window_threshold": chance.choice([0, 10, 50]),
        "drift_detector": drift.ADWIN(chance.choice([0.002, 0.3, 0.9])),
        "switch_significance": chance.choice([0.05, 0.5]),
        "seed": 1,
    }
    return tree.HoeffdingAdaptiveTreeClassifier(**(parameters | others))


def turning(seed: int) -> Examples:
    """Return a stream whose classes change places in its second and last quarter."""
    classes = 2 + seed % 3
    words = ["c", "a", "b", "d"] if seed % 2 else ()
    rows = begun(stream(seed, 1_200, classes=classes, words=words, weights=seed % 4 > 1))
    turned = np.arange(1_200) // 300 % 2 == 1
    rows.y[turned] = (rows.y[turned] + 1) % classes
    return rows


def sea(count: int = 6_000, turns: int = 4) -> Examples:
    """Return a stream in which what was true is false at each turn."""
    pairs = synth.SEA(seed=1).take(count)
    return real((x, y ^ bool(i * turns // count % 2)) for i, (x, y) in enumerate(pairs))


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_twin_answers_as_river_does(seed: int) -> None:
    agree_but_for_ties(tree_of_river(seed), turning(seed))


def test_the_trees_compared_doubt_and_switch() -> None:
    river = [FromRiver(tree_of_river(seed)) for seed in range(8)]
    for seed, learner in enumerate(river):
        learner.predict_learn(turning(seed))
    for count in ("n_alternate_trees", "n_pruned_alternate_trees", "n_switch_alternate_trees"):
        assert sum(getattr(learner.estimator, count) for learner in river) > 0


def test_a_twin_follows_river_over_many_changes() -> None:
    model = tree.HoeffdingAdaptiveTreeClassifier(50, delta=0.01, bootstrap_sampling=False, seed=1)
    agree_but_for_ties(model, sea())


def test_with_sampling_it_is_as_right_as_river_over_ten_seeds() -> None:
    rows, ours, theirs = sea(3_000, 2), [], []
    for seed in range(10):
        model = tree.HoeffdingAdaptiveTreeClassifier(50, delta=0.01, seed=seed)
        ours.append(right(compiled(model), rows))
        theirs.append(right(FromRiver(model), rows))
    noise = np.sqrt((np.var(ours, ddof=1) + np.var(theirs, ddof=1)) / 10)
    assert abs(np.mean(ours) - np.mean(theirs)) < 3.5 * noise


def test_it_forgets_what_is_no_longer_true() -> None:
    rows = sea()
    adaptive = compiled(tree.HoeffdingAdaptiveTreeClassifier(50, delta=0.01, seed=1))
    assert right(adaptive, rows) > right(HoeffdingTreeClassifier(50, delta=0.01), rows) + 0.05


@pytest.mark.parametrize("sampling", [True, False])
@given(seed=SEEDS)
@settings(max_examples=4, deadline=None)
def test_cuts_change_nothing(sampling: bool, seed: int) -> None:
    learner = compiled(tree_of_river(seed, bootstrap_sampling=sampling))
    indifferent_to_cuts(learner, turning(seed), seed)


def test_the_contract_of_a_learner_holds() -> None:
    make, rows = compiled(tree_of_river(1, bootstrap_sampling=True)).fresh, turning(9)
    checks.check_predict_is_pure(make, rows)
    checks.check_resume(make, rows, 500)
    checks.check_state_is_private(make, rows)
    checks.check_fresh(make, rows)
    checks.check_answers_come_first(make, rows)


@pytest.mark.parametrize(
    ("parameters", "clause"),
    [
        ({"drift_detector": drift.PageHinkley()}, "PageHinkley"),
        ({"drift_detector": drift.ADWIN(clock=8)}, "ADWIN"),
        ({"switch_significance": 0.0}, "switch_significance"),
        ({"drift_window_threshold": -1}, "drift_window_threshold"),
        ({"split_criterion": "hellinger"}, "hellinger"),
    ],
)
def test_what_has_no_twin_says_so(parameters: dict[str, Any], clause: str) -> None:
    with pytest.raises(NoTwinError, match=clause):
        compiled(tree_of_river(1, **parameters))
