"""The words of a category and their ranks, as trees ask for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.base import LEARN, PREDICT
from learners.compiled.flow import Categories, Flow
from learners.table import Table

ROWS = st.lists(
    st.dictionaries(st.sampled_from(["sky", "sea"]), st.text("abc", max_size=3), max_size=2),
    min_size=1,
    max_size=8,
)


def flow_of(rows: list[Any], op: int = PREDICT | LEARN) -> Flow:
    table, n = Table.of(rows), len(rows)
    columns = (table.names, table.dense, table.dense, table.categories, table.codes, table.words)
    return Flow(*columns, np.full(n, op, np.uint8), np.zeros(n), np.ones(n))


@given(blocks=st.lists(st.tuples(ROWS, st.sampled_from([PREDICT, LEARN])), max_size=12))
@settings(max_examples=60, deadline=None)
def test_ranks_are_those_of_all_words_learned_so_far(blocks: list[Any]) -> None:
    categories = Categories()
    for rows, op in blocks:
        categories.match(flow_of(rows, op))
        ranks = categories.ranks()
        assert ranks.shape == (len(categories), max(map(len, categories.words), default=0))
        for rank, words in zip(ranks, categories.words, strict=True):
            assert [sorted(words).index(word) for word in words] == rank[: len(words)].tolist()
            assert not rank[len(words) :].any()
        assert categories.ranks() is ranks
        again = Categories(categories.names, categories.words)
        np.testing.assert_array_equal(again.ranks(), ranks)
