"""Predictions as they were served, beside the features."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learners.base import Predictions
from stream.served import as_served, pack, put, unpack


def predictions(value: list[float], proba: Any = None) -> Predictions:
    table = None if proba is None else np.array(proba, np.float64)
    return Predictions(np.array(value), table)


@given(st.lists(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=3, max_size=3), max_size=4))
def test_what_was_served_does_not_depend_on_classes_that_follow(proba: list[list[float]]) -> None:
    value = [float("nan") if not any(row) else 1.0 for row in proba]
    table = np.array(proba).reshape(len(proba), 3)
    wide = np.column_stack([table, np.zeros((len(proba), 2))])
    served = as_served(predictions(value, table))
    assert served == as_served(predictions(value, wide))
    back = predictions([5.0] * len(value), np.full(wide.shape, 7.0))
    for row, kept in enumerate(served):
        put(back, row, kept)
    np.testing.assert_array_equal(back.value, value)
    np.testing.assert_array_equal(back.proba, wide)


def test_a_refused_row_was_served_nothing() -> None:
    answers = predictions([1.0, 2.0])
    answers.refused[0] = "why"
    assert as_served(answers)[0] == b""
    put(answers, 1, b"")
    assert np.isnan(answers.value[1])


@given(
    st.dictionaries(
        st.text(),
        st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    )
)
def test_features_come_back_as_they_are(features: dict[str, Any]) -> None:
    back, served = unpack(pack(features, b"\0"))
    assert repr(back) == repr(features)
    assert served == b"\0"
