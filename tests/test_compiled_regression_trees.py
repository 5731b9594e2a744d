from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import forest, linear_model, optim, preprocessing, tree
from river.datasets import synth

from learners import checks
from learners.base import LEARN, PREDICT, Classes, Examples, Task
from learners.compiled.pipeline import compiled
from learners.compiled.regression_forest import AdaptiveRandomForestRegressor
from learners.compiled.regression_grove import RegressionGrove, rounded
from learners.compiled.regression_tree import HoeffdingTreeRegressor
from learners.compiled.twins import NoTwinError
from learners.digests import digest
from learners.errors import LearnerError, LearnerFailedError
from learners.from_river import FromRiver
from tests.twins import agree, indifferent_to_cuts, stream

pytestmark = pytest.mark.slow
SEEDS = st.integers(0, 2**32)
SPLITTERS = tree.splitter
LEARNERS: dict[str, Any] = {
    "tree": HoeffdingTreeRegressor(grace=10, delta=0.3),
    "small": HoeffdingTreeRegressor(grace=10, delta=0.3, leaf="mean", max_depth=2),
    "forest": AdaptiveRandomForestRegressor(n_models=3, grace=20, warning_delta=0.3, seed=1),
    "root": AdaptiveRandomForestRegressor(n_models=3, max_features="sqrt", drift_delta=0.3),
    "river": compiled(tree.HoeffdingTreeRegressor(10, delta=0.3, leaf_prediction="mean")),
    "river forest": compiled(
        forest.ARFRegressor(n_models=3, grace_period=20, leaf_prediction="mean", seed=5)
    ),
}


def tree_of_river(seed: int, answer: str, **others: Any) -> Any:
    """Return a tree with parameters that make it split, prune, stop and answer in all ways."""
    chance = random.Random(seed)
    return tree.HoeffdingTreeRegressor(
        grace_period=chance.choice([5, 20, 50]),
        delta=chance.choice([1e-7, 0.01, 0.3]),
        tau=chance.choice([0.05, 0.3]),
        leaf_prediction=answer,
        max_depth=chance.choice([None, 2, 4]),
        model_selector_decay=chance.choice([0.95, 0.5]),
        min_samples_split=chance.choice([1, 5]),
        binary_split=chance.choice([True, False]),
        merit_preprune=chance.choice([True, True, False]),
        **others,
    )


def begun(rows: Examples) -> Examples:
    """Return the rows with all columns in the first, so that columns come in the order of keys."""
    rows.op[0] = PREDICT | LEARN
    first = [{**dict.fromkeys("abc", 0.5), **rows.rows[0]}, *rows.rows[1:]]
    return Examples(first, rows.op, rows.y, rows.weight, rows.time, rows.classes)


def real(pairs: Any) -> Examples:
    """Return records of numbers with a number as the target."""
    pairs = list(pairs)
    return Examples.of([x for x, _ in pairs], np.array([float(y) for _, y in pairs]), Classes())


def error(learner: Any, rows: Examples) -> float:
    """Return the mean absolute error of answers before each row was learned."""
    value = np.nan_to_num(learner.predict_learn(rows).value)
    return float(np.abs(value - rows.y).mean())


@pytest.mark.parametrize(
    "splitter",
    [
        None,
        SPLITTERS.TEBSTSplitter(2),
        SPLITTERS.TEBSTSplitter(-1),
        SPLITTERS.EBSTSplitter(),
        SPLITTERS.QOSplitter(0.25),
    ],
)
@pytest.mark.parametrize("answer", ["mean", "adaptive"])
@given(seed=SEEDS)
@settings(max_examples=6, deadline=None)
def test_a_twin_answers_as_river_does(answer: str, splitter: Any, seed: int) -> None:
    words = ["c", "a", "b", "d"] if answer == "mean" else ()
    rows = stream(seed, 600, Task.REGRESSION, words=words, weights=seed % 2 == 1, missing=0.2)
    agree(tree_of_river(seed, answer, splitter=splitter), begun(rows))


def test_so_it_does_with_a_linear_model_of_its_own_in_its_leaves() -> None:
    model = linear_model.LinearRegression(
        optim.SGD(0.02), intercept_init=1.0, intercept_lr=0.1, clip_gradient=2.0
    )
    rows = begun(stream(3, 600, Task.REGRESSION))
    agree(tree_of_river(3, "model", leaf_model=model), rows)


def test_numbers_that_are_named_nominal_are_words() -> None:
    chance = random.Random(1)
    rows = begun(stream(1, 400, Task.REGRESSION))
    marked = [{**row, "n": chance.choice([3, 1, 2.5, -10])} for row in rows.rows]
    agree(
        tree_of_river(1, "mean", nominal_attributes=["n"]),
        Examples.of(marked, rows.y + [row["n"] for row in marked], rows.classes),
    )


