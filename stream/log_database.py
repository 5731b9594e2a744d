"""The SQLite file of the embedded log: its tables, and what writes to them has to keep."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from stream.errors import LogError, UnavailableError
from stream.log import Headers, Message
from stream.log_errors import missing_topic, nothing_in
from stream.patience import is_full, is_held
from stream.private import make_file, make_folder

BUSY_SECONDS = 30.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS partition (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL, next INTEGER NOT NULL,
    UNIQUE (topic, number)
) STRICT;
CREATE TABLE IF NOT EXISTS record (
    partition INTEGER NOT NULL, offset INTEGER NOT NULL, time INTEGER NOT NULL,
    key BLOB, value BLOB, headers BLOB, PRIMARY KEY (partition, offset)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS position (
    partition INTEGER NOT NULL, consumers TEXT NOT NULL,
    offset INTEGER NOT NULL, metadata TEXT NOT NULL, PRIMARY KEY (partition, consumers)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS producer (
    name TEXT NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
_PARTITIONS = "SELECT number, id, next FROM partition WHERE topic = ? ORDER BY number"
_ALL = """
SELECT number, offset, time, key, value, headers
FROM record JOIN partition ON partition.id = record.partition
WHERE topic = ? ORDER BY number, offset
"""
_headers = msgspec.msgpack.Decoder(Headers)


def open_database(path: Path, synchronous: str) -> sqlite3.Connection:
    """Return a connection to the file, which is made if it is missing.

    Raises
    ------
    LogError
        The file cannot be opened or is not such a log.
    """
    try:
        make_folder(path.parent)
        make_file(path)
        database = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {synchronous}")
        database.executescript(_SCHEMA)
        _update(database)
    except (sqlite3.Error, OSError) as error:
        raise broken(path, error) from error
    return database


@contextlib.contextmanager
def transaction(database: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Write everything inside at once, or nothing.

    Raises
    ------
    LogError
        The file cannot be written.
    """
    try:
        database.execute("BEGIN IMMEDIATE")
        with database:
            yield
    except sqlite3.Error as error:
        raise broken(path, error) from error


def broken(path: Path, error: Exception) -> LogError:
    """Return the error for a file that cannot be used, or not for now: in use, or without room."""
    return (UnavailableError if is_held(error) or is_full(error) else LogError)(
        f"wanted an embedded log at {path}, got {error}: is it such a file, on a local disk with "
        "room?"
    )


def partitions_of(database: sqlite3.Connection, topic: str) -> list[tuple[int, int, int]]:
    """Return number, identity and end of each partition of a topic.

    Raises
    ------
    MissingTopicError
        There is no such topic.
    """
    rows = database.execute(_PARTITIONS, (topic,)).fetchall()
    if not rows:
        raise missing_topic(topic)
    return rows


def create_topic(database: sqlite3.Connection, topic: str, partitions: int) -> bool:
    """Make a topic if it is missing, inside a transaction; return whether it was made."""
    if database.execute(_PARTITIONS, (topic,)).fetchall():
        return False
    rows = [(topic, number) for number in range(partitions)]
    database.executemany("INSERT INTO partition (topic, number, next) VALUES (?, ?, 0)", rows)
    return True


def insert(database: sqlite3.Connection, topic: str, messages: Iterable[Message]) -> None:
    """Append to a topic, keys choosing the partition, inside a transaction.

    Raises
    ------
    LogError
        There is no such topic, or a message has neither key nor value.
    """
    partitions = partitions_of(database, topic)
    ids = [identity for _, identity, _ in partitions]
    ends = [end for _, _, end in partitions]
    # Records without a key go round all partitions, from one batch to the next as well.
    turn = itertools.count(sum(ends))
    rows = []
    for key, value, moment, headers in messages:
        if key is None and value is None:
            raise nothing_in(topic)
        # A checksum, since Python's own hash differs from process to process.
        place = (next(turn) if key is None else zlib.crc32(key)) % len(ids)
        packed = msgspec.msgpack.encode(headers) if headers else None
        rows.append((ids[place], ends[place], moment, key, value, packed))
        ends[place] += 1
    database.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.executemany("UPDATE partition SET next = ? WHERE id = ?", zip(ends, ids, strict=True))


def read_topic(path: Path, topic: str) -> Iterator[tuple[int, int, Message]]:
    """Yield partition, offset and message of all that a topic holds now.

    Raises
    ------
    LogError
        There is no such topic, or no such file.
    """
    with contextlib.closing(open_database(path, "NORMAL")) as database:
        partitions_of(database, topic)
        for number, offset, moment, key, value, packed in database.execute(_ALL, (topic,)):
            headers = _headers.decode(packed) if packed else ()
            yield number, offset, Message(key, value, moment, headers)


def _update(database: sqlite3.Connection) -> None:
    """Add what a file of an earlier release does not have."""
    if not _has_headers(database):
        database.execute("BEGIN IMMEDIATE")
        with database:
            if not _has_headers(database):  # or another process was first
                database.execute("ALTER TABLE record ADD COLUMN headers BLOB")


def _has_headers(database: sqlite3.Connection) -> bool:
    return "headers" in {row[1] for row in database.execute("PRAGMA table_info(record)")}
