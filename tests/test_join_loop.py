"""Late labels against a plain loop, and wherever blocks are cut or a run resumed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import linear_model, naive_bayes, preprocessing

from learners.digests import digest
from stream import waiting
from tests.delayed import (
    LINEAR,
    NAIVE_BAYES,
    Delayed,
    Event,
    Taken,
    configured,
)
from tests.plain_join import ENOUGH, Plain

KINDS = ["features"] * 6 + ["label"] * 6 + ["whole", "bad", "tick"]
STEPS = [0, 1, 1, 2, 3, 8, 30, -4, -25]
CUTS = st.sets(st.integers(1, 59)) | st.just(set(range(60)))
RESUMED = st.sets(st.integers(0, 20), max_size=2)


def events_of(labels: list[Any], weights: list[int] | None = None) -> Any:
    event = st.builds(
        Event,
        st.sampled_from(KINDS),
        st.integers(0, 6),
        st.sampled_from(STEPS),
        st.integers(-9, 9).map(float),
        st.sampled_from(labels),
        st.sampled_from(weights or [1]),
    )
    return st.lists(event, max_size=20) | st.lists(event, min_size=40, max_size=60)


def taken(config: Any, stream: Delayed, cuts: set[int], resumed: set[int]) -> Taken:
    """What a shard makes of a stream that is cut, and resumed after some of the runs."""
    done = Taken(config)
    for i, run in enumerate(stream.runs(cuts)):
        done.take(run)
        if i in resumed:
            done.resume()
    return done


def agree(done: Taken, plain: Plain) -> None:
    """Require the same model, counts and lags, and the same rows scored."""
    assert digest(done.shard.learner.estimator) == digest(plain.model)
    told = done.labels
    assert {name: told[name] for name in plain.counts} == plain.counts
    assert told["waiting"] == len(plain.waiting)
    if plain.lags:
        recent = sum(plain.lags) / len(plain.lags)
        assert told["lag"] == {"last": plain.lags[-1], "recent": recent, "overall": recent}
    else:
        assert told["lag"] is None
    assert done.shard.scores.report()["count"] == len(plain.graded)


@pytest.mark.slow
@settings(max_examples=120)
@given(
    events_of(["a", "a", "b", "c"]),
    CUTS,
    RESUMED,
    st.booleans(),
    st.sampled_from([1, 2, 3, 100]),
    st.sampled_from([None, "b"]),
    st.sampled_from([None, 5, 25]),
)
def test_it_is_the_plain_loop_of_test_wait_and_train(
    tmp_path_factory: pytest.TempPathFactory,
    events: list[Event],
    cuts: set[int],
    resumed: set[int],
    apart: bool,
    keep: int,
    default: str | None,
    leap: int | None,
) -> None:
    stream = Delayed(events, apart)
    plain = Plain(naive_bayes.GaussianNB(), keep, default, leap=leap or math.inf)
    for i, event, time in stream.timed:
        plain.take(i, event, time)
    config = configured(
        tmp_path_factory.mktemp("place"), "classification", NAIVE_BAYES, apart,
        keep=keep, default=default, leap=leap and f"{leap}ms",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stream.watermark.ENOUGH", ENOUGH)
        done = taken(config, stream, cuts, resumed)
    agree(done, plain)
    codes = done.shard.decoder.classes.codes
    assert done.predicted == {
        key: (codes.get(label), in_order(proba, codes))
        for key, (label, proba) in plain.predicted.items()
    }
    overall = done.shard.scores.report()["overall"]
    if plain.graded:
        hits = [label == guess for label, guess, _ in plain.graded]
        assert overall["accuracy"] == sum(hits) / len(hits)
        sure = [max(proba.get(label, 0.0), 1e-15) for label, _, proba in plain.graded]
        assert overall["log_loss"] == pytest.approx(-sum(map(math.log, sure)) / len(sure))


def in_order(proba: dict[Any, float], codes: dict[Any, int]) -> list[float]:
    row = [0.0] * (1 + max((codes[label] for label, p in proba.items() if p), default=-1))
    for label, p in proba.items():
        if p:
            row[codes[label]] = p
    return row


@pytest.mark.slow
@settings(max_examples=60)
@given(
    events_of([0.5, 2, -3.0], [1, 1, 2, 0]),
    CUTS,
    RESUMED,
    st.booleans(),
    st.sampled_from([2, 100]),
    st.sampled_from([None, 1.5]),
)
def test_numbers_and_weights_too(
    tmp_path_factory: pytest.TempPathFactory,
    events: list[Event],
    cuts: set[int],
    resumed: set[int],
    apart: bool,
    keep: int,
    default: float | None,
) -> None:
    stream = Delayed(events, apart, weighted=True)
    model = preprocessing.StandardScaler() | linear_model.LinearRegression()
    plain = Plain(model, keep, default, proba=False)
    for i, event, time in stream.timed:
        plain.take(i, event, time)
    config = configured(
        tmp_path_factory.mktemp("place"), "regression", LINEAR, apart,
        keep=keep, default=default, record={"weight": "w"},
    )  # fmt: skip
    done = taken(config, stream, cuts, resumed)
    agree(done, plain)
    assert done.predicted == {key: (guess, []) for key, (guess, _) in plain.predicted.items()}
    if plain.graded:
        errors = [abs(y - guess) for y, guess, _ in plain.graded]
        overall = done.shard.scores.report()["overall"]
        assert overall["mae"] == pytest.approx(sum(errors) / len(errors))


ROLLING = {
    "learner": "sklearn.naive_bayes.GaussianNB",
    "gather": 4,
    "window": {"records": 7, "keep": 3},
}
CASES = {
    "rolling": ("classification", ROLLING),
    "two classes": ("classification", {"learner": "river.linear_model.LogisticRegression"}),
    "refusing": ("classification", {"learner": "sklearn.naive_bayes.GaussianNB", "gather": 3}),
    "anomalies": (
        "anomaly",
        {"learner": "river.anomaly.HalfSpaceTrees", "params": {"n_trees": 2, "height": 4}},
    ),
    "weighted": ("classification", {"learner": "sklearn.naive_bayes.GaussianNB", "gather": 2}),
    "weighted batch": (
        "classification",
        {"learner": "sklearn.tree.DecisionTreeClassifier", "window": {"records": 6, "keep": 2}},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@settings(max_examples=30)
@given(
    data=st.data(),
    cuts=CUTS,
    resumed=RESUMED,
    apart=st.booleans(),
    keep=st.sampled_from([3, 100]),
    defaults=st.booleans(),
)
def test_cuts_and_resuming_change_nothing(
    name: str,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    cuts: set[int],
    resumed: set[int],
    apart: bool,
    keep: int,
    defaults: bool,
) -> None:
    """With segments so small that they are merged and dropped within a block as well."""
    task, model = CASES[name]
    labels = [0, 1] if task == "anomaly" else ["a", "b", "c"]
    weighted = name.startswith("weighted")
    stream = Delayed(data.draw(events_of(labels, [1, 2, 0] if weighted else None)), apart, weighted)
    given: dict[str, Any] = {"keep": keep, "default": labels[-1] if defaults else None}
    if weighted:
        given["record"] = {"weight": "w"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "SIZE", 4)
        patch.setattr(waiting, "FEW", 2)
        whole, parts = (
            taken(
                configured(tmp_path_factory.mktemp("x"), task, model, apart, **given), stream, *how
            )
            for how in ((set(), set()), (cuts, resumed))
        )
    assert digest(parts.shard.learner.estimator) == digest(whole.shard.learner.estimator)
    assert parts.labels == whole.labels
    assert parts.predicted == whole.predicted
    assert parts.shard.scores.report() == whole.shard.scores.report()
    assert parts.shard.counts == whole.shard.counts
    assert parts.shard.decoder.state() == whole.shard.decoder.state()
    assert sorted(parts.dead) == sorted(whole.dead)
