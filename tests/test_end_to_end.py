"""The main job: what a service answers and learns is what a plain loop answers and learns."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river import anomaly, compose, linear_model, metrics, naive_bayes, preprocessing
from sklearn.linear_model import SGDClassifier

from ensembles.rolling import RollingClassifier
from learners.digests import digest
from stream.store import Entry
from tests import runner, streams
from tests.runner import Outcome
from tests.streams import LABEL, Stream

pytestmark = pytest.mark.slow

SCALED = [
    {"use": "river.preprocessing.StandardScaler"},
    {"use": "river.linear_model.LogisticRegression"},
]
NAIVE_BAYES = "river.naive_bayes.GaussianNB"
WINDOW = {"records": 100, "keep": 10}


@dataclasses.dataclass(frozen=True)
class Plain:
    """What a plain loop answered to each row, and its model in the end."""

    answers: list[Any]
    digest: str


@dataclasses.dataclass(frozen=True)
class Case:
    """A stream, the configuration of a learner, and the plain loop of that learner."""

    stream: Callable[[], Stream]
    tables: dict[str, Any]
    loop: Callable[[Stream], Plain]
    task: str = "classification"


def logistic(stream: Stream) -> Plain:
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    answers = []
    for x, y in stream:
        answers.append(model.predict_one(x))
        model.learn_one(x, y)
    return Plain(answers, digest(model))


def logistic_up(stream: Stream) -> Plain:
    plain = logistic(Stream(stream.rows, [y == "UP" for y in stream.labels]))
    return Plain(["UP" if answer else "DOWN" for answer in plain.answers], plain.digest)


def sgd(stream: Stream) -> Plain:
    model = SGDClassifier(random_state=1)
    classes = np.unique(stream.labels)
    answers: list[Any] = []
    for x, y in stream:
        row = np.array([list(x.values())], np.float64)
        answers.append(model.predict(row).tolist()[0] if answers else None)
        model.partial_fit(row, np.array([y]), classes)
    return Plain(answers, digest(model))


def rolling(stream: Stream) -> Plain:
    model = RollingClassifier(naive_bayes.GaussianNB(), window=100, keep=10)
    answers = []
    for x, y in stream:
        answers.append(model.predict_one(x))
        model.learn_one(x, y)
    assert [member.closed for member in model.members] == [True] * 10 + [False]
    return Plain(answers, digest(model.estimator))


def regression(stream: Stream) -> Plain:
    model = preprocessing.StandardScaler() | linear_model.LinearRegression()
    answers = []
    for x, y in stream:
        answers.append(model.predict_one(x))
        model.learn_one(x, y)
    return Plain(answers, digest(model))


def half_spaces(stream: Stream) -> Plain:
    model = compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(seed=1))
    answers = []
    for x, _ in stream:
        answers.append(model.score_one(x))
        model.learn_one(x)
    return Plain(answers, digest(model))


CASES = {
    "river": Case(streams.phishing, {"model": {"pipeline": SCALED}}, logistic),
    "sgd": Case(
        streams.phishing,
        {
            "record": {"classes": [False, True]},
            "model": {"learner": "sklearn.linear_model.SGDClassifier"},
        },
        sgd,
    ),
    "rolling": Case(
        streams.image_segments, {"model": {"learner": NAIVE_BAYES, "window": WINDOW}}, rolling
    ),
    "regression": Case(
        streams.trump_approval,
        {"model": {"pipeline": [SCALED[0], {"use": "river.linear_model.LinearRegression"}]}},
        regression,
        "regression",
    ),
    "anomalies": Case(
        streams.shuttle,
        {
            "model": {
                "pipeline": [
                    {"use": "river.preprocessing.MinMaxScaler"},
                    {"use": "river.anomaly.HalfSpaceTrees"},
                ]
            }
        },
        half_spaces,
        "anomaly",
    ),
}
NAMES = ["UP", "DOWN"]
ELEC2 = {
    "elec2-river": Case(
        streams.elec2,
        {"record": {"classes": NAMES, "positive": "UP"}, "model": {"pipeline": SCALED}},
        logistic_up,
    ),
    "elec2-sgd": Case(
        lambda: streams.elec2(limit=3_000),
        CASES["sgd"].tables | {"record": {"classes": NAMES}},
        sgd,
    ),
    "elec2-rolling": Case(lambda: streams.elec2(limit=1_500), CASES["rolling"].tables, rolling),
}
needs_elec2 = pytest.mark.skipif(
    not streams.ELEC2.exists(), reason=f"no {streams.ELEC2.name} in the folder of SHARED_DATA"
)
EVERY = [*CASES, *(pytest.param(name, marks=needs_elec2) for name in ELEC2)]


@functools.cache
def plain_of(name: str) -> tuple[Stream, Plain]:
    case = (CASES | ELEC2)[name]
    stream = case.stream()
    return stream, case.loop(stream)


def tables_of(name: str) -> dict[str, Any]:
    case = (CASES | ELEC2)[name]
    return {
        "task": case.task,
        **case.tables,
        "record": {"label": LABEL, **case.tables.get("record", {})},
        "checkpoint": {"records": 1_000},
    }


def check(outcome: Outcome, entries: Sequence[Entry | None], name: str) -> None:
    """Hold a run and what it stored against the plain loop."""
    stream, plain = plain_of(name)
    assert outcome.digest == plain.digest
    assert outcome.sequence == len(stream)
    assert not outcome.dead
    answers = [json.loads(entry.prediction) if entry else "nothing stored" for entry in entries]
    assert answers == plain.answers
    printed = outcome.report["overall"]
    if "accuracy" in printed:
        accuracy = metrics.Accuracy()
        for y, answer in zip(stream.labels, plain.answers, strict=True):
            accuracy.update(y, answer)
        assert printed["accuracy"] == accuracy.get()


def keys_of(name: str) -> list[str]:
    return [str(i) for i in range(len(plain_of(name)[0]))]


@pytest.mark.parametrize("name", CASES)
def test_the_embedded_service_is_a_plain_loop(name: str, tmp_path: Path) -> None:
    config = runner.embedded(tmp_path, name, **tables_of(name))
    runner.feed(config, plain_of(name)[0].messages())
    outcome = runner.run(config)
    check(outcome, runner.stored(config, keys_of(name)), name)


def test_errors_of_a_regression_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    stream, plain = plain_of("regression")
    config = runner.embedded(tmp_path, "regression", **tables_of("regression"))
    runner.feed(config, stream.messages())
    overall = runner.run(config).report["overall"]
    total = squares = 0.0
    for y, answer in zip(stream.labels, plain.answers, strict=True):
        total += abs(answer - y)
        squares += (answer - y) * (answer - y)
    assert overall["mae"] == total / len(stream)
    assert overall["rmse"] == math.sqrt(squares / len(stream))


@pytest.mark.services
@pytest.mark.parametrize("name", EVERY)
def test_kafka_and_redis_give_what_the_embedded_twins_give(
    name: str, tmp_path: Path, kafka_servers: str, redis_url: str, topic_name: str
) -> None:
    tables = tables_of(name)
    twin = runner.embedded(tmp_path / "twin", topic_name, **tables)
    real = runner.on_services(tmp_path, topic_name, kafka_servers, redis_url, **tables)
    for config in (twin, real):
        runner.feed(config, plain_of(name)[0].messages())
    outcome = runner.run(real)
    entries = runner.stored(real, keys_of(name))
    check(outcome, entries, name)
    assert outcome == runner.run(twin)
    assert entries == runner.stored(twin, keys_of(name))
