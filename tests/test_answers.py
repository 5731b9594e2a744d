import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.base import LEARN, PREDICT, Classes, Examples, Predictions, Task
from stream.answers import entries_of
from stream.block import Block, Tombstone
from stream.log import Run
from stream.store import Entry

NAN = math.nan


def answered(
    keys: list[str | None],
    values: list[float],
    *,
    removed: tuple[int, ...] = (),
    labels: tuple[Any, ...] = ("UP", "DOWN"),
    start: int = 0,
    only_learned: tuple[int, ...] = (),
    refused: tuple[int, ...] = (),
    with_proba: bool = True,
) -> tuple[Block, Predictions]:
    """A record for each key, and what was answered; `removed` are places of tombstones."""
    n = len(keys)
    run = Run(
        "t", 0, [2 * (start + i) for i in range(n)], [start + i for i in range(n)],
        [None] * n, [None] * n,
    )  # fmt: skip
    places = [i for i in range(n) if i not in removed]
    op = np.array([LEARN if i in only_learned else PREDICT | LEARN for i in places], np.uint8)
    value = np.array([values[i] for i in places], float)
    rows = Examples(
        [{}] * len(places),
        op,
        np.full(len(places), NAN),
        np.ones(len(places)),
        np.array([1_000 + start + i for i in places], np.int64),
        Classes(labels),
    )
    stones = [Tombstone(keys[i] or "", i) for i in removed]
    block = Block(run, start, rows, places, [keys[i] for i in places], stones, [])
    proba = np.zeros((len(places), len(labels)))
    for row, code in enumerate(value.tolist()):
        if not math.isnan(code) and len(labels):
            proba[row, int(code)] = 0.75
    reasons = {places.index(i): "no" for i in refused}
    return block, Predictions(value, proba if with_proba else None, reasons)


def entries(task: Task = Task.CLASSIFICATION, **given: Any) -> list[Entry]:
    return list(entries_of(*answered(**given), task, 4))


def test_an_entry_says_where_its_record_lies() -> None:
    (entry,) = entries(keys=["a"], values=[1], start=6)
    assert entry == ("a", '"DOWN"', '{"DOWN":0.75}', 4, 7, "t", 0, 12, 1_006)


def test_the_last_answer_of_a_key_is_stored() -> None:
    found = entries(keys=["a", "b", "a"], values=[0, 0, 1])
    assert [(e.key, e.prediction, e.sequence) for e in found] == [
        ("a", '"DOWN"', 3),
        ("b", '"UP"', 2),
    ]


def test_rows_without_a_key_or_an_answer_asked_for_are_not_stored() -> None:
    keys = ["a", None, "b", "c"]
    found = entries(keys=keys, values=[0, 0, NAN, 0], only_learned=(2,), refused=(3,))
    assert [e.key for e in found] == ["a"]


def test_a_refused_row_leaves_the_answer_before_it() -> None:
    (entry,) = entries(keys=["a", "a"], values=[0, NAN], refused=(1,))
    assert (entry.prediction, entry.sequence) == ('"UP"', 1)


def test_a_model_without_an_answer_stores_null() -> None:
    (entry,) = entries(keys=["a"], values=[NAN])
    assert (entry.prediction, entry.probabilities) == ("null", "")


def test_rows_before_any_class_was_seen_are_stored() -> None:
    found = entries(keys=["a", "b"], values=[NAN, NAN], labels=())
    assert [(e.prediction, e.probabilities) for e in found] == [("null", "")] * 2


@pytest.mark.parametrize("removed", [(1,), (0, 1)])
def test_a_key_removed_after_its_answer_is_removed(removed: tuple[int, ...]) -> None:
    (entry,) = entries(keys=["a", "a"], values=[0, 0], removed=removed)
    assert entry == ("a", "", "", 4, 2, "t", 0, 2, 1)


def test_a_key_that_comes_again_after_its_removal_is_stored() -> None:
    (entry,) = entries(keys=["a", "a"], values=[0, 0], removed=(0,))
    assert (entry.prediction, entry.sequence) == ('"UP"', 2)


@pytest.mark.parametrize("task", [Task.REGRESSION, Task.ANOMALY])
@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (-1e300, "-1e+300"), (NAN, "null"), (math.inf, "null"), (-math.inf, "null")],
)
def test_a_number_is_stored_to_the_last_bit_as_json(task: Task, value: float, text: str) -> None:
    (entry,) = entries(task, keys=["a"], values=[value], labels=(), with_proba=False)
    assert (entry.prediction, entry.probabilities) == (text, "")
    json.loads(entry.prediction)


LABELS = ("UP", 'Ü"%s', 3, True)


@pytest.mark.parametrize("code", range(len(LABELS)))
def test_labels_and_probabilities_are_json(code: int) -> None:
    block, answers = answered(["a", "b"], [code, code], labels=LABELS)
    assert answers.proba is not None
    answers.proba[1] = [0.1, 0.2, 0.3, 0.4]
    for one in (slice(0, 1), slice(1, 2), slice(0, 2)):
        block.keys[:] = [key if row in range(2)[one] else None for row, key in enumerate("ab")]
        for entry in entries_of(block, answers, Task.CLASSIFICATION, 1):
            names = ["UP", 'Ü"%s', "3", "true"]
            chances = {names[code]: 0.75}
            if entry.key == "b":
                chances = dict(zip(names, [0.1, 0.2, 0.3, 0.4], strict=True))
            assert json.loads(entry.probabilities) == chances
            assert json.loads(entry.prediction) == LABELS[code]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from([0.0, 1.0, NAN]),
        st.sampled_from(["row", "row", "removed", "refused", "learned"]),
    ),
    max_size=25,
)


@settings(max_examples=200)
@given(ROWS, st.lists(st.integers(1, 8), min_size=25, max_size=25))
def test_where_blocks_are_cut_leaves_the_same_in_the_store(
    rows: list[tuple[str | None, float, str]], cuts: list[int]
) -> None:
    """The store is a dict here, in which an entry with a higher sequence wins."""
    rows = [row for row in rows if row[0] is not None or row[2] != "removed"]
    model: dict[str, tuple[str, int]] = {}
    for i, (key, value, what) in enumerate(rows):
        if key is None:
            continue
        if what == "removed":
            model[key] = ("", i + 1)
        elif what == "row":
            model[key] = ("null" if math.isnan(value) else ['"UP"', '"DOWN"'][int(value)], i + 1)
    stored: dict[str, tuple[str, int]] = {}
    start = 0
    for cut in cuts:
        part = rows[start : start + cut]
        places = {
            what: tuple(i for i, row in enumerate(part) if row[2] == what)
            for what in ("removed", "refused", "learned")
        }
        found = entries(
            keys=[row[0] for row in part],
            values=[row[1] for row in part],
            start=start,
            removed=places["removed"],
            refused=places["refused"],
            only_learned=places["learned"],
        )
        assert len({e.key for e in found}) == len(found)
        for e in found:
            assert e.sequence > stored.get(e.key, ("", 0))[1]
            stored[e.key] = (e.prediction, e.sequence)
        start += len(part)
    assert stored == model
