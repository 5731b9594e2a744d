"""The embedded twin of the store: one SQLite file, no server."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from stream.errors import FencedError, StoreAwayError, StoreError
from stream.patience import is_full
from stream.private import make_file
from stream.store import Entry

_SCHEMA = """
CREATE TABLE IF NOT EXISTS owner (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS prediction (
    name TEXT NOT NULL, key TEXT NOT NULL, prediction TEXT NOT NULL, probabilities TEXT NOT NULL,
    lineage INTEGER NOT NULL, sequence INTEGER NOT NULL, topic TEXT NOT NULL,
    partition INTEGER NOT NULL, offset INTEGER NOT NULL, time INTEGER NOT NULL, expires INTEGER,
    PRIMARY KEY (name, key)
) STRICT;
CREATE INDEX IF NOT EXISTS expiry ON prediction (expires) WHERE expires IS NOT NULL;
"""
_CLAIM = """
INSERT INTO owner VALUES (?1, ?2)
ON CONFLICT DO UPDATE SET epoch = ?2 WHERE epoch <= ?2 RETURNING epoch
"""
_UPSERT = """
INSERT INTO prediction VALUES (?10, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?11)
ON CONFLICT DO UPDATE SET
    prediction = excluded.prediction, probabilities = excluded.probabilities,
    lineage = excluded.lineage, sequence = excluded.sequence, topic = excluded.topic,
    partition = excluded.partition, offset = excluded.offset, time = excluded.time,
    expires = excluded.expires
WHERE prediction.expires <= ?12 OR CASE
    WHEN ?13 AND excluded.partition <> prediction.partition THEN excluded.time >= prediction.time
    ELSE (excluded.lineage, excluded.sequence) > (lineage, sequence)
END
"""
_REMOVE = "DELETE FROM prediction WHERE name = ? AND key = ? AND prediction = ''"
_PRUNE = """
DELETE FROM prediction
WHERE rowid IN (SELECT rowid FROM prediction WHERE expires <= ? LIMIT ?)
"""
_SELECT = f"""
SELECT {", ".join(Entry._fields)} FROM prediction
WHERE name = ? AND key = ? AND (expires IS NULL OR expires > ?)
"""


class EmbeddedStore:
    """Predictions in a SQLite file, which several services and processes may share.

    Readers see the last whole `put`, and neither wait for a writer nor hold it up. Writers wait
    for each other.

    Parameters
    ----------
    path
        The file, made if it is missing; its folder must exist, on a local disk.
    name
        The service's name; the keys of different names never meet.
    ttl_ms
        Milliseconds after its last write at which a prediction goes away, None for never.
    partition
        The one whose shard writes here, as an owner of its own; None for one model of all. Its
        prediction gives way to one of another partition only if that one's record is not older.

    Raises
    ------
    StoreError
        The file cannot be opened, or is not such a store.
    """

    restarts = 0

    def __init__(
        self,
        path: str | Path,
        name: str,
        ttl_ms: int | None = None,
        partition: int | None = None,
    ) -> None:
        self._path = path
        self._name = name
        self._owner = name if partition is None else f"{name}/{partition}"
        self._apart = partition is not None
        self._ttl = ttl_ms
        self._epoch: int | None = None
        with self._translated():
            self._writer, self._reader = self._open(), self._open()
        self._writing, self._reading = threading.Lock(), threading.Lock()

    def claim(self, epoch: int) -> None:
        """Become the owner; see `Store.claim`. The same epoch may be claimed again."""
        self._epoch = epoch
        with self._transaction():
            self._fence(epoch)

    def put(self, entries: Sequence[Entry]) -> int:
        """Write newer entries; see `Store.put`. Part of what has expired is pruned on the way."""
        if self._epoch is None:
            raise StoreError("wanted a claimed store, got a put before it: call claim(epoch) first")
        now = time.time_ns() // 1_000_000
        expires = None if self._ttl is None else now + self._ttl
        rows = [(*entry, self._name, expires, now, self._apart) for entry in entries]
        removed = [(self._name, entry.key) for entry in entries if not entry.prediction]
        with self._transaction() as database:
            self._fence(self._epoch)
            # Twice what comes in: pruning gains on the expired without ever stalling a put.
            database.execute(_PRUNE, (now, 2 * len(rows)))
            written = database.executemany(_UPSERT, rows).rowcount if rows else 0
            database.executemany(_REMOVE, removed)
        return written

    def get(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return stored entries; see `Store.get`."""
        now = time.time_ns() // 1_000_000
        with self._reading, self._translated():
            find = self._reader.execute
            rows = [find(_SELECT, (self._name, key, now)).fetchone() for key in keys]
        return [row and Entry(*row) for row in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._writer.close()
        self._reader.close()

    def _open(self) -> sqlite3.Connection:
        with contextlib.suppress(OSError):  # told by SQLite, in its own words
            make_file(Path(self._path))
        database = sqlite3.connect(
            self._path, timeout=30.0, isolation_level=None, check_same_thread=False
        )
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(_SCHEMA)
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _fence(self, epoch: int) -> None:
        if self._writer.execute(_CLAIM, (self._owner, epoch)).fetchone() is None:
            query = "SELECT epoch FROM owner WHERE name = ?"
            (held,) = self._writer.execute(query, (self._owner,)).fetchone()
            raise FencedError(
                f"wanted to write with epoch {epoch}, got epoch {held} in {self._path}: "
                "another owner has taken over, stop this one"
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing, self._translated(), self._writer:
            self._writer.execute("BEGIN IMMEDIATE")
            yield self._writer

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn SQLite's errors into the store's."""
        try:
            yield
        except sqlite3.Error as error:
            raise (StoreAwayError if is_full(error) else StoreError)(
                f"wanted the store {self._path} to answer, got '{error}': check that the file is "
                "one of Alluvia's, its disk has room and no other program holds it"
            ) from error
