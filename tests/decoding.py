"""Decodes records in a test, one or a few at a time, and some that no decoder takes."""

from __future__ import annotations

import json
from typing import Any

from learners.base import Classes, Task
from stream.block import Block
from stream.decode import Decoder
from stream.log import Run
from stream.sections import RecordConfig


def run_of(
    values: list[bytes | None], keys: list[bytes | None] | None = None, first: int = 0
) -> Run:
    n = len(values)
    offsets = list(range(first, first + n))
    return Run("t", 3, offsets, [1_000 + i for i in offsets], keys or [b"k"] * n, values)


def decoder_of(
    task: Task = Task.CLASSIFICATION, classes: Classes | None = None, **record: Any
) -> Decoder:
    return Decoder(RecordConfig(**{"label": "y"} | record), task, classes or Classes())


def decode(values: list[bytes | None], decoder: Decoder | None = None) -> Block:
    return (decoder or decoder_of()).decode(run_of(values), 0)


def one(value: Any, decoder: Decoder | None = None, key: bytes | None = b"k") -> Block:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return (decoder or decoder_of()).decode(run_of([raw], [key]), 0)


def reason(value: Any, decoder: Decoder | None = None, key: bytes | None = b"k") -> str:
    block = one(value, decoder, key)
    assert not len(block.examples)
    (letter,) = block.dead
    return letter.reason


GOOD = b'{"x": 1.5, "c": "red", "y": "UP"}'
BAD = {
    "not JSON": (b"{x: 1}", "JSON is malformed"),
    "empty": (b"", "truncated"),
    "cut off": (b'{"x": 1', "truncated"),
    "two": (GOOD + GOOD, "trailing"),
    "not UTF-8": (b'{"c": "\xff"}', "UTF-8"),
    "half a surrogate pair": (b'{"c": "\\ud800\\u0041"}', "surrogate"),
    "array": (b"[1]", "wanted a JSON object, got an array"),
    "string": (b'"a,b"', "wanted a JSON object, got a string"),
    "null": (b"null", "wanted a JSON object, got null"),
    "NaN": (b'{"x": NaN}', "malformed"),
    "infinity": (b'{"x": Infinity, "y": "UP"}', "malformed"),
    "out of range": (b'{"x": 1e999, "y": "UP"}', "out of range"),
    "-out of range": (b'{"x": -1e999, "y": "UP"}', "out of range"),
    "large integer": (b'{"x": %d, "y": "UP"}' % 2**63, "64 bits"),
    "2,000 arrays": (b'{"x": ' + b"[" * 2_000 + b"]" * 2_000 + b"}", "depth"),
    "2,000 objects": (b'{"x":' * 2_000 + b"1" + b"}" * 2_000, "depth"),
    "200 objects": (b'{"x":' * 200 + b"1" + b"}" * 200, "at most 100 objects"),
    "5 MB": (b'{"c": "' + b"a" * 5_000_000 + b'"}', "at most 1000000 bytes"),
    "array of numbers": (b'{"x": [1, 2], "y": "UP"}', "'x', got an array"),
    "string for a number": (b'{"x": "1.5", "new": 1, "y": "NEW"}', "wanted a number in"),
    "number for a category": (b'{"c": 7, "new": 1, "y": "NEW"}', "wanted a string in"),
    "label of another type": (b'{"x": 1.0, "new": 1, "y": 3}', "wanted a label like 'UP'"),
    "label is an object": (b'{"x": 1.0, "new": 1, "y": {"a": 1}}', "got an object"),
    "label is an array": (b'{"x": 1.0, "new": 1, "y": []}', "got an array"),
    "label is a fraction": (b'{"x": 1.0, "new": 1, "y": 0.5}', "got a number"),
}