def test_a_twin_follows_river_over_many_splits() -> None:
    rows = real(synth.Friedman(seed=4).take(3_000))
    agree(tree.HoeffdingTreeRegressor(grace_period=50, delta=0.01), rows)
    agree(preprocessing.StandardScaler() | tree.HoeffdingTreeRegressor(), rows)


@pytest.mark.parametrize("name", LEARNERS)
@given(seed=SEEDS)
@settings(max_examples=3, deadline=None)
def test_cuts_change_nothing(name: str, seed: int) -> None:
    rows = stream(seed, 600, Task.REGRESSION, words=["c", "a", "b"], weights=name != "river forest")
    indifferent_to_cuts(LEARNERS[name], rows, seed)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_contract_of_a_learner_holds(name: str) -> None:
    rows = stream(9, 400, Task.REGRESSION, words=["c", "a", "b"])
    make = LEARNERS[name].fresh
    checks.check_predict_is_pure(make, rows)
    checks.check_resume(make, rows, 150)
    checks.check_state_is_private(make, rows)
    checks.check_fresh(make, rows)
    checks.check_answers_come_first(make, rows)


@pytest.mark.parametrize("stretch", [1.0, 1e6])
def test_a_tree_of_its_own_errs_less_than_river_whatever_the_scale(stretch: float) -> None:
    pairs = list(synth.Friedman(seed=7).take(3_000))
    theirs = error(
        compiled(preprocessing.StandardScaler() | tree.HoeffdingTreeRegressor()), real(pairs)
    )
    wide = real(({name: v * stretch + 3.0 for name, v in x.items()}, y) for x, y in pairs)
    assert error(HoeffdingTreeRegressor(), wide) < theirs


def test_values_far_out_do_not_blur_the_others() -> None:
    chance = np.random.default_rng(1)
    x = chance.normal(size=4_000)
    far = np.where(chance.random(4_000) < 0.01, 10.0 ** chance.integers(3, 9, 4_000), x)
    rows = real(({"x": float(v)}, float(v > 0.3)) for v in far)
    assert error(HoeffdingTreeRegressor(leaf="mean"), rows) < 0.08


@pytest.mark.parametrize("far", [1e6, -1e120, 1e299])
@pytest.mark.parametrize("leaf", ["mean", "model", "adaptive"])
@pytest.mark.parametrize("kind", [HoeffdingTreeRegressor, AdaptiveRandomForestRegressor])
def test_a_target_far_out_is_soon_forgotten(kind: Any, leaf: str, far: float) -> None:
    chance = np.random.default_rng(0)
    rows = real(({"x": x, "z": z}, 3.0 * x + z) for x, z in chance.normal(size=(2_500, 2)).tolist())
    wild = real(zip(rows.rows, rows.y, strict=True))
    wild.y[[300, 700]] = far, -far
    errors = [np.abs(kind(leaf=leaf).predict_learn(r).value - rows.y)[701:] for r in (rows, wild)]
    assert errors[1].max() < 25.0
    assert errors[1][-500:].mean() < errors[0][-500:].mean() + 0.5


@pytest.mark.parametrize("kind", [HoeffdingTreeRegressor, AdaptiveRandomForestRegressor])
def test_no_target_makes_a_later_one_fail(kind: Any) -> None:
    chance = np.random.default_rng(1)
    targets = chance.normal(size=600) * 10.0 ** chance.choice([0, 0, 150, 299], 600)
    rows = real(({"x": float(i % 5)}, y) for i, y in enumerate(targets))
    assert np.isfinite(kind(grace=20).predict_learn(rows).value[1:]).all()


def test_a_new_level_of_targets_is_met_within_some_rows() -> None:
    chance = np.random.default_rng(2)
    x = chance.normal(size=3_000)
    rows = real(({"x": v}, v if i < 2_000 else 1e6 + 1e3 * v) for i, v in enumerate(x.tolist()))
    value = AdaptiveRandomForestRegressor(n_models=3).predict_learn(rows).value
    assert np.abs(value - rows.y)[-500:].mean() < 1e5


def test_a_full_tree_goes_on_answering_and_learning() -> None:
    rows = stream(3, 3_000, Task.REGRESSION, missing=0.0)
    small = HoeffdingTreeRegressor(grace=10, delta=0.1, max_nodes=5)
    assert error(small, rows) < 0.5
    arrays = small.state().members["0"].arrays
    assert len(arrays["0.node"]) <= 7
    assert len(arrays["0.cell"]) <= 64 * 4 * 4


