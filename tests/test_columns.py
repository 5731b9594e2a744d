"""Reading records at once gives what reading them one by one gives."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.base import Classes, Task
from learners.table import Table
from stream.block import Block
from stream.decode import Decoder
from stream.sections import RecordConfig
from tests.decoding import BAD, GOOD, run_of

ODD: list[Any] = [
    {"x": 1, "c": "blue", "y": "DOWN"},
    {"x": 2**62, "c": "red", "y": "UP"},
    {"x": 2**63, "c": "red", "y": "UP"},
    {"x": -(2**64), "c": "red", "y": "UP"},
    {"x": 1e30, "c": None, "y": "UP"},
    {"x": True, "y": "UP"},
    {"x": "1", "y": "UP"},
    {"x": None, "y": None},
    {"c": 3, "y": "UP"},
    {"x": 1.0, "b": True, "y": "UP"},
    {"x": 1.0, "b": 1, "y": "UP"},
    {"x": 1.0, "new": 2.0, "y": "SIDEWAYS"},
    {"x": {"deep": 1.0}, "y": "UP"},
    {"out": {"in": 1.0}, "y": "UP"},
    {"out.in": 2.0, "y": "UP"},
    {"x": 1.0, "y": ["UP"]},
    {"x": 1.0, "y": {"UP": 1}},
    {"x": 1.0, "y": 1},
    {"x": 1.0, "y": 1.5},
    {"x": 1.0, "y": True},
    {"x": 1.0, "y": "UP", "k": 7, "t": 5, "w": 2.0, "left": [1]},
    {"x": 1.0, "y": "UP", "k": "a", "t": "2020-01-01T00:00:00Z", "w": 0, "left": "a"},
    {"x": 1.0, "y": "UP", "k": "", "t": 1, "w": 1, "id": 4},
    {"x": 1.0, "y": "UP", "k": "b", "t": "soon", "w": 1},
    {"x": 1.0, "y": "UP", "k": True, "t": 1, "w": 1},
    {"x": 1.0, "y": "UP", "k": "c", "t": 2**60, "w": 1},
    {"x": 1.0, "y": "UP", "k": "c", "t": 1, "w": -1},
    {"x": 1.0, "y": "UP", "k": "c", "t": 1, "w": None},
    {"x": 1.0, "y": "UP", "k": "c", "t": True, "w": 1},
    {"x": 1.0, "y": "UP", "k": "c", "t": 1, "w": 1, "left": {"u": 1}, "text": "long " * 30},
    {"x": 0, "y": 0},
    {"x": 1.0, "y": 1e301},
    {"x": 1.0, "y": -0.0},
    {},
]
VALUES: list[bytes | None] = [
    None,
    b'{"x":1.5,"x":2.5,"y":"UP"}',
    *(bad for bad, _ in BAD.values()),
    *(json.dumps(value).encode() for value in ODD),
]
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "parts": {"key": "k", "time": "t", "weight": "w", "leave_out": ["left", "text"], "id": "id"},
    "taken": {"take": ["x", "c"], "max_bytes": "100B"},
}


def cells(block: Block) -> list[Any]:
    rows = block.examples
    table = rows.rows if isinstance(rows.rows, Table) else Table.of(rows.rows)
    numbers = [{n: (type(v) is str, v) for n, v in row.items()} for row in table]
    columns = (rows.op, rows.y, rows.weight, rows.time)
    return [numbers, *((np.asarray(column) + 0).tolist() for column in columns)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.REGRESSION, Task.ANOMALY])
@given(
    drawn=st.lists(st.one_of(st.just(GOOD), st.sampled_from(VALUES)), max_size=60),
    keys=st.lists(st.sampled_from([b"k", b"l", None, b"", b"\xff"]), min_size=60, max_size=60),
    size=st.integers(1, 30),
)
@settings(max_examples=30, deadline=None)
def test_columns_are_what_rows_are(
    task: Task, way: str, drawn: list[bytes | None], keys: list[bytes | None], size: int
) -> None:
    record = RecordConfig(**{"label": "y"} | WAYS[way])
    by_row = Decoder(record, task, Classes())
    at_once = Decoder(record, task, Classes(), columnar=True)
    for start in range(0, len(drawn), size):
        part = drawn[start : start + size]
        run = run_of(part, keys[: len(part)], start)
        first, second = by_row.decode(run, start), at_once.decode(run, start)
        assert second.dead == first.dead
        assert (second.places, second.keys, second.removed) == (
            first.places,
            first.keys,
            first.removed,
        )
        np.testing.assert_equal(cells(second), cells(first))
        assert at_once.state() == by_row.state()


@pytest.mark.parametrize("name", ['b"c', "b\\c", "b\nc", "b\0c", "b%c}{", "\x7f\u2028é", ""])
def test_a_field_may_have_any_name(name: str) -> None:
    values: list[bytes | None] = [json.dumps({name: x, "a": 1.0}).encode() for x in (1.0, 2.0, 3.0)]
    by_row, at_once = (
        Decoder(RecordConfig(), Task.ANOMALY, Classes(), columnar=columnar)
        for columnar in (False, True)
    )
    for start in range(2):  # the second time the fields are known
        first, second = (
            one.decode(run_of(values, first=start), start) for one in (by_row, at_once)
        )
        assert second.dead == first.dead
        np.testing.assert_equal(cells(second), cells(first))
    assert at_once.state() == by_row.state()


def test_a_table_gives_its_rows_back() -> None:
    rows = [{"x": 1.0, "c": "a"}, {"c": "b"}, {"y": 2.0}, {}]
    table = Table.of(rows)
    assert list(table) == rows
    assert list(table[1:3]) == rows[1:3]
    assert table[0] == rows[0]
    more = [{"z": 3.0, "c": "new", "x": 4.0}, {"d": "a", "c": "a"}]
    assert list(table.joined(Table.of(more))) == rows + more


def test_what_is_restored_is_read_by_its_own_kinds() -> None:
    used, new = (
        Decoder(RecordConfig(label="y"), Task.REGRESSION, Classes(), columnar=True)
        for _ in range(2)
    )
    for start in range(2):
        used.decode(run_of([b'{"a":1.0,"z":2.0,"y":1.0}'], first=start), start)
    assert used.state()["kinds"] == {"a": "number", "z": "number"}
    for kinds in {"a": "number", "w": "number"}, {"a": "number", "z": "category"}:
        for decoder in used, new:
            decoder.restore({"kinds": kinds, "classes": []})
        values: list[bytes | None] = [b'{"a":1.0,"z":5.0}', b'{"a":1.0,"z":"s"}', b'{"w":5.0}']
        first, second = new.decode(run_of(values), 0), used.decode(run_of(values), 0)
        assert second.dead == first.dead
        np.testing.assert_equal(cells(second), cells(first))
        assert used.state() == new.state()
