"""Batches of Parquet, read as columns and record by record: the same blocks, to the last reason."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.base import Classes, Task
from stream.app import new_shard
from stream.block import Block
from stream.config import Config
from stream.decode import Decoder
from stream.file_log import FileLog
from stream.files import RecordFile
from stream.log import Run
from stream.parquet import Batch
from stream.sections import RecordConfig
from stream.sources import open_files

KINDS: dict[str, tuple[Any, list[Any]]] = {
    "doubles": (pa.float64(), [0.5, -1.0, math.nan, math.inf, 1e300, 2.0**63, None]),
    "singles": (pa.float32(), [0.5, 0.1, math.nan, -math.inf, None]),
    "longs": (pa.int64(), [0, 1, -(2**63), 2**63 - 1, 2**53 + 1, 7, None]),
    "bytes": (pa.int8(), [0, 1, -1, None]),
    "unsigned": (pa.uint64(), [0, 1, 2**64 - 1, 2**63, None]),
    "bools": (pa.bool_(), [True, False, None]),
    "texts": (pa.string(), ["a", "b", "", "é", "long" * 40, None]),
    "words": (pa.dictionary(pa.int8(), pa.string()), ["a", "b", None]),
    "large": (pa.large_string(), ["a", "k", None]),
    "nothing": (pa.null(), [None]),
    "times": (pa.timestamp("ms", "UTC"), [0, 10**12, None]),
    "lists": (pa.list_(pa.int64()), [[1], [], None]),
    "objects": (pa.struct([("in", pa.int64())]), [{"in": 1}, None]),
}
NAMES = ["key", "time", "weight", "label", "x", "y", "z", "out"]


@st.composite
def tables(draw: st.DrawFn) -> Any:
    """A table whose columns are of any kind, most of them plain."""
    count = draw(st.integers(1, 30))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True))
    columns = {}
    usual = {
        "key": ["texts", "longs"],
        "time": ["longs"],
        "weight": ["doubles", "bytes"],
        "label": ["bools", "texts", "bytes", "words"],
    }
    for name in names:
        plain = usual.get(name, ["doubles", "texts", "longs", "bools", "words"])
        kind = draw(st.sampled_from(plain if draw(st.integers(0, 14)) else list(KINDS)))
        dtype, values = KINDS[kind]
        few = values if draw(st.integers(0, 3)) == 0 else values[:2]
        cells = draw(st.lists(st.sampled_from(few), min_size=count, max_size=count))
        columns[name] = pa.array(cells, dtype)
    return pa.table(columns)


def records(task: Task, names: list[str]) -> st.SearchStrategy[RecordConfig]:
    def made(parts: set[str], take: bool, long: bool) -> RecordConfig:
        given: dict[str, Any] = {name: name for name in parts}
        if take:
            given["take"] = ["x", "y"]
        if task is Task.CLASSIFICATION and long:
            given["classes"] = ["a", "b"]
        given |= {"leave_out": ["out"], "max_bytes": "120B" if long else "1MB"}
        return RecordConfig(**given)

    there = [name for name in NAMES[:4] if name in names]
    parts = st.sets(st.sampled_from([*there * 3, "label"]))
    return st.builds(made, parts, st.booleans(), st.booleans())


def plain(value: Any) -> Any:
    """A value without a difference between numbers that a column does not know."""
    if isinstance(value, bool | int | float):
        return repr(float(value))
    return value


def told(block: Block) -> list[Any]:
    """All that a block says, in a form that can be compared."""
    rows = [
        (sorted((name, plain(value)) for name, value in row.features.items()), *map(plain, row[1:]))
        for row in block.rows()
    ]
    return [rows, sorted(block.dead), block.removed, block.keys, block.places]


@given(data=st.data(), task=st.sampled_from(list(Task)), cut=st.integers(1, 30))
def test_columns_give_the_same_blocks_as_records(data: st.DataObject, task: Task, cut: int) -> None:
    table = data.draw(tables())
    record = data.draw(records(task, table.column_names))
    batch = Batch(table.combine_chunks().to_batches()[0])
    count = len(batch)
    decoders = [
        Decoder(record, task, Classes(record.classes), columnar=columnar)
        for columnar in (True, True, False)
    ]
    start = 0
    for stop in (min(cut, count), count):
        values: Any = batch[start:stop]
        lines: list[Any] = [values[at] for at in range(len(values))]
        size = stop - start
        keys: list[Any] = [None] * size
        runs = [
            Run("t", 0, list(range(start, stop)), [5] * size, keys, of)
            for of in (values, lines, lines)
        ]
        blocks = [
            told(decoder.decode(run, start)) for decoder, run in zip(decoders, runs, strict=True)
        ]
        assert blocks[0] == blocks[1] == blocks[2]
        states = [decoder.state() for decoder in decoders]
        assert states[0] == states[1] == states[2]
        start = stop


def test_a_slice_is_of_the_same_rows() -> None:
    batch = Batch(pa.table({"x": list(range(200))}).to_batches()[0])
    lines = [b'{"x":%d}' % i for i in range(200)]
    assert [batch[at] for at in range(200)] == lines
    assert [batch[60:140][at] for at in range(80)] == lines[60:140]
    assert (batch[-1], len(batch[150:999]), list(batch[7:9])) == (lines[-1], 50, lines[7:9])


@pytest.fixture
def past(tmp_path: Path) -> Path:
    """Two thousand records in row groups of 300, with some that are odd."""
    chance = np.random.default_rng(3)
    columns: dict[str, Any] = {name: chance.normal(size=2_000).tolist() for name in "abc"}
    columns["label"] = [a > 0 for a in columns["a"]]
    columns["id"] = [f"k{i % 40}" for i in range(2_000)]
    columns["at"] = [1_000 * i for i in range(2_000)]
    columns["a"][700] = math.inf
    columns["b"][800] = columns["label"][900] = columns["id"][1_000] = None
    path = tmp_path / "past.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=300)
    return path


RECORD: dict[str, Any] = {"key": "id", "time": "at", "label": "label"}


def taken(folder: Path, files: list[Path], columnar: bool, limit: int) -> Any:
    """What a shard is after files, read as columns or not."""
    steps = ["river.preprocessing.StandardScaler", "river.linear_model.LogisticRegression"]
    values = {"name": "past", "task": "classification", "record": RECORD}
    config = Config.of(values | {"model": {"pipeline": steps, "compile": "auto"}}, folder)
    shard = new_shard(config)
    if not columnar:
        pairs = shard.learner.two_classes
        shard.decoder = Decoder(config.record, config.task, Classes(), pairs)
    log, dead = open_files(config, files, "past"), []
    log.seek({0: 0})
    while (run := log.poll(limit, 0.0)) is not None:
        dead += shard.take(run)[0].dead
    state = shard.snapshot()
    learner = state.states["learner"]
    return (
        (state.positions, state.counts, state.sequence, dead, shard.scores.report()),
        (learner.meta, {name: array.tobytes() for name, array in learner.arrays.items()}),
        state.states["decoder"].meta,
    )


@pytest.mark.slow
@pytest.mark.parametrize("limit", [70, 1_000, 100_000])
def test_a_model_is_the_same_from_columns_and_from_records(past: Path, limit: int) -> None:
    columns = taken(past.parent, [past], True, limit)
    assert columns == taken(past.parent, [past], False, limit)
    assert columns == taken(past.parent, [past], False, 700)
    assert columns[0][1]["set_aside"] == 2


def test_files_of_both_kinds_follow_each_other(past: Path) -> None:
    lines = past.parent / "more.jsonl"
    rows = [{"id": f"m{i}", "at": i, "a": 0.5, "label": True} for i in range(5)]
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    record = RecordConfig(**RECORD)
    paths = [lines, past, lines, lines]
    log = FileLog(lambda: [RecordFile(path, 0, record) for path in paths], "t")
    assert log.bounds()[0].end == 2_015
    whole = [message for path in paths for message in RecordFile(path, 0, record)]
    for begin in (0, 3, 5, 1_234, 2_004, 2_011):
        log.seek({0: begin})
        found: list[Any] = []
        while (run := log.poll(333, 0.0)) is not None:
            assert run.offsets[0] == begin + len(found)
            found += zip(run.keys, list(run.values), run.times, strict=True)
        assert found == [message[:3] for message in whole[begin:]]
    assert log.offsets_at(3) == {0: 3}
    assert log.offsets_at(500) == {0: 6}
