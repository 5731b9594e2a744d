from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from river import linear_model, naive_bayes, preprocessing

from ensembles.rolling import RollingClassifier
from learners.base import Classes, Examples
from learners.compiled.chain import Chain
from learners.compiled.descent import plain
from learners.compiled.pieces import PIECE
from learners.compiled.pipeline import compiled
from learners.compiled.scaling import standardise
from learners.compiled.twins import NoTwinError
from learners.errors import LearnerFailedError
from learners.roads import as_learner
from stream.config import Config
from stream.model import build, describe
from tests.twins import agree, same, stream

SCALED = preprocessing.StandardScaler() | linear_model.LogisticRegression()


def config(**model: Any) -> Config:
    return Config.of(
        {
            "name": "twins",
            "task": "classification",
            "record": {"label": "class"},
            "model": {"compile": "auto", **model},
        }
    )


STEPS = ["river.preprocessing.StandardScaler", "river.linear_model.LogisticRegression"]


def test_auto_takes_the_twin_and_says_so() -> None:
    asked = config(pipeline=STEPS)
    assert isinstance(build(asked), Chain)
    assert "compiled: its twin gives the same answers" in describe(asked)


def test_auto_says_which_part_has_no_twin() -> None:
    asked = config(pipeline=["river.preprocessing.RobustScaler", STEPS[1]])
    assert not isinstance(build(asked), Chain)
    assert "not compiled: there is no compiled form of RobustScaler" in describe(asked)


def test_members_of_a_rolling_ensemble_are_twins() -> None:
    asked = config(pipeline=STEPS, window={"records": 50, "keep": 3})
    rows = stream(3)
    plain = as_learner(RollingClassifier(SCALED, window=50, keep=3, random_state=42))
    twin = build(asked)
    same(twin.predict_learn(rows), plain.predict_learn(rows))


def test_what_has_learned_is_not_compiled() -> None:
    trained = naive_bayes.GaussianNB()
    trained.learn_one({"x": 1.0}, "a")
    with pytest.raises(NoTwinError, match="that has learned"):
        compiled(trained)


@pytest.mark.slow
def test_a_block_of_many_pieces_is_one_block() -> None:
    agree(SCALED, stream(1, PIECE + 300, classes=3))
    agree(linear_model.SoftmaxRegression(), stream(1, 2 * PIECE + 1, classes=4))
    rows: list[dict[str, Any]] = [{"a": 1.0}] * (PIECE + 7)
    rows[-2] = {"b": "red"}
    with pytest.raises(LearnerFailedError) as failed:
        compiled(SCALED).predict_learn(Examples.of(rows, np.zeros(len(rows)), Classes("ab")))
    assert failed.value.row == len(rows) - 2


@pytest.mark.slow
def test_strided_and_frozen_arrays_take_the_same_kernels() -> None:
    rows = stream(2, 60, missing=0.0)
    whole = compiled(SCALED).predict_learn(rows)
    kernels: list[Any] = [plain, standardise]
    before = [len(kernel.signatures) for kernel in kernels]
    table = rows.table()
    table.dense = np.asfortranarray(table.dense)
    odd = Examples(table, rows.op, rows.y.repeat(2)[::2], rows.weight, rows.time, rows.classes)
    odd.weight.flags.writeable = False
    np.testing.assert_array_equal(compiled(SCALED).predict_learn(odd).value, whole.value)
    assert [len(kernel.signatures) for kernel in kernels] == before
