"""Small real and seeded streams, shared by the tests: as a plain loop takes them, as messages."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import itertools
import json
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from river import datasets

from stream.log import Message, Run

SHARED = Path(os.environ.get("SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
ELEC2 = SHARED / "elec2.csv.gz"
LABEL = "label"


@dataclasses.dataclass(frozen=True)
class Stream:
    """Rows of features with their labels, in order."""

    rows: list[dict[str, Any]]
    labels: list[Any]

    @classmethod
    def of(cls, pairs: Iterable[tuple[dict[str, Any], Any]], limit: int | None = None) -> Stream:
        rows, labels = zip(*itertools.islice(pairs, limit), strict=True)
        return cls(list(rows), list(labels))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Any]]:
        return zip(self.rows, self.labels, strict=True)

    def messages(self) -> list[Message]:
        """Each row as JSON under a key of its own, a second after the one before."""
        return [
            Message(b"%d" % i, json.dumps({**x, LABEL: y}).encode(), 1_000 * i)
            for i, (x, y) in enumerate(self)
        ]


def phishing() -> Stream:
    """1,250 web sites, two classes: True and False."""
    return Stream.of(datasets.Phishing())


def image_segments() -> Stream:
    """The first 1,200 patches of pictures, seven classes."""
    return Stream.of(datasets.ImageSegments(), 1_200)


def trump_approval() -> Stream:
    """1,001 days of polls, a number."""
    return Stream.of(datasets.TrumpApproval())


def shuttle() -> Stream:
    """The first 2,000 sensor readings, 1 for an anomaly."""
    return Stream.of(datasets.Shuttle(), 2_000)


def elec2(path: Path = ELEC2, limit: int | None = None) -> Stream:
    """45,312 half hours of electricity, UP or DOWN; read with nothing of the service."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        pairs = ((_numbers(row), row["class"]) for row in csv.DictReader(file))
        return Stream.of(pairs, limit)


def _numbers(row: dict[str, str]) -> dict[str, float]:
    return {name: float(cell) for name, cell in row.items() if name != "class"}


def drifting(records: int, seed: int) -> Stream:
    """Two numbers, two classes, and a rule that turns round halfway."""
    draw = random.Random(seed)
    rows = [{"a": draw.gauss(0, 1), "b": draw.gauss(0, 3)} for _ in range(records)]
    labels = [
        "UP" if (row["a"] + row["b"] > 0) == (i < records // 2) else "DOWN"
        for i, row in enumerate(rows)
    ]
    return Stream(rows, labels)


def rough(records: int, seed: int) -> list[Message]:
    """Records as a careless world sends them; most are fine and share 97 keys.

    Among them: a class, a field and a type that were not there at first, missing values, labels
    left out, no key, tombstones, and bytes that are no record at all.
    """
    draw = random.Random(seed)
    return [_rough(i, records, draw) for i in range(records)]


def _rough(i: int, records: int, draw: random.Random) -> Message:
    row: dict[str, Any] = {"a": draw.gauss(0, 1), "b": draw.randrange(9), "c": draw.random()}
    late = i > records // 2
    row[LABEL] = "high" if row["a"] + row["c"] > 1 else "low"
    if late and draw.random() < 0.05:
        row[LABEL] = "odd"
    key: bytes | None = b"k%d" % draw.randrange(97)
    value: bytes | None = None
    event = draw.randrange(100)
    if event == 0:
        key = None
    elif event == 1:
        del row[LABEL]
    elif event == 2:
        row["b"] = "a word"
    elif event == 3:
        row["c"] = None
    elif event == 4 and late:
        row["d"] = draw.random()
    if event not in (5, 6):
        value = json.dumps(row).encode()
    if event == 6:
        value = draw.choice([b"\xff\xfe", b"{", b"[1]", b'{"a": Infinity}', b"[" * 2_000])
    return Message(key, value, 1_000 * i)


def corrupted(stream: Stream, share: float, seed: int) -> list[Message]:
    """The messages of a stream, a share of them broken; every fourth is under a shared key."""
    draw = random.Random(seed)
    messages = []
    for i, (key, value, time, _) in enumerate(stream.messages()):
        assert value is not None
        if draw.random() < share:
            value = draw.choice([value[:-1], b"\xff" + value, b"null", b'{"label": [], "a": 1}'])
        messages.append(Message(b"shared%d" % (i % 97) if i % 4 == 0 else key, value, time))
    return messages


def run_of(messages: list[Message], start: int, stop: int) -> Run:
    """Some of the messages, as a log gives them."""
    part = messages[start:stop]
    return Run(
        "rough",
        0,
        list(range(start, start + len(part))),
        [message.time for message in part],
        [message.key for message in part],
        [message.value for message in part],
    )
