"""Dead letters: the records set aside, each once, in a file beside the checkpoints."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from stream.block import DeadLetter
from stream.errors import StreamError

TABLE = """
CREATE TABLE IF NOT EXISTS dead (
    lineage INTEGER NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL, time INTEGER NOT NULL, key BLOB, value BLOB, reason TEXT NOT NULL,
    PRIMARY KEY (lineage, topic, partition, "offset")
)
"""


class DeadLetters:
    """The dead letters of one service, durable when `add` returns.

    A record met again after a crash is the same letter, and stays one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.touch(mode=0o600)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(TABLE)
        except (sqlite3.Error, OSError) as error:
            raise StreamError(
                f"wanted a file for dead letters at {path}, got: {error}: check its folder"
            ) from error

    def add(self, letters: Sequence[DeadLetter], lineage: int) -> None:
        """Keep letters; those already there stay as they are."""
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(
                    "INSERT OR IGNORE INTO dead VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [(lineage, *letter) for letter in letters],
                )
        except sqlite3.Error as error:
            raise StreamError(
                f"wanted to keep {len(letters)} dead letters at {self._path}, got: {error}: "
                "make room; the run goes on from the last checkpoint"
            ) from error

    def letters(self) -> Iterator[DeadLetter]:
        """Yield the letters of the newest lineage in the order of their positions."""
        query = (
            'SELECT topic, partition, "offset", time, key, value, reason FROM dead '
            "WHERE lineage = (SELECT max(lineage) FROM dead) "
            'ORDER BY topic, partition, "offset"'
        )
        for row in self._db.execute(query):
            yield DeadLetter(*row)

    def close(self) -> None:
        """Close the file."""
        self._db.close()
