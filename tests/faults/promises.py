"""What holds for whatever bytes come, as records or as a configuration: properties and fuzzing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from learners.base import Classes, Task
from learners.errors import AlluviaError
from stream.block import Block
from stream.config import load
from stream.decode import Decoder
from stream.label_section import LabelConfig
from stream.log import Run
from stream.sections import RecordConfig

KEYS = (b"k", None, b"", b"\xff")
LATE = RecordConfig(label="y", id="id", time="t", weight="w")
KINDS = {"n": "number", "b": "bool", "c": "category", "s": "text"}
WAYS: list[tuple[Task, RecordConfig, LabelConfig | None]] = [
    (Task.CLASSIFICATION, RecordConfig(label="y"), None),
    (
        Task.CLASSIFICATION,
        RecordConfig.model_validate(
            {"label": "y", "key": "k.id", "types": KINDS, "positive": "UP", "max_bytes": "100B"}
        ),
        None,
    ),
    (Task.CLASSIFICATION, LATE, LabelConfig(default="no")),
    (Task.CLASSIFICATION, LATE, LabelConfig(topic="t", keyed_by_id=True)),
    (Task.REGRESSION, RecordConfig(label="a.y", time="a.t", leave_out=["z"]), None),
    (Task.REGRESSION, LATE, LabelConfig(topic="t", id="of.id")),
    (Task.ANOMALY, RecordConfig(weight="w", take=["x", "a.b"]), None),
    (Task.ANOMALY, LATE, LabelConfig()),
]
"""Task, [record] and [label] of a decoder."""
PAIRS = 128


def decode(data: bytes) -> None:
    """Decode lines, each behind a byte that says under which key; the first byte says how.

    Nothing may be raised, every record must be accounted for, and neither where the run is cut
    nor a restart may change anything.
    """
    way, lines = data[:1] or b"\0", data[1:].split(b"\n")
    keys = [KEYS[line[0] % len(KEYS)] if line else b"k" for line in lines]
    values = [line[1:] if line else None for line in lines]
    whole, parts = _decoder(way[0]), _decoder(way[0])
    at_once = whole.decode(_run(keys, values), 0)
    assert len(at_once.places) + len(at_once.removed) + len(at_once.dead) == len(lines)
    rows, dead = [], []
    for i in range(len(lines)):
        block = parts.decode(_run(keys[i : i + 1], values[i : i + 1], i), i)
        rows += _rows(block, i)
        dead += block.dead
        if i == len(lines) // 2:
            state = json.loads(json.dumps(parts.state()))
            parts = _decoder(way[0])
            parts.restore(state)
    assert repr((rows, dead)) == repr((_rows(at_once), at_once.dead))
    assert json.dumps(parts.state()) == json.dumps(whole.state())


def config(data: bytes, folder: Path) -> None:
    """Read a configuration: it is refused in one sentence, or can be shown and digested."""
    path = folder / "any.toml"
    path.write_bytes(data)
    try:
        found = load(path)
    except AlluviaError as error:
        assert len(str(error).splitlines()) == 1
        return
    assert found.describe() and repr(found) and found.model_digest()
    assert json.loads(found.model_fields_json())["task"] == found.task


def _decoder(way: int) -> Decoder:
    task, record, late = WAYS[way % len(WAYS)]
    return Decoder(record, task, Classes(), way >= PAIRS, late)


def _run(keys: list[bytes | None], values: list[bytes | None], first: int = 0) -> Run:
    offsets = list(range(first, first + len(keys)))
    return Run("t", 0, offsets, offsets, keys, values)


def _rows(block: Block, first: int = 0) -> list[Any]:
    return [row._replace(place=row.place + first) for row in block.rows()]
