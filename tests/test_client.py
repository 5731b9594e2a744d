from __future__ import annotations

from pathlib import Path

import pytest

from stream.client import Client, Prediction
from stream.config import Config, load
from stream.store import Entry
from stream.store_kinds import open_store

NOW = 1_000_500
PARAMETERS = {
    "classification": 'learner = "river.naive_bayes.GaussianNB"',
    "regression": 'learner = "river.linear_model.LinearRegression"',
    "anomaly": 'learner = "river.anomaly.HalfSpaceTrees"',
}


def configured(folder: Path, task: str) -> Config:
    path = folder / "alluvia.toml"
    label = "" if task == "anomaly" else '[record]\nlabel = "y"\n'
    path.write_text(f'name = "demo"\ntask = "{task}"\n{label}[model]\n{PARAMETERS[task]}\n')
    return load(path)


def stored(config: Config, prediction: str, probabilities: str = "") -> Prediction:
    """Return the prediction that a client finds after it was put into the store."""
    store = open_store(config)
    store.claim(1)
    store.put([Entry("k", prediction, probabilities, 2, 30, "demo", 0, 29, 1_000_000)])
    store.close()
    with Client(config, lambda: NOW) as client:
        (found,) = client.lookup("k")
    assert found is not None
    return found


def test_a_class_is_scored_by_its_probability(tmp_path: Path) -> None:
    config = configured(tmp_path, "classification")
    found = stored(config, '"UP"', '{"UP":0.75,"DOWN":0.25}')
    assert (found.prediction, found.score) == ("UP", 0.75)
    assert found.probabilities == {"UP": 0.75, "DOWN": 0.25}
    assert (found.version, found.offset, found.age_ms) == ("2@30", 29, 500)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("3", 3)])
def test_labels_that_are_no_strings_find_their_probability(
    tmp_path: Path, text: str, value: object
) -> None:
    found = stored(configured(tmp_path, "classification"), text, f'{{"{text}":0.5}}')
    assert (found.prediction, found.score) == (value, 0.5)


def test_a_class_without_probabilities_has_no_score(tmp_path: Path) -> None:
    found = stored(configured(tmp_path, "classification"), '"UP"')
    assert (found.probabilities, found.score) == (None, None)


def test_a_number_has_no_score_and_an_anomaly_is_its_score(tmp_path: Path) -> None:
    number = stored(configured(tmp_path, "regression"), "2.5")
    assert (number.prediction, number.score) == (2.5, None)
    (tmp_path / "other").mkdir()
    anomaly = stored(configured(tmp_path / "other", "anomaly"), "0.875")
    assert (anomaly.prediction, anomaly.score) == (0.875, 0.875)


def test_what_was_not_answered_is_none(tmp_path: Path) -> None:
    found = stored(configured(tmp_path, "classification"), "null")
    assert (found.prediction, found.score) == (None, None)


def test_keys_come_back_in_the_order_they_were_asked_for(tmp_path: Path) -> None:
    config = configured(tmp_path, "regression")
    stored(config, "1.0")
    with Client.from_file(tmp_path / "alluvia.toml") as client:
        found = client.lookup("none", "k", "none")
        assert client.lookup() == []
    assert [one and one.key for one in found] == [None, "k", None]


def test_a_prediction_as_json_names_its_version(tmp_path: Path) -> None:
    told = stored(configured(tmp_path, "regression"), "1.5").to_json()
    assert told["version"] == "2@30"
    assert {"key", "prediction", "probabilities", "score", "topic", "partition", "time"} < set(told)


@pytest.mark.parametrize("key", ["\udcff", "a\ud800b"])
def test_a_key_that_is_not_utf8_has_no_prediction(tmp_path: Path, key: str) -> None:
    config = configured(tmp_path, "regression")
    stored(config, "1.0")
    with Client(config) as client:
        found = client.lookup(key, "k", key)
    assert [one and one.key for one in found] == [None, "k", None]
