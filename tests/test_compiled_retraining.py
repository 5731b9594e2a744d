from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import base, drift, linear_model, naive_bayes, neighbors, preprocessing

from learners.base import Examples
from learners.compiled.drift import DDM, DRIFT
from learners.compiled.pipeline import compiled
from learners.compiled.twins import NoTwinError
from learners.errors import LearnerFailedError
from learners.from_river import FromRiver
from tests.twins import agree, agree_but_for_ties, indifferent_to_cuts, stream

Retraining = drift.DriftRetrainingClassifier
EARLY = {"warm_start": 10, "warning_threshold": 1.0, "drift_threshold": 2.0}
MODELS = {
    "bayes": Retraining(naive_bayes.GaussianNB(), drift.binary.DDM(**EARLY)),
    "defaults": Retraining(naive_bayes.GaussianNB()),
    "scaled": Retraining(
        preprocessing.StandardScaler() | linear_model.LogisticRegression(),
        drift.binary.DDM(**EARLY),
    ),
    "adwin": Retraining(naive_bayes.GaussianNB(), drift.ADWIN(0.3, 4), train_in_background=False),
    "page-hinkley": Retraining(
        naive_bayes.GaussianNB(), drift.PageHinkley(10, threshold=3.0), train_in_background=False
    ),
}
pytestmark = pytest.mark.slow


class Mute(linear_model.LogisticRegression):  # type: ignore[misc]  # river has no types here
    predict_proba_one = base.Classifier.predict_proba_one


def turning(seed: int, classes: int) -> Examples:
    """A stream whose labels change places a few times."""
    rows = stream(seed, 500, classes=classes)
    chance, shift = random.Random(seed), 0
    for i in range(len(rows)):
        if i > 200 and chance.random() < 0.01:
            shift = chance.randrange(classes)
        rows.y[i] = (rows.y[i] + shift) % len(rows.classes)
    return rows


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_a_twin_answers_as_river_does(name: str, seed: int) -> None:
    agree(MODELS[name], turning(seed, 2 if name == "scaled" else 3))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_the_next_model_has_codes_of_its_own(seed: int) -> None:
    nearest = neighbors.KNNClassifier(3, neighbors.LazySearch(20), softmax=True)
    agree_but_for_ties(Retraining(nearest, drift.binary.DDM(**EARLY)), turning(seed, 4))


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_cuts_change_nothing(name: str, seed: int) -> None:
    rows = turning(seed, 2 if name == "scaled" else 3)
    indifferent_to_cuts(compiled(MODELS[name]), rows, seed)


@pytest.mark.parametrize("row", [3, 700])
def test_a_row_with_a_word_is_named(row: int) -> None:
    rows = turning(1, 3)
    wordy = [*rows.rows, *rows.rows]
    wordy[row] = {**wordy[row], "word": "cold"}
    with pytest.raises(LearnerFailedError) as failed:
        compiled(MODELS["bayes"]).predict_learn(
            Examples.of(wordy, np.tile(rows.y, 2), rows.classes)
        )
    assert failed.value.row == row


def test_there_are_drifts_in_these_streams() -> None:
    rows = turning(1, 3)
    guess = FromRiver(naive_bayes.GaussianNB()).predict_learn(rows).value
    errors = (guess != rows.y)[~np.isnan(guess)].astype(float)
    assert (DDM(**EARLY).update(errors) == DRIFT).sum() > 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "clause"),
    [
        (Retraining(naive_bayes.GaussianNB(), drift.ADWIN()), "never warns"),
        (Retraining(Mute()), "around Mute, which gives no probabilities"),
        (Retraining(naive_bayes.GaussianNB(), drift.binary.EDDM()), "EDDM"),
    ],
)
def test_what_has_no_twin_says_so(model: Any, clause: str) -> None:
    with pytest.raises(NoTwinError, match=clause):
        compiled(model)
