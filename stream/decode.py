"""Decode: a run of bytes becomes a block; what cannot be is set aside with the reason."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from learners.base import LEARN, PREDICT, Classes, Task
from stream.batch_columns import BatchReader
from stream.block import Block, Cells, Tombstone
from stream.columns import ColumnReader, Columns
from stream.fields import Parts, name_in, name_of, take_parts, time_in, weight_in
from stream.label_section import LabelConfig
from stream.labels import Labels
from stream.log import Run
from stream.parquet import Batch
from stream.schema import WORD_FOR, RefusedRecordError, Schema
from stream.sections import RecordConfig

BOTH = PREDICT | LEARN
NOTHING: Mapping[int, str] = {}


class Decoder:
    """Turns JSON records into rows, keys, labels and times, one after another.

    Its state is what the stream has shown: the fields with their kinds, and the classes, each
    in the order of the first record that was accepted with it.

    A row of features without a label asks for a prediction; it is learned at once only by what
    looks for anomalies, and needs no label. A label without features is a row to be learned, of
    no features.

    Parameters
    ----------
    record
        Where in a record its parts are.
    task
        What the label is: a class, a number, or 1 for an anomaly.
    classes
        The classes known before the first record.
    pairs
        Whether the learner only tells True from False, see `Labels`.
    late
        Where labels are that come later; None: they are in the record.
    columnar
        Whether the learner reads columns, see `learners.base.Learner`.
    """

    def __init__(
        self,
        record: RecordConfig,
        task: Task,
        classes: Classes,
        pairs: bool = False,
        late: LabelConfig | None = None,
        columnar: bool = False,
    ) -> None:
        self.schema = Schema(record.types, record.take, record.leave_out)
        self._labels = Labels(task, classes, pairs, record.positive)
        self._record = record
        self._alone = BOTH if task is Task.ANOMALY else PREDICT
        self._late = late
        self._apart = record if late is None else late.paths(record)
        self._decode = msgspec.json.Decoder().decode
        suited = columnar and late is None and ColumnReader.suits(record)
        self._reader = ColumnReader(record, task) if suited else None
        self._batches = BatchReader(record, task)
        # Known from the start, so that its code does not depend on where blocks are cut.
        given = None if late is None else late.default
        self.default = None if given is None else self._labels.target(given)
        """The target of a record whose label never came; None where there is none."""

    @property
    def classes(self) -> Classes:
        """The classes met so far."""
        return self._labels.classes

    def state(self) -> dict[str, Any]:
        """Return the fields and classes met so far, as JSON values."""
        return {"kinds": dict(self.schema.kinds), "classes": list(self.classes.labels)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state; layouts are worked out anew."""
        record = self._record
        self.schema = Schema(state["kinds"], record.take, record.leave_out)
        self._labels.classes = Classes(state["classes"], self.classes.limit)

    def decode(self, run: Run, start: int, skips: Mapping[int, str] = NOTHING) -> Block:
        """Return the block of a run that begins after sequence `start`.

        Records at the places in `skips` are set aside unseen, with the reason there.
        """
        block = Block.of(run, start, self.classes)
        columns = None
        if self._reader is not None and not skips:
            columns = self._columns(self._reader, run)
        places = range(len(run)) if columns is None else columns.odd
        rows = list(self._rows(run, places, skips, block))
        if columns is None:
            block.fill(rows)
        else:
            block.fill_columns(columns, rows, self._alone)
        return block

    def _columns(self, reader: ColumnReader, run: Run) -> Columns | None:
        """Return what can be read at once of a run; None if no record can."""
        values: object = run.values
        if not isinstance(values, Batch):
            return reader.read(run, self.schema.kinds, self.classes)
        if not self.schema.kinds:
            return None
        return self._batches.read(run, values, self.schema.kinds, self.classes)

    def _rows(
        self, run: Run, places: Sequence[int], skips: Mapping[int, str], block: Block
    ) -> Iterator[Cells]:
        """Yield rows of the records at some places; set the others aside."""
        apart = self._late is not None and self._late.topic == run.topic
        read = self._label_apart if apart else self._row
        for place in places:
            value = run.values[place]
            if place in skips:
                block.set_aside(place, skips[place], "raised")
                continue
            try:
                if value is not None:
                    yield read(run, place, self._object(value))
                elif apart:
                    raise RefusedRecordError("wanted a label, got a record without a value")
                else:
                    block.removed.append(Tombstone(name_of(run.keys[place]), place))
            except (RefusedRecordError, msgspec.MsgspecError) as error:
                block.set_aside(place, str(error))
            except (RecursionError, UnicodeDecodeError) as error:
                block.set_aside(place, f"wanted UTF-8 JSON of reasonable depth, got: {error}")

    def _object(self, value: bytes) -> dict[str, Any]:
        if len(value) > self._record.max_bytes:
            raise RefusedRecordError(
                f"wanted at most {self._record.max_bytes} bytes ([record] max_bytes), "
                f"got {len(value)}"
            )
        row = self._decode(value)
        if type(row) is not dict:
            raise RefusedRecordError(f"wanted a JSON object, got {WORD_FOR[type(row)]}")
        return row

    def _row(self, run: Run, place: int, row: dict[str, Any]) -> Cells:
        record, late = self._record, self._late
        parts = take_parts(row, record)
        given_id, given_key, given_time, given_weight, label = parts
        key = name = None
        if late is not None and late.topic is None and label is not None:
            if not self.schema.holds(row):
                return self._label(run, place, parts, record)
        if record.key is not None:
            key = name_in(given_key, record.key, "key")
        elif run.keys[place] is not None:
            key = name_of(run.keys[place])
        time = run.times[place] if record.time is None else time_in(given_time, record.time)
        weight = 1.0 if record.weight is None else weight_in(given_weight, record.weight)
        if label is not None:
            self._labels.check(label, record.label)
        # What has its label needs no id to meet it by.
        if late is not None and (given_id is not None or label is None):
            name = name_in(given_id, str(record.id), "id")
        features = self.schema.features(row)
        op, target = self._alone, math.nan
        if label is not None:
            op, target = BOTH, self._labels.target(label)
        if weight == 0.0:
            op &= PREDICT  # it teaches nothing, and some trees divide by it
        return features, op, target, weight, time, place, key, name

    def _label_apart(self, run: Run, place: int, row: dict[str, Any]) -> Cells:
        return self._label(run, place, take_parts(row, self._apart), self._apart)

    def _label(self, run: Run, place: int, parts: Parts, paths: RecordConfig) -> Cells:
        """Return the row of a label without features; the parts were at these paths."""
        given_id, _, given_time, _, label = parts
        if paths.id is None:
            name = name_of(run.keys[place])
        else:
            name = name_in(given_id, paths.id, "id")
        time = run.times[place] if paths.time is None else time_in(given_time, paths.time)
        if label is None:
            raise RefusedRecordError(f"wanted a label in {paths.label!r}, got none")
        self._labels.check(label, paths.label)
        return {}, LEARN, self._labels.target(label), 1.0, time, place, None, name
