"""Answers: what a block's predictions look like in the store and in a topic."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np

from learners.base import PREDICT, Classes, Floats, Label, Predictions, Task
from stream.block import Block
from stream.log import Message
from stream.store import Entries, Entry

UNANSWERED = "null"


def entries_of(block: Block, answers: Predictions, task: Task, lineage: int) -> Entries:
    """Return the last prediction of each key in a block, and the keys to be removed.

    Rows without a key, without a prediction, or refused by the learner are not stored.
    """
    last = dict(_asked(block, answers))
    removed = {stone.key: stone.place for stone in block.removed}
    for key, place in list(removed.items()):
        if key in last and block.places[last[key]] > place:
            del removed[key]
        else:
            last.pop(key, None)
    entries = _entries(block, answers, task, lineage, list(last), list(last.values()))
    if removed:
        places = list(removed.values())
        entries.keys += removed
        entries.predictions += [""] * len(removed)
        entries.probabilities += [""] * len(removed)
        entries.sequences += [block.start + 1 + place for place in places]
        entries.offsets += [block.run.offsets[place] for place in places]
        entries.times += [block.run.times[place] for place in places]
    entries.top = block.end
    return entries


def notices_of(
    block: Block, answers: Predictions, task: Task, lineage: int
) -> list[tuple[int, Message]]:
    """Return a message for each prediction under a key, in order, each with its sequence.

    The last one of a key says what the store then holds: a removed key's has no value. Unlike
    `entries_of`, all rows are told of, so that the cuts of blocks change nothing.
    """
    asked = list(_asked(block, answers))
    rows, run = [row for _, row in asked], block.run
    entries = _entries(block, answers, task, lineage, [key for key, _ in asked], rows)
    # The message's time is the record's own: Kafka took that once, of an event's it may not.
    notices = [
        (e.sequence, Message(e.key.encode(), _notice(e), run.times[block.places[row]]))
        for row, e in zip(rows, entries, strict=True)
    ]
    for stone in block.removed:
        gone = Message(stone.key.encode(), None, run.times[stone.place])
        notices.append((block.start + 1 + stone.place, gone))
    if block.removed:
        notices.sort(key=itemgetter(0))
    return notices


def name_of(label: Label) -> str:
    """Return a label as a key of a JSON object.

    Examples
    --------
    >>> name_of("UP"), name_of(True), name_of(3)
    ('UP', 'true', '3')
    """
    return label if isinstance(label, str) else json.dumps(label)


def _notice(entry: Entry) -> bytes:
    key, topic = (msgspec.json.encode(text).decode() for text in (entry.key, entry.topic))
    return (
        f'{{"key":{key},"version":"{entry.lineage}@{entry.sequence}",'
        f'"prediction":{entry.prediction},"probabilities":{entry.probabilities or "null"},'
        f'"lineage":{entry.lineage},"sequence":{entry.sequence},"topic":{topic},'
        f'"partition":{entry.partition},"offset":{entry.offset},"time":{entry.time}}}'
    ).encode()


def _asked(block: Block, answers: Predictions) -> Iterable[tuple[str, int]]:
    """Return the key and number of each row whose prediction is to be kept, in order."""
    keys, asked = block.keys, (block.examples.op & PREDICT) != 0
    asked[list(answers.refused)] = False
    if asked.all() and None not in keys:
        return zip(keys, range(len(keys)), strict=True)  # type: ignore[arg-type]  # None is not in it
    return [(key, i) for i, key in enumerate(keys) if key is not None and asked[i]]


def _entries(
    block: Block,
    answers: Predictions,
    task: Task,
    lineage: int,
    keys: list[str],
    rows: list[int],
) -> Entries:
    """Return an entry for each of some rows, under these keys."""
    run, whole = block.run, len(rows) == len(block.places)
    places = block.places if whole else list(map(block.places.__getitem__, rows))
    taken = slice(None) if whole else np.array(rows, np.int64)
    times = block.examples.time[taken]
    return Entries(
        lineage,
        run.topic,
        run.partition,
        keys,
        _texts(answers.value[taken], task, block.examples.classes),
        _probabilities(answers, taken, block.examples.classes),
        list(map((block.start + 1).__add__, places)),
        list(map(run.offsets.__getitem__, places)),
        times.tolist(),
    )


def _texts(values: Floats, task: Task, classes: Classes) -> list[str]:
    if task is not Task.CLASSIFICATION:
        return [repr(value) if math.isfinite(value) else UNANSWERED for value in values.tolist()]
    labels = [*(json.dumps(label) for label in classes.labels), UNANSWERED]
    codes = np.where(np.isnan(values), -1.0, values).astype(np.int64)
    return list(map(labels.__getitem__, codes.tolist()))


def _probabilities(answers: Predictions, rows: Any, classes: Classes) -> list[str]:
    # Before the first label there is no class, and a probability of none.
    proba = None if answers.proba is None else answers.proba[rows]
    if proba is None or not proba.size:
        return [""] * len(answers.value[rows])
    names = [f"{json.dumps(name_of(label))}:" for label in classes.labels]
    # All numbers of a class are written in one call, which takes half the time of one for each.
    columns = [msgspec.json.encode(column).decode()[1:-1].split(",") for column in proba.T.tolist()]
    template = "{" + ",".join(name.replace("%", "%%") + "%s" for name in names) + "}"
    texts = list(map(template.__mod__, zip(*columns, strict=True)))
    for i in np.flatnonzero((proba <= 0.0).any(axis=1)).tolist():
        texts[i] = _positive(names, [column[i] for column in columns])
    return texts


def _positive(names: list[str], chances: Sequence[str]) -> str:
    """Leave out classes of probability 0: one that joins later in the block must not show."""
    parts = [name + p for name, p in zip(names, chances, strict=True) if p != "0.0"]
    return "{" + ",".join(parts) + "}" if parts else ""
