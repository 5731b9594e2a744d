"""A hundred thousand records, 1% of them corrupt in some way: each is set aside once, as it came.

    python -m tests.faults.corrupt [--records 100000] [--seed 1]

Real Kafka and real Redis, its own, in a temporary folder. The stream is run twice, with dead
letters in a topic and in the file: all of them must be there, once, with their bytes and where
they lay, and nothing else. All other records must be learned: the model equals that of a plain
loop which was given only these. Exits 1 if not; the last line is one JSON object with the figures.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from learners.digests import digest
from stream.app import Service
from stream.config import Config
from stream.log import Message
from stream.log_kinds import read_topic
from stream.model import build
from stream.shard import Shard
from stream.vault_kinds import checkpoints_of
from tests import runner
from tests.faults.kills import services
from tests.faults.trial import Services

SHARE = 0.01
LARGEST = 16_384
DEEP = 2_000
EVERY_POISON = 25
"""Of so many corrupt records one makes the learner raise, which takes seconds to get over."""
HEADERS = {"topic", "partition", "offset", "timestamp", "reason", "error"}
LEARNER = '''
from river import linear_model


class Poisoned(linear_model.LogisticRegression):
    """Raises at two kinds of records, at one of them when it has learned it."""

    def predict_proba_one(self, x):
        if x.get("poison") == 1:
            raise ValueError("asked for what it cannot answer")
        return super().predict_proba_one(x)

    def learn_one(self, x, y, w=1.0):
        super().learn_one(x, y, w)
        if "poison" in x:
            raise ValueError("learned what it cannot")


def learner():
    return Poisoned()
'''


class Letter(NamedTuple):
    """A record that is to be set aside, or was."""

    offset: int
    time: int
    key: bytes | None
    value: bytes | None
    error: str


def _with(value: bytes, **fields: object) -> bytes:
    return json.dumps(json.loads(value) | fields).encode()


def _nested(value: bytes, first: bytes, last: bytes) -> bytes:
    return value[:-1] + b', "d": ' + first * DEEP + b"1" + last * DEEP + b"}"


MALFORMED: dict[str, Callable[[bytes], bytes | None]] = {
    "not JSON": lambda value: b"oops " + value,
    "empty": lambda value: b"",
    "truncated": lambda value: value[: len(value) // 2],
    "twice": lambda value: value + value,
    "not UTF-8": lambda value: b"\xff\xfe" + value,
    "a word that is not UTF-8": lambda value: value[:-1] + b', "d": "\xff"}',
    "an array": lambda value: b"[" + value + b"]",
    "null": lambda value: b"null",
    "a number": lambda value: b"17",
    "a word for a number": lambda value: _with(value, a="1.5", new=1),
    "an array for a number": lambda value: _with(value, a=[1.5], new=1),
    "a label that is an array": lambda value: _with(value, label=[], new=1),
    "a label that is an object": lambda value: _with(value, label={"is": True}, new=1),
    "a label that is a fraction": lambda value: _with(value, label=0.5, new=1),
    "a label that is a word": lambda value: _with(value, label="true", new=1),
    "NaN": lambda value: _with(value, a=float("nan")),
    "infinity": lambda value: _with(value, a=float("inf")),
    "-infinity": lambda value: _with(value, a=float("-inf")),
    "a number that no float holds": lambda value: value[:-1] + b', "d": -1e999}',
    "an integer that no array holds": lambda value: _with(value, a=2**70, new=1),
    "arrays too deep": lambda value: _nested(value, b"[", b"]"),
    "objects too deep": lambda value: _nested(value, b'{"d":', b"}"),
    "too large": lambda value: _with(value, d="a" * LARGEST),
}
KEYS: dict[str, tuple[bytes, bool]] = {
    "an empty key": (b"", True),
    "a key that is not UTF-8": (b"\xff", True),
    "a tombstone of an empty key": (b"", False),
}
"""Keys that are none, and whether there is a value."""
POISONS = {"asked": 1, "learned": 2}
"""What the learner raises at: when it is asked, and when it has learned it already."""
ODD: dict[str, Callable[[bytes], bytes | None]] = {
    "a tombstone": lambda value: None,
    "no label": lambda value: value.partition(b', "label"')[0] + b"}",
    "a label of null": lambda value: _with(value, label=None),
    "a missing value": lambda value: _with(value, a=None),
}
"""What is not corrupt, though it may look so."""


def main() -> None:
    """Run the stream in both ways, print the figures, and exit 0 if nothing differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.corrupt")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    begun = time.monotonic()
    with services(None, None) as place:
        runs = {way: hold(place, way, given.records, given.seed) for way in ("topic", "file")}
    passed = all(run["passed"] for run in runs.values())
    seconds = round(time.monotonic() - begun, 1)
    print(json.dumps({"records": given.records, **runs, "seconds": seconds, "passed": passed}))
    sys.exit(0 if passed else 1)


