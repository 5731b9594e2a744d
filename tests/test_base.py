import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.naive_bayes import GaussianNB

from ensembles.rolling import RollingClassifier
from learners.base import LEARN, PREDICT, Classes, Examples, HasMembers, Learner
from learners.errors import LearnerError
from learners.from_river import FromRiver

LABELS = st.one_of(st.text(max_size=2), st.integers(-2, 3), st.booleans(), st.floats(0, 3))


@given(st.lists(LABELS))
def test_classes_have_codes_in_the_order_they_came(labels: list[str | int | float]) -> None:
    classes = Classes()
    codes = [classes.add(label) for label in labels]
    first = list(dict.fromkeys(labels))
    assert repr(classes.labels) == repr(first)
    assert codes == [first.index(label) for label in labels]
    assert len(classes) == len(first)
    assert Classes(classes.labels).codes == classes.codes


def test_classes_are_bounded() -> None:
    classes = Classes(["a", "b"], limit=2)
    assert classes.add("b") == 1
    with pytest.raises(LearnerError, match="at most 2 classes, got 'c' beyond them"):
        classes.add("c")
    assert classes.labels == ["a", "b"]


def rows_of(n: int = 5) -> Examples:
    rows = [{"a": i, "b": i / 2} if i % 2 else {"b": True} for i in range(n)]
    return Examples.of(rows, np.arange(float(n)), Classes(), PREDICT, np.full(n, 0.5))


def test_rows_that_all_ask_for_the_same() -> None:
    rows = rows_of()
    assert rows.op.tolist() == [PREDICT] * 5
    assert rows.weight.tolist() == [0.5] * 5
    assert rows.time.tolist() == [0] * 5
    plain = Examples.of([{}], np.zeros(1), Classes())
    assert (plain.op.tolist(), plain.weight.tolist()) == ([PREDICT | LEARN], [1.0])


def test_columns_are_numbers_and_nan_where_a_row_lacks_the_field() -> None:
    matrix = rows_of(3).columns(("b", "a", "none"))
    assert matrix.flags.c_contiguous
    assert matrix.dtype == np.float64
    expected = [[1.0, math.nan, math.nan], [0.5, 1.0, math.nan], [1.0, math.nan, math.nan]]
    np.testing.assert_array_equal(matrix, expected)
    assert rows_of(0).columns(("a", "b")).shape == (0, 2)
    assert rows_of(2).columns(()).shape == (2, 0)


def test_columns_of_what_is_no_number_are_refused() -> None:
    rows = Examples.of([{"a": 1}, {"a": "red"}], np.zeros(2), Classes())
    with pytest.raises(LearnerError, match=r"wanted numbers in the fields a, got .*red.*: leave"):
        rows.columns(("a",))


@given(st.integers(0, 6), st.integers(0, 6), st.booleans())
def test_a_slice_is_the_rows_of_it(start: int, end: int, made: bool) -> None:
    rows = rows_of()
    if made:
        rows.columns(("a", "b"))
    part = rows[start:end]
    assert len(part) == len(range(5)[start:end])
    assert list(part.rows) == list(rows.rows)[start:end]
    assert part.y.tolist() == rows.y[start:end].tolist()
    assert part.weight.tolist() == rows.weight[start:end].tolist()
    whole = rows.columns(("a", "b"))
    np.testing.assert_array_equal(part.columns(("a", "b")), whole[start:end])


def test_a_matrix_that_is_there_is_not_made_again() -> None:
    rows, matrix = rows_of(2), np.array([[7.0], [8.0]])
    rows.put_columns(("z",), matrix)
    assert rows.columns(("z",)) is matrix
    assert rows[1:].columns(("z",)).tolist() == [[8.0]]


def test_only_a_learner_of_members_tells_of_them() -> None:
    ensemble: Learner = RollingClassifier(GaussianNB())
    alone: Learner = FromRiver(GaussianNB())
    assert isinstance(ensemble, HasMembers) and len(ensemble.members) == 1
    assert not isinstance(alone, HasMembers)
