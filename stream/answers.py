"""Answers: what a block's predictions look like in the store and in a topic."""

from __future__ import annotations

import json
import math
from itertools import repeat
from operator import itemgetter

import msgspec

from learners.base import PREDICT, Label, Predictions, Task
from stream.block import Block
from stream.log import Message
from stream.store import Entry

UNANSWERED = "null"


def entries_of(block: Block, answers: Predictions, task: Task, lineage: int) -> list[Entry]:
    """Return the last prediction of each key in a block, and the keys to be removed.

    Rows without a key, without a prediction, or refused by the learner are not stored.
    """
    ops = block.examples.op.tolist()
    last = {
        key: row
        for row, key in enumerate(block.keys)
        if key is not None and ops[row] & PREDICT and row not in answers.refused
    }
    removed = {stone.key: stone.place for stone in block.removed}
    for key, place in list(removed.items()):
        if key in last and block.places[last[key]] > place:
            del removed[key]
        else:
            last.pop(key, None)
    rows = list(last.values())
    texts = _texts(block, answers, task)
    entries = _entries(
        block,
        lineage,
        list(last),
        [texts[row] for row in rows],
        _probabilities(block, answers, rows),
        [block.places[row] for row in rows],
        block.examples.time[rows].tolist(),
    )
    if removed:
        nothing = [""] * len(removed)
        places = list(removed.values())
        times = [block.run.times[place] for place in places]
        entries += _entries(block, lineage, list(removed), nothing, nothing, places, times)
    return entries


def notices_of(
    block: Block, answers: Predictions, task: Task, lineage: int
) -> list[tuple[int, Message]]:
    """Return a message for each prediction under a key, in order, each with its sequence.

    The last one of a key says what the store then holds: a removed key's has no value. Unlike
    `entries_of`, all rows are told of, so that the cuts of blocks change nothing.
    """
    ops = block.examples.op.tolist()
    asked = [
        (row, key)
        for row, key in enumerate(block.keys)
        if key is not None and ops[row] & PREDICT and row not in answers.refused
    ]
    rows = [row for row, _ in asked]
    texts, run = _texts(block, answers, task), block.run
    entries = _entries(
        block,
        lineage,
        [key for _, key in asked],
        [texts[row] for row in rows],
        _probabilities(block, answers, rows),
        [block.places[row] for row in rows],
        block.examples.time[rows].tolist(),
    )
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


def _entries(
    block: Block,
    lineage: int,
    keys: list[str],
    texts: list[str],
    chances: list[str],
    places: list[int],
    times: list[int],
) -> list[Entry]:
    columns = zip(
        keys,
        texts,
        chances,
        repeat(lineage),
        [block.start + 1 + place for place in places],
        repeat(block.run.topic),
        repeat(block.run.partition),
        [block.run.offsets[place] for place in places],
        times,
        strict=False,
    )
    return list(map(Entry._make, columns))


def _texts(block: Block, answers: Predictions, task: Task) -> list[str]:
    values = answers.value.tolist()
    if task is not Task.CLASSIFICATION:
        return [repr(value) if math.isfinite(value) else UNANSWERED for value in values]
    labels = [json.dumps(label) for label in block.examples.classes.labels]
    return [UNANSWERED if math.isnan(value) else labels[int(value)] for value in values]


def _probabilities(block: Block, answers: Predictions, rows: list[int]) -> list[str]:
    # Before the first label there is no class, and a probability of none.
    proba = None if answers.proba is None else answers.proba[rows]
    if proba is None or not proba.size:
        return [""] * len(rows)
    names = [f"{json.dumps(name_of(label))}:" for label in block.examples.classes.labels]
    # All numbers are written in one call, which takes half the time of one for each.
    cells = msgspec.json.encode(proba.tolist()).decode()[2:-2].split("],[")
    if (proba > 0.0).all():
        template = "{" + ",".join(name.replace("%", "%%") + "%s" for name in names) + "}"
        return [template % tuple(cell.split(",")) for cell in cells]
    return [_positive(names, cell.split(",")) for cell in cells]


def _positive(names: list[str], chances: list[str]) -> str:
    """Leave out classes of probability 0: one that joins later in the block must not show."""
    parts = [name + p for name, p in zip(names, chances, strict=True) if p != "0.0"]
    return "{" + ",".join(parts) + "}" if parts else ""
