"""Compiled members that work side by side, against the same one after the other."""

from __future__ import annotations

from typing import Literal

import pytest
from river import linear_model, preprocessing

from ensembles.abreast import WORTH
from ensembles.rolling import RollingClassifier
from learners.checks import predict_learn_cut, same_answers, same_states
from learners.compiled.pipeline import compiled
from learners.roads import as_learner
from tests.rolling_cases import stream


@pytest.mark.slow
@pytest.mark.parametrize("on_close", ["freeze", "go_on"])
def test_members_side_by_side_are_what_they_are_one_after_the_other(
    on_close: Literal["freeze", "go_on"],
) -> None:
    model = compiled(preprocessing.StandardScaler() | linear_model.SoftmaxRegression())
    window = 2 * WORTH
    whole, parts = (
        as_learner(RollingClassifier(model, window=window, keep=3, on_close=on_close))
        for _ in range(2)
    )
    rows = stream(4 * window)
    cuts = range(0, len(rows), WORTH // 3)
    same_answers(whole.predict_learn(rows), predict_learn_cut(parts, rows, cuts))
    same_states(whole.state(), parts.state())
