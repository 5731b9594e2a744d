"""Dead letters: the records set aside, each once, in a file beside the checkpoints."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from stream.block import DeadLetter
from stream.config import Config
from stream.errors import LettersError, StreamError
from stream.patience import at_once, is_full, is_held, outlast
from stream.private import make_file, make_folder

FILE = "dead.db"
LOOKED_AT = 100_000
BUSY_SECONDS = 1.0

TABLE = """dead (
    lineage INTEGER NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL, time INTEGER NOT NULL, key BLOB, value BLOB, reason TEXT NOT NULL,
    error TEXT NOT NULL, sequence INTEGER NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (lineage, topic, partition, "offset")
)"""
_ALL = "SELECT * FROM dead"
_NEWEST = f"""
{_ALL} WHERE lineage = (SELECT max(lineage) FROM dead) ORDER BY topic, partition, "offset"
"""
# Reasons differ in what they quote, which comes after these words: what comes before is counted.
_COMMONEST = """
SELECT min(reason) AS reason, count(*) AS times FROM (
    SELECT reason FROM dead WHERE lineage = (SELECT max(lineage) FROM dead)
    ORDER BY topic, partition, "offset" DESC LIMIT ?
)
GROUP BY substr(reason, 1, min(
    instr(reason || ', got ', ', got '), instr(reason || ' (byte ', ' (byte ')
))
ORDER BY times DESC, reason LIMIT 1
"""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_AWAY = (
    "bring it back from a copy, or move it away with its -wal file, and the service begins another"
)


class DeadLetters:
    """The dead letters of one service, durable when `add` returns.

    A record met again after a crash is the same letter, and stays one. Each is kept with a
    SHA-256 of all of it.

    Parameters
    ----------
    path
        The file, made if it is missing.
    stop
        A disk that is full, and an owner of before that stands still in the middle of a write, are
        waited for until this says so; by default not at all.

    Raises
    ------
    LettersError
        By any call: the file is damaged, or a letter is not as it was kept.
    StreamError
        The file cannot be opened, or, by any call, it has no room.
    """

    def __init__(self, path: Path, stop: Callable[[], bool] = at_once) -> None:
        self._path = path
        self._stop = stop
        with self._asking(f"wanted a file for dead letters at {path}", "check its folder"):
            make_file(path)
            self._db = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None)
            # Text that was altered may be none; its digest tells.
            self._db.text_factory = lambda data: data.decode("utf-8", "replace")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(f"CREATE TABLE IF NOT EXISTS {TABLE}")
            made = self._db.execute("SELECT sql FROM sqlite_master WHERE name = 'dead'").fetchone()
        if made != (f"CREATE TABLE {TABLE}",):
            raise self._altered("another table than this release makes")

    def add(self, letters: Sequence[DeadLetter], lineage: int) -> None:
        """Keep letters; those already there stay as they are."""
        wanted = f"wanted to keep {len(letters)} dead letters at {self._path}"
        remedy = "make room, or end who holds it; the run goes on from the last checkpoint"
        rows = [(lineage, *letter) for letter in letters]
        with self._asking(wanted, remedy):
            what = f"the file of dead letters {self._path}"
            outlast(lambda: self._insert(rows), _passes, self._stop, what)

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR IGNORE INTO dead VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((*row, _digest(row)) for row in rows),
            )

    def count(self) -> int:
        """Return how many letters there are, of all lineages, once each was found as kept."""
        with self._reading():
            return sum(1 for _ in self._rows(_ALL))

    def letters(self) -> Iterator[DeadLetter]:
        """Yield the letters of the newest lineage in the order of their positions, as kept."""
        with self._reading():
            for _, *letter in self._rows(_NEWEST):
                yield DeadLetter(*letter)

    def _rows(self, query: str) -> Iterator[list[Any]]:
        """Yield rows of whole letters.

        A file whose tables and indexes do not agree could hide one: it is read for that first.
        """
        said: str = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if said != "ok":
            raise self._altered(said.splitlines()[-1])
        for *row, kept in self._db.execute(query):
            if _digest(row) != kept:
                raise self._altered(f"another letter of {'/'.join(map(str, row[1:4]))}")
            yield row

    def commonest(self) -> tuple[str, int] | None:
        """Return the commonest reason and its count, None if there is no letter.

        Reasons that differ only in what was got are one, shown by one of them. They are those of
        the newest lineage and of the last 100,000 letters.
        """
        with self._reading():
            found: tuple[str, int] | None = self._db.execute(_COMMONEST, (LOOKED_AT,)).fetchone()
        return found

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _asking(self, wanted: str, remedy: str) -> Iterator[None]:
        """Turn the errors of the file into sentences with the remedy."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                raise LettersError(f"{wanted}, got: {error}: {_AWAY}") from error
            raise StreamError(f"{wanted}, got: {error}: {remedy}") from error

    def _reading(self) -> AbstractContextManager[None]:
        return self._asking(f"wanted to read dead letters at {self._path}", "check its disk")

    def _altered(self, got: str) -> LettersError:
        wanted = f"wanted the dead letters at {self._path} as they were kept"
        return LettersError(f"{wanted}, got {got}: {_AWAY}")


def open_dead(config: Config, stop: Callable[[], bool] = at_once) -> DeadLetters:
    """Open the file of dead letters beside the checkpoints."""
    with suppress(OSError):  # told by the file, when it finds no folder
        make_folder(config.checkpoint.path)
    return DeadLetters(config.checkpoint.path / FILE, stop)


def has_dead(config: Config) -> bool:
    """Return whether a service has a file of dead letters."""
    return (config.checkpoint.path / FILE).exists()


def _passes(error: Exception) -> bool:
    return is_full(error) or is_held(error)


def _digest(row: Sequence[Any]) -> bytes:
    """Return the SHA-256 of a lineage and a letter; null, text and bytes are not each other."""
    return hashlib.sha256(msgspec.msgpack.encode(row)).digest()