def test_threads_change_nothing_and_a_seed_decides() -> None:
    rows = real(synth.Friedman(seed=2).take(1_500))
    kinds = [
        AdaptiveRandomForestRegressor(n_models=4, seed=seed, threads=threads)
        for seed, threads in ((7, 1), (7, 3), (8, 1))
    ]
    a, b, c = (kind.predict_learn(rows).value for kind in kinds)
    np.testing.assert_array_equal(a, b)
    assert digest(kinds[0].estimator) == digest(kinds[1].estimator)
    assert (a != c).any()


def test_a_forest_follows_a_change() -> None:
    pairs = list(synth.Friedman(seed=5).take(6_000))
    rows = real((x, y if i < 3_000 else 20.0 - y) for i, (x, y) in enumerate(pairs))
    still = HoeffdingTreeRegressor()
    moving = AdaptiveRandomForestRegressor(n_models=5, seed=1)
    late = slice(4_000, None)
    errors = [
        np.abs(learner.predict_learn(rows).value - rows.y)[late].mean()
        for learner in (moving, still)
    ]
    assert errors[0] < 0.9 * errors[1]


def test_a_twin_errs_as_much_as_river_over_ten_seeds() -> None:
    rows = real(synth.Friedman(seed=3).take(600))
    ours, theirs = [], []
    for seed in range(10):
        model = forest.ARFRegressor(n_models=3, leaf_prediction="mean", seed=seed)
        ours.append(error(compiled(model), rows))
        theirs.append(error(FromRiver(model), rows))
    noise = np.sqrt((np.var(ours, ddof=1) + np.var(theirs, ddof=1)) / 10)
    assert abs(np.mean(ours) - np.mean(theirs)) < 3.5 * noise


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-2, 6))
def test_numbers_are_rounded_as_python_does(x: float, digits: int) -> None:
    near = np.array([[x, x % 100.0, round(x % 100.0, digits + 1)]])
    expected = [round(v, digits) for v in near[0].tolist()]
    assert rounded(near, digits)[0].tolist() == expected


def test_a_leaf_that_loses_itself_says_so_as_river_does() -> None:
    rows = real(({"x": 1e90 * i}, 1e150) for i in range(40))
    with pytest.raises(LearnerFailedError):
        FromRiver(tree.HoeffdingTreeRegressor()).predict_learn(rows)
    with pytest.raises(LearnerFailedError, match="OverflowError"):
        compiled(tree.HoeffdingTreeRegressor()).predict_learn(rows)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_row_that_a_tree_cannot_learn_is_named_wherever_blocks_are_cut(
    threads: int,
) -> None:
    chance = np.random.default_rng(11)
    far = np.where(chance.random(300) < 0.1, 1e154 * chance.random(300), 1.0)
    rows = real(({"x": float(i % 5)}, y) for i, y in enumerate(far))

    def named(step: int) -> int:
        model = forest.ARFRegressor(n_models=5, seed=11, leaf_prediction="adaptive")
        learner = compiled(model)
        assert isinstance(learner.model, RegressionGrove)
        learner.model.threads = threads
        for start in range(0, len(rows), step):
            try:
                learner.predict_learn(rows[start : start + step])
            except LearnerFailedError as failed:
                return start + failed.row
        return -1

    assert named(1) == named(7) == named(300) >= 0


@pytest.mark.parametrize(
    ("parameters", "clause"),
    [
        ({"stop_mem_management": True}, "stop_mem_management"),
        ({"remove_poor_attrs": True}, "remove_poor_attrs"),
        ({"delta": 0.0}, "delta"),
        ({"grace_period": 0}, "grace_period"),
        ({"splitter": SPLITTERS.QOSplitter(0.25, True)}, "allow_multiway_splits"),
        ({"nominal_attributes": ["a"]}, "nominal_attributes"),
        ({"leaf_model": linear_model.PARegressor()}, "PARegressor"),
        ({"leaf_model": linear_model.LinearRegression(optim.Adam())}, "Adam"),
        ({"leaf_model": linear_model.LinearRegression(l2=0.1)}, "l2"),
        ({"leaf_model": linear_model.LinearRegression(loss=optim.losses.Huber())}, "Huber"),
    ],
)
def test_what_has_no_twin_says_so(parameters: dict[str, Any], clause: str) -> None:
    with pytest.raises(NoTwinError, match=clause):
        compiled(tree.HoeffdingTreeRegressor(**parameters))


def test_a_forest_that_has_no_twin_says_so() -> None:
    model = forest.ARFRegressor(aggregation_method="mean", disable_weighted_vote=False, seed=1)
    with pytest.raises(NoTwinError, match="disable_weighted_vote"):
        compiled(model)


@pytest.mark.parametrize("parameters", [{"grace": 0}, {"delta": 1.0}, {"leaf": "median"}])
def test_parameters_are_checked(parameters: dict[str, Any]) -> None:
    with pytest.raises(LearnerError, match=f"wanted {next(iter(parameters))} "):
        HoeffdingTreeRegressor(**parameters)
