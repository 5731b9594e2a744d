import os
from pathlib import Path
from typing import Any

import pytest

from stream.config import Config
from stream.errors import ConfigError

BASE: dict[str, Any] = {
    "name": "fraud",
    "task": "classification",
    "record": {"id": "id", "label": "y"},
    "model": {"learner": "river.naive_bayes.GaussianNB"},
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("ALLUVIA_")]:
        monkeypatch.delenv(name)


def configured(label: dict[str, Any] | None = None, **given: Any) -> Config:
    return Config.of({**BASE, **given, **({} if label is None else {"label": label})}, Path("/f"))


def test_labels_are_in_the_record_unless_it_says_otherwise() -> None:
    assert configured().label is None
    assert "label" not in configured().model_fields_json().replace('"label":"y"', "")
    label = configured({}).label
    assert label is not None
    assert (label.topic, label.within, label.keep) == (None, 30 * 86_400_000, 1_000_000)
    assert (label.default, label.leap, label.idle) == (None, 86_400_000, None)


@pytest.mark.parametrize(
    ("label", "given", "expected"),
    [
        ({}, {"record": {"label": "y"}}, "wanted [record] id beside [label], got none: name"),
        ({}, {"record": {"id": "i"}}, "wanted [label] label or [record] label, got neither"),
        ({"topic": "fraud"}, {}, "wanted another topic in [label] than in [log], got 'fraud'"),
        ({"id": "i"}, {}, "label: wanted id with a topic of labels only, got no topic"),
        ({"keyed_by_id": True}, {}, "wanted keyed_by_id with a topic of labels only"),
        ({"topic": "t", "id": "i", "keyed_by_id": True}, {}, "wanted id or keyed_by_id, got both"),
        ({"topic": "t", "id": "y"}, {}, 'in fields of their own, got "y" twice'),
        ({"within": "0s"}, {}, "[label] within: wanted greater than"),
        ({"leap": "0s"}, {}, 'leap: wanted a duration above 0, got 0: write "none" to believe'),
        ({"leap": 5}, {}, 'such as "10s" (ms, s, m, h, d), got 5: write a number'),
        ({"idle": "soon"}, {}, 'or "none" to let time stand still'),
        ({"within": 5}, {}, '[label] within: wanted a duration such as "10s"'),
        ({"keep": 0}, {}, "[label] keep: wanted greater than"),
        ({"kep": 1}, {}, 'unknown key [label] kep; did you mean "keep"?'),
        ({"topic": "a/b"}, {}, "[label] topic: wanted a short name"),
        ({"default": [1]}, {}, "[label] default: wanted a label, got"),
        ({"default": 0.5}, {}, "wanted a string, an integer of 64 bits, true or false as [label]"),
        (
            {"default": 2**63},
            {},
            "wanted a string, an integer of 64 bits, true or false as [label]",
        ),
        (
            {"default": 1},
            {"record": {"id": "id", "label": "y", "classes": ["a", "b"]}},
            "wanted a label like 'a' as [label] default for task \"classification\", got 1",
        ),
        (
            {"default": 1},
            {"record": {"id": "id", "label": "y", "positive": "a"}},
            "wanted a label like 'a' as [label] default",
        ),
        ({"default": "a"}, {"task": "regression"}, "wanted a number as [label] default"),
        ({"default": True}, {"task": "regression"}, "wanted a number as [label] default"),
        ({"default": float("inf")}, {"task": "regression"}, "wanted a number as [label] default"),
        ({"default": 2}, {"task": "anomaly"}, "wanted 1 or 0 as [label] default"),
    ],
)
def test_what_contradicts_itself_is_refused(
    label: dict[str, Any], given: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(label, **given)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_label_of_a_topic_of_its_own_needs_none_in_the_record() -> None:
    config = configured({"topic": "outcomes", "label": "fraud"}, record={"id": "id"})
    assert config.label is not None
    paths = config.label.paths(config.record)
    assert (paths.id, paths.label, paths.time) == ("id", "fraud", None)


def test_all_but_the_name_of_the_topic_decides_the_model() -> None:
    apart = configured({"topic": "outcomes"}).model_digest()
    assert configured({"topic": "results"}).model_digest() == apart
    others: list[dict[str, Any]] = [
        {},
        {"topic": "outcomes", "within": "7d"},
        {"topic": "outcomes", "keep": 5},
        {"topic": "outcomes", "default": "no"},
        {"topic": "outcomes", "leap": "none"},
        {"topic": "outcomes", "idle": "1m"},
        {"topic": "outcomes", "keyed_by_id": True},
        {"topic": "outcomes", "label": "z"},
        {"topic": "outcomes", "time": "at"},
    ]
    digests = {configured(other).model_digest() for other in others}
    assert len(digests | {apart, configured().model_digest()}) == len(others) + 2


@pytest.mark.parametrize("default", ["no", 0, False, 1.5])
def test_the_default_keeps_its_type(default: Any) -> None:
    task = "regression" if default == 1.5 else "classification"
    label = configured({"default": default}, task=task).label
    assert label is not None
    assert repr(label.default) == repr(default)


def test_the_environment_reaches_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLUVIA_LABEL__WITHIN", "2h")
    label = configured({}).label
    assert label is not None
    assert label.within == 7_200_000
