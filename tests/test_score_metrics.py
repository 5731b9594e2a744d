"""River's metrics in the service against river's own evaluation, and those it refuses."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river import evaluate, linear_model, metrics, naive_bayes, preprocessing

from learners.base import LEARN, PREDICT, Classes, Examples, Label, Predictions, Task
from learners.errors import StateError
from learners.from_river import FromRiver
from stream.app import new_shard
from stream.config import Config
from stream.errors import ConfigError
from stream.score import Scores
from stream.score_metrics import NamedMetric
from tests import runner, streams

BOTH = PREDICT | LEARN
NAN = math.nan
BAYES = "river.naive_bayes.GaussianNB"
MEAN = "river.dummy.StatisticRegressor"
MINE = """
from river import metrics, utils


class Hits(metrics.Accuracy):
    pass


class Half(metrics.Accuracy):
    def update(self, y_true, y_pred, w=1.0):
        if not y_pred:
            raise KeyError(y_pred)
        super().update(y_true, y_pred, w)


def recent():
    return utils.Rolling(metrics.F1, window_size=100)


def of_no():
    return metrics.F1(pos_val="no")


def nothing():
    return 5


def both():
    return metrics.Accuracy() + metrics.F1()


def kept_nowhere():
    metric = metrics.Accuracy()
    metric.told = lambda: None
    return metric
