"""Feeding back: dead letters, mended, into the topics they came from, each once."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from stream.app import new_shard
from stream.block import DeadLetter
from stream.config import Config, load
from stream.errors import StreamError
from stream.inspection import newest, restored
from stream.letters import parsed
from stream.log import Message, Run
from stream.log_kinds import open_appender
from stream.private import make_file, make_folder
from stream.vault_kinds import shards_of

FROM = "alluvia.fed-back-from"
SLICE = 1_000

_TABLE = """
CREATE TABLE IF NOT EXISTS fed (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL,
    content TEXT NOT NULL, PRIMARY KEY (topic, partition, "offset", content)
) WITHOUT ROWID
"""


class Mended(NamedTuple):
    """A letter and the topic it goes to."""

    topic: str
    letter: DeadLetter

    @property
    def message(self) -> Message:
        """The record, with a note of where the dead one lies."""
        one = self.letter
        origin = f"{one.topic}/{one.partition}/{one.offset}".encode()
        # Features of before 1970 have their event time here, which Kafka does not take.
        return Message(one.key, one.value, max(one.time, 0), ((FROM, origin),))


def feed_back(path: Path, file: Path) -> None:
    """Append the letters in a file of JSON lines to their topics again, and tell of it.

    Those fed back before, with the same bytes, are passed over.

    Raises
    ------
    StreamError
        A line cannot be read or decoded; then nothing is appended.
    """
    config = load(path)
    mended = list(dict.fromkeys(_checked(config, file)))
    with contextlib.closing(_Ledger(config.checkpoint.path)) as ledger:
        left = [one for one in mended if one.letter not in ledger]
        for topic in dict.fromkeys(one.topic for one in left):
            with contextlib.closing(open_appender(config, topic)) as appender:
                mine = [one for one in left if one.topic == topic]
                for start in range(0, len(mine), SLICE):
                    part = mine[start : start + SLICE]
                    appender.append(one.message for one in part)
                    ledger.add([one.letter for one in part])
    topics = ", ".join(repr(topic) for topic in dict.fromkeys(one.topic for one in mended))
    before = len(mended) - len(left)
    print(f"fed back into {topics or 'no topic'}: {len(left):,}; before: {before:,}")


def _checked(config: Config, file: Path) -> Iterator[Mended]:
    """Yield the letters of a file, each once the service's decoder has taken it."""
    shards = [restored(one)[1] for one in shards_of(config) if newest(one) is not None]
    # What a field is, is the same in each: records of all partitions are fed by one producer.
    shard = shards[0] if shards else new_shard(config)
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            letter = parsed(line)
            topic = _home(config, letter.topic)
            run = Run(topic, 0, [0], [letter.time], [letter.key], [letter.value])
            for refused in shard.decoder.decode(run, 0).dead:
                raise StreamError(f"{refused.reason}: mend the line, or leave it out")
        except StreamError as error:
            raise StreamError(f"{file} line {number}: {error}; nothing was fed back") from error
        yield Mended(topic, letter)


def _home(config: Config, topic: str) -> str:
    """Return the topic that a letter goes to, whose record was of a topic or a file."""
    records, label = config.log.topic, config.label
    if label is not None and topic == label.topic:
        return topic
    # What stands for a file has a space in it, a topic never.
    if topic != records and " " not in topic:
        raise StreamError(
            f"wanted a letter of {records!r}, got one of {topic!r}: feed it back with the "
            "configuration of its own service"
        )
    return records


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            yield from opened
    except OSError as error:
        raise StreamError(
            f"wanted dead letters in {file}, got: {error.strerror}: name a file that can be read"
        ) from error


class _Ledger:
    """What was fed back, in a file beside the checkpoints."""

    def __init__(self, folder: Path) -> None:
        path = folder / "fed-back.db"
        try:
            make_folder(folder)
            make_file(path)
            self._db = sqlite3.connect(path)
            self._db.execute(_TABLE)
        except (sqlite3.Error, OSError) as error:
            raise StreamError(
                f"wanted to note what is fed back at {path}, got: {error}: check its folder"
            ) from error

    def __contains__(self, letter: DeadLetter) -> bool:
        query = 'SELECT 1 FROM fed WHERE (topic, partition, "offset", content) = (?, ?, ?, ?)'
        return self._db.execute(query, _row(letter)).fetchone() is not None

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Note letters."""
        rows = [_row(letter) for letter in letters]
        try:
            with self._db:
                self._db.executemany("INSERT OR IGNORE INTO fed VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise StreamError(
                f"wanted to note {len(rows)} letters that were fed back, got: {error}: make room; "
                "fed back again they would come twice"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _row(letter: DeadLetter) -> tuple[str, int, int, str]:
    content = hashlib.sha256(b"%d " % (-1 if letter.key is None else len(letter.key)))
    content.update(letter.key or b"")
    content.update(b"-" if letter.value is None else b"+" + letter.value)
    return letter.topic, letter.partition, letter.offset, content.hexdigest()
