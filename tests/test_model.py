from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river.ensemble import VotingClassifier
from river.forest import ARFClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier

from ensembles.rolling import RollingClassifier, RollingRegressor
from learners.base import Classes, Examples, Task
from learners.digests import digest
from stream.config import Config
from stream.errors import ConfigError
from stream.imports import find, user_names
from stream.model import build, describe
from stream.seeds import seeded

LOGISTIC = "river.linear_model.LogisticRegression"

FEATURES = """
from river import forest, linear_model, preprocessing


def without_date(x):
    return {name: value for name, value in x.items() if name != "date"}


def grown(trees=3):
    return preprocessing.StandardScaler() | forest.ARFClassifier(n_models=trees)


def five():
    return 5


def failing():
    raise KeyError("no such thing")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "features.py").write_text(FEATURES)
    return tmp_path


def config(
    folder: Path, model: dict[str, Any], task: str = "classification", **more: Any
) -> Config:
    record = {"label": "y"} | more
    return Config.of({"name": "a", "task": task, "record": record, "model": model}, folder)


def rows(n: int) -> Examples:
    random = np.random.default_rng(3)
    table = random.normal(size=(n, 2))
    y = (table.sum(axis=1) > 0).astype(np.float64)
    records = [{"a": a, "b": b} for a, b in table.tolist()]
    return Examples.of(records, y, Classes([False, True]))


@pytest.mark.parametrize(
    "model",
    [
        {"learner": LOGISTIC, "params": {"l2": 0.1}},
        {"learner": LOGISTIC, "params": {"optimizer": {"use": "river.optim.SGD", "lr": 0.5}}},
        {"pipeline": ["river.preprocessing.StandardScaler", {"use": LOGISTIC, "l2": 0.1}]},
        {"pipeline": [{"use": "river.compose.Select", "keys": ["a"]}, LOGISTIC]},
        {"pipeline": ["features.py:without_date", LOGISTIC]},
        {"learner": "features.py:grown", "params": {"trees": 2}},
        {"learner": "sklearn.linear_model.SGDClassifier", "params": {"loss": "log_loss"}},
        {"learner": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 3},
         "window": {"records": 50}},
        {"pipeline": ["features.py:without_date", LOGISTIC], "window": {"records": 50, "keep": 2}},
    ],
)  # fmt: skip
def test_what_is_built_learns_and_its_saved_state_goes_on(
    folder: Path, model: dict[str, Any]
) -> None:
    learner = build(config(folder, model))
    examples = rows(200)
    learner.predict_learn(examples[:150])
    twin = learner.fresh()
    twin.restore(learner.state())
    expected = learner.predict_learn(examples[150:]).value
    np.testing.assert_array_equal(twin.predict_learn(examples[150:]).value, expected)
    assert (expected == examples.y[150:]).mean() > 0.6


def test_two_builds_give_the_same_answers(folder: Path) -> None:
    model = {"learner": "features.py:grown"}
    first, second = (build(config(folder, model)).predict_learn(rows(300)).value for _ in "ab")
    np.testing.assert_array_equal(first, second)


def test_windows_make_a_rolling_ensemble(folder: Path) -> None:
    window = {"records": 70, "keep": 3, "on_close": "go_on", "vote": "age"}
    learner = build(config(folder, {"learner": LOGISTIC, "window": window}))
    assert isinstance(learner, RollingClassifier)
    assert (learner.window, learner.keep, learner.on_close, learner.vote) == (70, 3, "go_on", "age")
    linear = {"learner": "river.linear_model.LinearRegression", "window": {}}
    assert isinstance(build(config(folder, linear, "regression")), RollingRegressor)


@pytest.mark.parametrize(
    ("learner", "params", "model"),
    [
        ("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 3},
         RandomForestClassifier(n_estimators=3)),
        ("river.ensemble.VotingClassifier",
         {"models": [{"use": "river.forest.ARFClassifier", "n_models": 2}] * 2},
         VotingClassifier([ARFClassifier(n_models=2), ARFClassifier(n_models=2)])),
    ],
)  # fmt: skip
def test_members_are_seeded_one_by_one_as_in_a_notebook(
    folder: Path, learner: str, params: dict[str, Any], model: Any
) -> None:
    asked = config(folder, {"learner": learner, "params": params, "window": {"records": 50}})
    served: Any = build(asked)
    notebook = RollingClassifier(model, window=50, random_state=asked.seed)
    for rolling in (served, notebook):
        rolling.predict_learn(rows(220))
    assert digest(served.estimator) == digest(notebook.estimator)
    members = [getattr(one, "models", [one])[0] for one in served.estimator[2:]]
    seeds = {vars(one).get("seed", vars(one).get("random_state")) for one in members}
    assert len(seeds) == len(members) == 5 and None not in seeds


def test_an_anomaly_detector_is_built(folder: Path) -> None:
    model = {"learner": "river.anomaly.HalfSpaceTrees"}
    assert build(config(folder, model, "anomaly")).task is Task.ANOMALY


def test_open_seeds_are_filled_at_any_depth(folder: Path) -> None:
    bag = {
        "use": "river.ensemble.BaggingClassifier",
        "model": {"use": "river.forest.ARFClassifier"},
    }
    learner: Any = build(config(folder, {"pipeline": ["river.preprocessing.StandardScaler", bag]}))
    bagging = learner.estimator["BaggingClassifier"]
    assert bagging.seed == 1
    assert bagging.model.seed == 1
    assert seeded(ARFClassifier(seed=9), 1).seed == 9
    assert seeded([SGDClassifier()], 4)[0].random_state == 4


def test_a_model_without_open_seeds_is_not_copied() -> None:
    model = ARFClassifier(seed=9)
    assert seeded(model, 1) is model


def test_a_users_file_is_loaded_once_and_trusted_by_exact_names(folder: Path) -> None:
    grown = find("features.py:grown", folder)
    assert find("features.py:grown", folder) is grown
    assert grown.__module__ == "alluvia_user_features"
    names = user_names(folder)
    assert {"alluvia_user_features.grown", "alluvia_user_features.without_date"} <= names
    assert all(name.startswith("alluvia_user_features.") for name in names)
    assert user_names(folder / "other") == frozenset()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"learner": "river.linear_model.LogisticRegresion"},
         'river.linear_model has no LogisticRegresion; did you mean "LogisticRegression"?'),
        ({"learner": "river.liner_model.X"}, 'has no liner_model; did you mean "linear_model"'),
        ({"learner": "rivr.x.Y"}, 'no package rivr; did you mean "river"'),
        ({"learner": "LogisticRegression"}, "wanted an import path such as"),
        ({"learner": LOGISTIC, "params": {"optimiser": 1}},
         'has no parameter optimiser; did you mean "optimizer"?'),
        ({"learner": LOGISTIC, "params": {"optimizer": {"use": "river.optim.SDG"}}},
         'river.optim has no SDG; did you mean "SGD"?'),
        ({"learner": LOGISTIC, "params": {"optimizer": {"use": 5}}}, "an import path as use"),
        ({"learner": "river.ensemble.BaggingClassifier"}, "wanted the parameter model, got none"),
        ({"learner": "sklearn.ensemble.RandomForestClassifier"}, "add [model.window]"),
        ({"learner": "sklearn.linear_model.SGDRegressor"}, "for task \"classification\""),
        ({"learner": "sklearn.cluster.MiniBatchKMeans"}, "for task \"classification\""),
        ({"learner": "river.linear_model.LinearRegression"}, "LinearRegression"),
        ({"learner": "river.cluster.KMeans"}, "got KMeans"),
        ({"learner": "river.active.EntropySampler", "params": {"classifier": {"use": LOGISTIC}}},
         "changes itself when it predicts"),
        ({"pipeline": ["river.preprocessing.StandardScaler"]}, "end the pipeline in one"),
        ({"pipeline": ["river.preprocessing.StandardScaler", "sklearn.linear_model.SGDClassifier"]},
         "steps of one library"),
        ({"pipeline": [{"use": "river.compose.Select", "keys": "a"}, LOGISTIC]}, "wanted a list"),
        ({"learner": "features.py:gorwn"}, 'did you mean "grown"?'),
        ({"learner": "feature.py:grown"}, 'did you mean "features.py"?'),
        ({"learner": "features.py:five"}, "got int"),
        ({"learner": "features.py:failing"}, "KeyError"),
        ({"learner": "features.py:__name__"}, "wanted a class or a function"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_refused_with_the_nearest_that_can(
    folder: Path, model: dict[str, Any], expected: str
) -> None:
    for use in (build, describe):
        with pytest.raises(ConfigError) as caught:
            use(config(folder, model))
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_detector_that_is_fitted_as_a_whole_is_not_told_to_take_a_window() -> None:
    values = {"name": "n", "task": "anomaly", "model": {"learner": "sklearn.svm.OneClassSVM"}}
    with pytest.raises(ConfigError, match=r"fitted as a whole: name one that can, such as (.*)$"):
        build(Config.of(values))
    build(Config.of(values | {"model": {"learner": "river.anomaly.HalfSpaceTrees"}}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("x = 1\ndef (:\n", "line 2: SyntaxError"), ("x = 1\n\n1 / 0\n", "line 3: ZeroDivision")],
)
def test_an_error_in_a_users_file_names_its_line(folder: Path, text: str, expected: str) -> None:
    (folder / "broken.py").write_text(text)
    with pytest.raises(ConfigError, match=expected):
        build(config(folder, {"learner": "broken.py:x"}))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ({"learner": "river.naive_bayes.GaussianNB"}, "GaussianNB"),
        ({"learner": "sklearn.multiclass.OneVsRestClassifier",
          "params": {"estimator": {"use": "sklearn.linear_model.SGDClassifier"}}},
         "OneVsRestClassifier"),
        ({"learner": "sklearn.neighbors.KNeighborsClassifier", "window": {"records": 50}},
         "KNeighborsClassifier"),
        ({"learner": "river.naive_bayes.GaussianNB", "window": {"records": 50}}, "GaussianNB"),
    ],
)  # fmt: skip
def test_weights_that_a_learner_would_pass_over_are_refused(
    folder: Path, model: dict[str, Any], name: str
) -> None:
    build(config(folder, model))
    with pytest.raises(ConfigError, match=f"takes weights, got {name}: leave .record. weight out"):
        build(config(folder, model, weight="w"))


@pytest.mark.parametrize(
    "model",
    [
        {"learner": LOGISTIC},
        {"learner": "sklearn.linear_model.SGDClassifier"},
        {"learner": "sklearn.ensemble.RandomForestClassifier", "window": {"records": 50}},
    ],
)
def test_weights_that_a_learner_takes_are_served(folder: Path, model: dict[str, Any]) -> None:
    build(config(folder, model, weight="w"))


def test_a_description_names_the_road_and_the_windows(folder: Path) -> None:
    text = describe(config(folder, {"learner": LOGISTIC, "window": {"records": 2_000}}))
    assert "LogisticRegression, a river estimator, one record at a time" in text
    assert "a member for every 2,000 learned records" in text