"""


def logistic() -> Any:
    return preprocessing.StandardScaler() | linear_model.LogisticRegression()


def figures(scores: Scores) -> dict[str, Any]:
    overall: dict[str, Any] = scores.report()["overall"]
    return {metric.name: overall[metric.name] for metric in scores.metrics}


@pytest.mark.parametrize("names", [None, {False: "no", True: "yes"}, {False: "b", True: "a"}])
@pytest.mark.parametrize(
    "kind",
    [
        metrics.Accuracy,
        metrics.F1,
        metrics.MCC,
        metrics.LogLoss,
        metrics.CrossEntropy,
        metrics.ROCAUC,
        metrics.RollingROCAUC,
        metrics.RollingPRAUC,
    ],
)
def test_a_metric_is_what_rivers_own_evaluation_gives(
    kind: Any, names: dict[bool, str] | None
) -> None:
    stream = streams.phishing()
    plain = logistic()
    begun = stream.labels.index(not stream.labels[0]) + 1  # the service cannot name a class before
    for x, label in list(stream)[:begun]:
        plain.learn_one(x, label)
    rest = list(stream)[begun:]
    expected = evaluate.progressive_val_score(rest, plain, kind()).get()

    labels: list[Label] = [names[y] if names else y for y in stream.labels]
    positive = names[True] if names else None
    classes = Classes(labels)
    y = np.array([classes.codes[label] for label in labels], np.float64)
    rows = Examples.of(stream.rows, y, classes)
    learner = FromRiver(logistic(), positive)
    learner.predict_learn(rows[:begun])
    named = NamedMetric("river.metrics." + kind.__name__, kind(), learner.task, positive)
    scores = Scores(learner.task, metrics=[named])
    scores.update(rows[begun:], learner.predict_learn(rows[begun:]))
    assert figures(scores) == {kind.__name__: expected}
    assert named.count == len(rest)


def test_without_a_positive_class_the_second_that_came_is_it() -> None:
    """As for a learner that only tells True from False, see `learners.pair`."""
    classes = Classes(["no", "yes", "perhaps"])
    rows = Examples.of([{}] * 4, np.array([0.0, 1, 1, 2]), classes)
    named = NamedMetric("recall", metrics.Recall(), Task.CLASSIFICATION)
    scores = Scores(Task.CLASSIFICATION, metrics=[named])
    scores.update(rows, Predictions(np.array([0.0, 1, 0, 2])))
    assert figures(scores) == {"recall": 0.5}


def test_a_metric_that_wants_probabilities_has_no_figure_without_them() -> None:
    rows = Examples.of([{}] * 4, np.array([0.0, 1, 1, 0]), Classes(["no", "yes"]))
    named = NamedMetric("loss", metrics.LogLoss(), Task.CLASSIFICATION)
    scores = Scores(Task.CLASSIFICATION, metrics=[named])
    scores.update(rows, Predictions(np.array([0.0, 1, 0, 1])))
    assert figures(scores) == {"loss": None}


def test_rows_that_were_not_answered_are_passed_over_as_river_does() -> None:
    stream = streams.image_segments()
    classes = Classes(stream.labels)
    y = np.array([classes.codes[label] for label in stream.labels], np.float64)
    rows = Examples.of(stream.rows, y, classes)
    accuracy = NamedMetric("accuracy", metrics.Accuracy(), Task.CLASSIFICATION)
    scores = Scores(Task.CLASSIFICATION, metrics=[accuracy])
    scores.update(rows, FromRiver(naive_bayes.GaussianNB()).predict_learn(rows))
    expected = evaluate.progressive_val_score(
        list(stream), naive_bayes.GaussianNB(), metrics.Accuracy()
    )
    assert accuracy.count == len(stream) - 1
    assert figures(scores) == {"accuracy": expected.get()}


def test_anomaly_scores_reach_a_metric_as_they_are() -> None:
    y, value = np.array([0.0, 1, 0, 1, 0]), np.array([3.0, 90.0, NAN, 2.0, 1.0])
    named = NamedMetric("auc", metrics.RollingROCAUC(), Task.ANOMALY)
    scores = Scores(Task.ANOMALY, metrics=[named])
    scores.update(Examples.of([{}] * 5, y, Classes()), Predictions(value))
    assert figures(scores) == {"auc": 0.75}


def test_a_row_that_a_metric_raises_on_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    y, value = np.array([1.0, 2, 3, 4, 5]), np.array([1.0, -5.0, math.inf, -6.0, 5.0])
    named = NamedMetric("rmsle", metrics.RMSLE(), Task.REGRESSION)
    scores = Scores(Task.REGRESSION, metrics=[named])
    with caplog.at_level(logging.WARNING):
        scores.update(Examples.of([{}] * 5, y, Classes()), Predictions(value))
    assert named.count == 2
    assert figures(scores) == {"rmsle": 0.0}
    assert [record.message.split(" on a row")[0] for record in caplog.records] == [
        "the metric rmsle raised ValueError('math domain error')"
    ]


def config(folder: Path, paths: list[str], task: str = "classification", **record: Any) -> Config:
    (folder / "mine.py").write_text(MINE, "utf-8")
    learner = {"learner": BAYES}
    if task == "regression":
        learner = {"learner": MEAN, "params": {"statistic": {"use": "river.stats.Mean"}}}  # type: ignore[dict-item]
    return runner.embedded(
        folder,
        "a",
        task=task,
        record={"label": streams.LABEL, **record},
        model=learner,
        score={"metrics": paths},
    )


def answered(n: int = 300) -> tuple[Examples, Predictions]:
    random = np.random.default_rng(5)
    y = np.floor(random.random(n) * 2)
    value = np.where(random.random(n) < 0.8, y, 1 - y)
    return Examples.of([{}] * n, y, Classes(["no", "yes"])), Predictions(value)


def scores_of(folder: Path, *paths: str) -> Scores:
    return new_shard(config(folder, list(paths))).scores


def test_a_metric_keeps_what_is_its_own_when_the_list_changes(tmp_path: Path) -> None:
    accuracy, f1, recall = (f"river.metrics.{name}" for name in ("Accuracy", "F1", "Recall"))
    rows, answers = answered()
    first = scores_of(tmp_path, accuracy, f1)
    first.update(rows, answers)
    second = scores_of(tmp_path, recall, f1)
    second.restore(first.state())
    assert figures(second) == {"Recall": None, "F1": figures(first)["F1"]}
    second.update(rows, answers)
    alone = scores_of(tmp_path, recall)
    alone.update(rows, answers)
    assert figures(second)["Recall"] == figures(alone)["Recall"]
    third = scores_of(tmp_path, accuracy, f1)
    third.restore(second.state())
    assert figures(third) == {"Accuracy": None, "F1": figures(second)["F1"]}


def test_a_path_that_names_another_kind_of_metric_now_begins_anew(tmp_path: Path) -> None:
    rows, answers = answered()
    first = Scores(Task.CLASSIFICATION, metrics=[_named("x", metrics.F1())])
    first.update(rows, answers)
    second = Scores(Task.CLASSIFICATION, metrics=[_named("x", metrics.Recall())])
    second.restore(first.state())
    assert figures(second) == {"x": None}


def _named(path: str, metric: Any) -> NamedMetric:
    return NamedMetric(path, metric, Task.CLASSIFICATION)


def test_a_metric_from_the_users_file_is_trusted_when_it_is_restored(tmp_path: Path) -> None:
    rows, answers = answered()
    first = scores_of(tmp_path, "mine.py:Hits", "mine.py:recent")
    first.update(rows, answers)
    second = scores_of(tmp_path, "mine.py:Hits", "mine.py:recent")
    second.restore(first.state())
    assert figures(second) == figures(first)
    assert None not in figures(second).values()
    stranger = Scores(Task.CLASSIFICATION, metrics=[_named("mine.py:Hits", metrics.Accuracy())])
    with pytest.raises(StateError, match=r"alluvia_user_mine\.Hits"):
        stranger.restore(first.state())


@pytest.mark.slow
def test_a_run_keeps_metrics_across_a_restart(tmp_path: Path) -> None:
    messages = streams.drifting(600, 4).messages()
    outcomes = {}
    for name, pieces in (("halves", [messages[:300], messages[300:]]), ("whole", [messages])):
        (tmp_path / name).mkdir()
        asked = config(tmp_path / name, ["river.metrics.ROCAUC", "mine.py:Hits"], positive="UP")
        for piece in pieces:
            runner.feed(asked, piece)
            outcomes[name] = runner.run(asked)
    assert outcomes["halves"].report == outcomes["whole"].report
    assert outcomes["whole"].report["overall"]["ROCAUC"] > 0.5
    assert outcomes["whole"].report["overall"]["mine.py:Hits"] > 0.5


@pytest.mark.parametrize(
    ("paths", "task", "expected"),
    [
        (["river.metrics.ConfusionMatrix"], "classification", "raised NotImplementedError"),
        (["river.metrics.ClassificationReport"], "classification", "raised NotImplementedError"),
        (["mine.py:both"], "classification", "which gives a list"),
        (["river.metrics.MAE"], "classification", "metric for task 'classification', got river"),
        (["river.metrics.Accuracy"], "regression", "metric for task 'regression', got river"),
        (["river.metrics.Silhouette"], "classification", "which is for another"),
        (["river.metrics.multioutput.ExactMatch"], "classification", "which is for another"),
        (["river.metrics.Acuracy"], "classification", 'did you mean "Accuracy"'),
        (["river.metrics.FBeta"], "classification", "wanted the parameter beta, got none"),
        (["river.stats.Mean"], "classification", "wanted a river metric, got river.stats.Mean"),
        (["mine.py:nothing"], "classification", "which makes a int"),
        (["mine.py:of_no"], "classification", "pos_val left alone, got 'no'"),
        (["mine.py:Half"], "classification", "raised KeyError(False)"),
        (["mine.py:kept_nowhere"], "classification", "cannot be kept in a checkpoint"),
        (["river.metrics.F1"] * 2, "classification", "wanted each once"),
    ],
)
def test_a_metric_that_cannot_be_scored_is_refused_when_it_is_built(
    tmp_path: Path, paths: list[str], task: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        new_shard(config(tmp_path, paths, task))
    assert expected in str(caught.value)
    assert str(caught.value).startswith("[score] metrics: ")
    assert "\n" not in str(caught.value)


def test_which_of_three_declared_classes_is_positive_must_be_said(tmp_path: Path) -> None:
    classes = ["a", "b", "c"]
    with pytest.raises(ConfigError, match=r"wanted \[record\] positive for river.metrics.ROCAUC"):
        new_shard(config(tmp_path, ["river.metrics.ROCAUC"], classes=classes))
    new_shard(config(tmp_path, ["river.metrics.ROCAUC"], classes=classes, positive="b"))
    new_shard(config(tmp_path, ["river.metrics.CrossEntropy"], classes=classes))