def hold(place: Services, way: str, records: int, seed: int) -> dict[str, Any]:
    """Run such a stream, its dead letters going to a topic or to the file."""
    config = _configured(place, way)
    messages, letters, kinds = stream(records, seed)
    runner.feed(config, messages)
    shard = Service(config).run(until_end=True)
    found, headers = _found(config)
    plain = _plain(config, messages, letters)
    newest = checkpoints_of(config).newest()
    assert newest is not None
    held = {
        "to the end": shard.sequence == records and newest.epoch == 1,
        "letters": found == letters,
        "headers": headers,
        "digest": digest(shard.learner.estimator) == digest(plain),
        "counts": _counted(shard, messages, letters),
        "fields": set(shard.decoder.schema.kinds) == {"a", "b", "c"},
    }
    return {
        "kinds": kinds,
        "letters": len(found),
        "wanted": len(letters),
        "raised": shard.counts["skipped"],
        "learned": shard.counts["learned"],
        "accuracy": shard.scores.report()["overall"]["accuracy"],
        "held": held,
        "passed": all(held.values()),
    }


def stream(records: int, seed: int) -> tuple[list[Message], list[Letter], dict[str, int]]:
    """Return a stream, what of it is corrupt, and how often each kind of that is there."""
    draw = random.Random(seed)
    kinds = [*MALFORMED, *KEYS, "a class too many"]
    places = draw.sample(range(records), int(2 * SHARE * records))
    dealt = _in_turn(kinds, len(places) // 2)
    dealt[::EVERY_POISON] = _in_turn([*POISONS], len(dealt[::EVERY_POISON]))
    corrupt = dict(zip(places[::2], dealt, strict=True))
    odd = dict(zip(places[1::2], _in_turn([*ODD, "no key"], len(dealt)), strict=True))
    messages, letters = [], []
    for i in range(records):
        key, value = b"k%d" % draw.randrange(997), _record(draw)
        message = Message(key, value, 1_000 * i)
        if i in corrupt:
            letters.append(Letter(i, 1_000 * i, *_corrupted(corrupt[i], key, value)))
            message = message._replace(key=letters[-1].key, value=letters[-1].value)
        elif i in odd:
            told = {"key": None} if odd[i] == "no key" else {"value": ODD[odd[i]](value)}
            message = message._replace(**told)
        messages.append(message)
    return messages, letters, collections.Counter(corrupt.values())


def _configured(place: Services, way: str) -> Config:
    (place.folder / "poisoned.py").write_text(LEARNER, "utf-8")
    name = f"corrupt-{way}-{uuid.uuid4().hex[:12]}"
    tables: dict[str, Any] = {
        "task": "classification",
        "record": {"label": "label", "classes": [False, True], "max_bytes": f"{LARGEST}B"},
        "model": {"learner": "poisoned.py:learner"},
        "checkpoint": {"records": 2_500},
    }
    if way == "topic":
        tables["dead"] = {"topic": f"{name}-dead"}
    return runner.on_services(place.folder, name, place.servers, place.redis, **tables)


def _record(draw: random.Random) -> bytes:
    row = {name: draw.gauss(0, 1) for name in "abc"}
    return json.dumps({**row, "label": row["a"] > row["b"] + draw.gauss(0, 0.3)}).encode()


def _in_turn(kinds: Sequence[str], count: int) -> list[str]:
    return list(itertools.islice(itertools.cycle(kinds), count))


def _corrupted(kind: str, key: bytes, value: bytes) -> tuple[bytes, bytes | None, str]:
    """Return key, value and the error it must be told with."""
    if kind in POISONS:
        return key, _with(value, poison=POISONS[kind]), "raised"
    if kind in KEYS:
        bad, valued = KEYS[kind]
        return bad, value if valued else None, "malformed"
    if kind == "a class too many":
        return key, _with(value, label=7), "refused"
    return key, MALFORMED[kind](value), "malformed"


def _found(config: Config) -> tuple[list[Letter], bool]:
    """Return the dead letters in order, and whether each says all about itself."""
    topic, told = config.dead.topic, True
    found: list[Letter] = []
    if topic is None:
        for one in runner.dead_letters(config):
            told &= (one.topic, one.partition) == (config.log.topic, 0) and bool(one.reason)
            found.append(Letter(one.offset, one.time, one.key, one.value, one.error))
        return found, told
    for _, _, message in read_topic(config, topic):
        said = {name.removeprefix("alluvia."): data.decode() for name, data in message.headers}
        told &= HEADERS <= said.keys() and all(said.values()) and said["partition"] == "0"
        told &= said["topic"] == config.log.topic
        place = int(said["offset"]), int(said["timestamp"])
        found.append(Letter(*place, message.key, message.value, said["error"]))
    return sorted(found, key=lambda letter: letter.offset), told


def _plain(config: Config, messages: Iterable[Message], letters: Iterable[Letter]) -> object:
    """Return the river model of a plain loop over the records that are not corrupt."""
    model: Any = build(config).estimator
    corrupt = {letter.offset for letter in letters}
    for i, message in enumerate(messages):
        if i not in corrupt and message.value is not None:
            row = json.loads(message.value)
            label = row.pop("label", None)
            if label is not None:
                model.learn_one({name: x for name, x in row.items() if x is not None}, label)
    return model


def _counted(shard: Shard, messages: Sequence[Message], letters: Sequence[Letter]) -> bool:
    corrupt = {letter.offset for letter in letters}
    good = [m for i, m in enumerate(messages) if i not in corrupt]
    labels = [m.value is not None and json.loads(m.value).get("label") is not None for m in good]
    counts = shard.counts
    return (
        counts["set_aside"] == len(letters)
        and counts["removed"] == sum(m.value is None for m in good)
        and counts["predicted"] == sum(m.value is not None for m in good)
        and counts["learned"] == sum(labels)
        and counts["skipped"] == sum(letter.error == "raised" for letter in letters)
    )


if __name__ == "__main__":
    main()
