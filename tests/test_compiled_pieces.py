"""Many words make many columns: pieces are cut to them, and what a row lacks costs it nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import compose, linear_model, naive_bayes, optim, preprocessing, tree

from learners.base import Classes, Examples
from learners.checks import same_answers, same_states
from learners.compiled import pieces
from learners.compiled.pieces import CELLS, NEW_CELLS, PIECE, rows_of_new_columns, terse
from learners.compiled.pipeline import compiled
from learners.table import Table
from tests.twins import agree, indifferent_to_cuts, stream

WORDS = [f"user {i}" for i in range(150)]
Logistic = linear_model.LogisticRegression


def hashed(*parts: Any) -> Any:
    model = compose.Pipeline(preprocessing.FeatureHasher(2**10, seed=3))
    for part in parts:
        model |= part
    return model


def ones(model: Any) -> Any:
    encoder = compose.SelectType(str) | preprocessing.OneHotEncoder(drop_zeros=True)
    return (compose.SelectType(int, float) | preprocessing.StandardScaler()) + encoder | model


MODELS: dict[str, Any] = {
    "plain": hashed(Logistic(optim.SGD(0.2), l2=0.01)),
    "l1": hashed(Logistic(optim.SGD(0.1), l1=0.01)),
    "momentum": hashed(Logistic(optim.NesterovMomentum())),
    "adabound": hashed(Logistic(optim.AdaBound(), initializer=optim.initializers.Constant(0.5))),
    "scaled": hashed(preprocessing.StandardScaler(), Logistic()),
    "magnitudes": hashed(preprocessing.MaxAbsScaler(), Logistic(optim.Adam())),
    "passive": hashed(linear_model.PAClassifier(0.1)),
    "alma": hashed(linear_model.ALMAClassifier()),
    "softmax": hashed(linear_model.SoftmaxRegression()),
    "gaussian": hashed(naive_bayes.GaussianNB()),
    "ones": ones(Logistic()),
    "ones, with ftrl": ones(Logistic(optim.FTRLProximal())),
    "one-hot": compose.SelectType(str) | preprocessing.OneHotEncoder() | Logistic(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_many_words_are_learned_as_river_learns_them(name: str, seed: int) -> None:
    rows = stream(seed, 200, words=WORDS)
    agree(MODELS[name], rows)
    indifferent_to_cuts(compiled(MODELS[name]), rows, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MODELS, "tree"])
def test_pieces_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = MODELS.get(name, tree.HoeffdingTreeClassifier(10, delta=0.3))
    whole, cut, rows = compiled(model), compiled(model), stream(4, 300, words=WORDS)
    answer = whole.predict_learn(rows)
    monkeypatch.setattr(pieces, "CELLS", 1_000)
    monkeypatch.setattr(pieces, "NEW_CELLS", 2_000)
    same_answers(cut.predict_learn(rows), answer)
    same_states(cut.state(), whole.state())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "scaled", "softmax", "ones", "one-hot"])
def test_no_matrix_is_larger_than_a_piece_may_be(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "CELLS", CELLS // 64)
    monkeypatch.setattr(pieces, "NEW_CELLS", NEW_CELLS // 64)
    twin, sizes = compiled(MODELS[name]), []
    run = twin.model.run

    def measured(flow: Any, classes: int) -> Any:
        wide = len(getattr(twin.model, "fields", ()))
        sizes.append(max(flow.asked.size, len(flow.op) * wide))
        return run(flow, classes)

    monkeypatch.setattr(twin.model, "run", measured)
    rows = [{"user": f"user {i}", "x": float(i % 7)} for i in range(3_000)]
    for start in range(0, 3_000, 1_000):
        y = (np.arange(1_000) % 2).astype(np.float64)
        twin.predict_learn(Examples.of(rows[start : start + 1_000], y, Classes("ab")))
    assert max(sizes) <= CELLS // 64 + NEW_CELLS // 16


@pytest.mark.parametrize("kind", ["words", "whole numbers"])
def test_a_piece_has_room_for_a_column_of_each_value(kind: str) -> None:
    for values in 3, 400, 5_000:
        cells = [i % values if kind == "whole numbers" else f"w{i % values}" for i in range(5_000)]
        rows = rows_of_new_columns(
            Table.of([{"x": i / 7.0, "user": v} for i, v in enumerate(cells)])
        )
        assert rows * min(rows, values) <= NEW_CELLS
    assert rows_of_new_columns(Table.of([{"x": i / 7.0} for i in range(5_000)])) > PIECE


def test_a_terse_table_has_the_same_rows_and_no_other_words() -> None:
    rows = [{"x": 1.0, "sky": word, "sea": "deep"} for word in "cabdcab"]
    rows[4] = {"sky": "a"}
    table = Table.of(rows)
    assert terse(table) is table
    part = terse(table[3:6])
    assert list(part) == rows[3:6]
    assert part.words == [["deep"], ["a", "d"]]
