"""Answers: what a block's predictions look like in the store."""

from __future__ import annotations

import json
import math

from learners.base import PREDICT, Label, Predictions, Task
from stream.block import Block
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
    topic, partition = block.run.topic, block.run.partition
    offsets, times = block.run.offsets, block.examples.time.tolist()
    places, first = block.places, block.start + 1
    texts = _texts(block, answers, task)
    chances = _probabilities(block, answers, list(last.values()))
    entries = [
        Entry(
            key,
            texts[row],
            chance,
            lineage,
            first + places[row],
            topic,
            partition,
            offsets[places[row]],
            times[row],
        )
        for (key, row), chance in zip(last.items(), chances, strict=True)
    ]
    for key, place in removed.items():
        at = block.run
        entries.append(
            Entry(
                key, "", "", lineage, first + place, topic, partition,
                at.offsets[place], at.times[place],
            )
        )  # fmt: skip
    return entries


def name_of(label: Label) -> str:
    """Return a label as a key of a JSON object.

    Examples
    --------
    >>> name_of("UP"), name_of(True), name_of(3)
    ('UP', 'true', '3')
    """
    return label if isinstance(label, str) else json.dumps(label)


def _texts(block: Block, answers: Predictions, task: Task) -> list[str]:
    values = answers.value.tolist()
    if task is not Task.CLASSIFICATION:
        return [UNANSWERED if math.isnan(value) else repr(value) for value in values]
    labels = [json.dumps(label) for label in block.examples.classes.labels]
    return [UNANSWERED if math.isnan(value) else labels[int(value)] for value in values]


def _probabilities(block: Block, answers: Predictions, rows: list[int]) -> list[str]:
    if answers.proba is None:
        return [""] * len(rows)
    names = [f"{json.dumps(name_of(label))}:" for label in block.examples.classes.labels]
    texts = []
    for chances in answers.proba[rows].tolist():
        # A class of probability 0 is left out: one that joins later in the block must not show.
        parts = [name + repr(p) for name, p in zip(names, chances, strict=True) if p > 0.0]
        texts.append("{" + ",".join(parts) + "}" if parts else "")
    return texts
