"""Decode: a run of bytes becomes a block; what cannot be is set aside with the reason."""

from __future__ import annotations

import datetime
import math
from typing import Any

import msgspec
import numpy as np

from learners.base import LEARN, PREDICT, Classes, Examples, Label, Task
from learners.pair import speaks_for_itself
from stream.block import Block, Tombstone
from stream.log import Run
from stream.schema import INT64, WORD_FOR, RefusedRecordError, Schema, take_out
from stream.sections import RecordConfig

BOTH = PREDICT | LEARN
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MILLISECOND = datetime.timedelta(milliseconds=1)
# Integers in JSON may be too large for a float.
LARGEST = 1e300


class Decoder:
    """Turns JSON records into rows, keys, labels and times, one after another.

    Its state is what the stream has shown: the fields with their kinds, and the classes, each
    in the order of the first record that was accepted with it.

    Parameters
    ----------
    record
        Where in a record its parts are.
    task
        What the label is: a class, a number, or 1 for an anomaly.
    classes
        The classes known before the first record.
    pairs
        Whether the learner only tells True from False: then false and true join together, since
        it may answer either before it has seen both.
    """

    def __init__(
        self, record: RecordConfig, task: Task, classes: Classes, pairs: bool = False
    ) -> None:
        self.classes = classes
        self._pairs = pairs
        self.schema = Schema(record.types, record.take, record.leave_out)
        self._record = record
        self._task = task
        self._decode = msgspec.json.Decoder().decode

    def state(self) -> dict[str, Any]:
        """Return the fields and classes met so far, as JSON values."""
        return {"kinds": dict(self.schema.kinds), "classes": list(self.classes.labels)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state; layouts are worked out anew."""
        record = self._record
        self.schema = Schema(state["kinds"], record.take, record.leave_out)
        self.classes = Classes(state["classes"], self.classes.limit)

    def decode(self, run: Run, start: int) -> Block:
        """Return the block of a run that begins after sequence `start`."""
        rows: list[dict[str, Any]] = []
        places: list[int] = []
        keys: list[str | None] = []
        ops, targets, weights, times = [], [], [], []
        empty = Examples.of([], np.empty(0), self.classes)
        block = Block(run, start, empty, places, keys, [], [])
        for place, value in enumerate(run.values):
            try:
                if value is None:
                    block.removed.append(Tombstone(self._key(run.keys[place]), place))
                    continue
                row = self._object(value)
                key = self._key_of(row, run.keys[place])
                time = self._time(row, run.times[place])
                weight = self._weight(row)
                op, target, label = self._label(row)
                if weight == 0.0:
                    op &= PREDICT  # it teaches nothing, and some trees divide by it
                features = self.schema.features(row)
                if label is not None:
                    target = self._code(label)
            except (RefusedRecordError, msgspec.MsgspecError) as error:
                block.set_aside(place, str(error))
                continue
            except (RecursionError, UnicodeDecodeError) as error:
                block.set_aside(place, f"wanted UTF-8 JSON of reasonable depth, got: {error}")
                continue
            rows.append(features)
            places.append(place)
            keys.append(key)
            ops.append(op)
            targets.append(target)
            weights.append(weight)
            times.append(time)
        block.examples = Examples(
            rows,
            np.array(ops, np.uint8),
            np.array(targets, np.float64),
            np.array(weights, np.float64),
            np.array(times, np.int64),
            self.classes,
        )
        return block

    def _object(self, value: bytes) -> dict[str, Any]:
        if len(value) > self._record.max_bytes:
            raise RefusedRecordError(
                f"wanted at most {self._record.max_bytes} bytes ([record] max_bytes), "
                f"got {len(value)}"
            )
        row = self._decode(value)
        if type(row) is not dict:
            raise RefusedRecordError(f"wanted a JSON object, got {WORD_FOR[type(row)]}")
        if self._record.id is not None:
            take_out(row, self._record.id)
        return row

    def _key_of(self, row: dict[str, Any], own: bytes | None) -> str | None:
        if self._record.key is None:
            return None if own is None else self._key(own)
        key = take_out(row, self._record.key)
        if type(key) is int:
            return str(key)
        if type(key) is not str or not key:
            raise RefusedRecordError(
                f"wanted a string or an integer as key in {self._record.key!r}, "
                f"got {WORD_FOR[type(key)] if key != '' else 'an empty string'}"
            )
        return key

    def _key(self, key: bytes | None) -> str:
        if not key:
            raise RefusedRecordError("wanted a key, got an empty one")
        try:
            return key.decode()
        except UnicodeDecodeError as error:
            raise RefusedRecordError(f"wanted a key in UTF-8, got: {error}") from error

    def _time(self, row: dict[str, Any], own: int) -> int:
        if self._record.time is None:
            return own
        value = take_out(row, self._record.time)
        if type(value) is int and abs(value) < 2**53:
            return value
        if type(value) is str:
            try:
                moment = datetime.datetime.fromisoformat(value)
                moment = moment.replace(tzinfo=moment.tzinfo or datetime.UTC)
                return (moment - EPOCH) // MILLISECOND
            except (ValueError, OverflowError):
                pass
        raise RefusedRecordError(
            f"wanted milliseconds or an RFC 3339 time in {self._record.time!r}, got {value!r:.60}"
        )

    def _weight(self, row: dict[str, Any]) -> float:
        if self._record.weight is None:
            return 1.0
        value = take_out(row, self._record.weight)
        if type(value) in (int, float) and 0 <= value < LARGEST:
            return float(value)
        raise RefusedRecordError(
            f"wanted a weight of 0 or more in {self._record.weight!r}, got {value!r:.60}"
        )

    def _label(self, row: dict[str, Any]) -> tuple[int, float, Label | None]:
        """Return the operation, the target if it is a number, and the label if it is a class."""
        path = self._record.label
        alone = BOTH if self._task is Task.ANOMALY else PREDICT
        label = None if path is None else take_out(row, path)
        if label is None:
            return alone, math.nan, None
        if self._task is Task.CLASSIFICATION:
            self._check_class(label)
            return BOTH, math.nan, label
        number = type(label) in (int, float)
        if self._task is Task.ANOMALY and label not in (0, 1):
            raise RefusedRecordError(f"wanted 1 or 0 as label in {path!r}, got {label!r:.60}")
        if self._task is Task.REGRESSION and not (number and abs(label) < LARGEST):
            raise RefusedRecordError(f"wanted a number as label in {path!r}, got {label!r:.60}")
        return BOTH, float(label), None

    def _code(self, label: Label) -> int:
        if self._pairs and not self.classes.labels and speaks_for_itself(label):
            for side in (0, 1):
                self.classes.add(type(label)(side))
        return self.classes.add(label)

    def _check_class(self, label: Any) -> None:
        kind = type(label)
        if kind is not str and kind is not int and kind is not bool and not _whole(label):
            raise RefusedRecordError(
                f"wanted a string, an integer, true or false as label in {self._record.label!r}, "
                f"got {WORD_FOR[kind]}"
            )
        if kind is int and not -INT64 <= label < INT64:
            raise RefusedRecordError(f"wanted a label of 64 bits in {self._record.label!r}")
        if label in self.classes.codes:
            return
        positive = self._record.positive
        if positive is not None and (kind is str) != (type(positive) is str):
            raise RefusedRecordError(
                f"wanted a label like {positive!r}, which [record] positive names, in "
                f"{self._record.label!r}, got {label!r:.60}: write positive as the labels are"
            )
        if not self.classes.labels:
            return
        if len(self.classes) >= self.classes.limit:
            raise RefusedRecordError(
                f"wanted at most {self.classes.limit} classes, got {label!r:.60} beyond them"
            )
        if (kind is str) != (type(self.classes.labels[0]) is str):
            raise RefusedRecordError(
                f"wanted a label like {self.classes.labels[0]!r} in {self._record.label!r}, "
                f"got {label!r:.60}, {WORD_FOR[kind]}"
            )


def _whole(label: Any) -> bool:
    return type(label) is float and label.is_integer()
