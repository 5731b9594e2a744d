"""Dead letters: the records set aside, each once, in a file beside the checkpoints."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from stream.block import DeadLetter
from stream.config import Config
from stream.errors import StreamError
from stream.patience import at_once, is_full, outlast
from stream.private import make_file, make_folder

FILE = "dead.db"
LOOKED_AT = 100_000

TABLE = """
CREATE TABLE IF NOT EXISTS dead (
    lineage INTEGER NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL, time INTEGER NOT NULL, key BLOB, value BLOB, reason TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT 'malformed', sequence INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (lineage, topic, partition, "offset")
)
"""
NEW = (
    "ALTER TABLE dead ADD COLUMN error TEXT NOT NULL DEFAULT 'malformed'",
    "ALTER TABLE dead ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0",
)
"""What a file of an earlier release does not have."""


_LETTERS = """
SELECT topic, partition, "offset", time, key, value, reason, error, sequence FROM dead
WHERE lineage = (SELECT max(lineage) FROM dead) ORDER BY topic, partition, "offset"
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


class DeadLetters:
    """The dead letters of one service, durable when `add` returns.

    A record met again after a crash is the same letter, and stays one.

    Parameters
    ----------
    path
        The file, made if it is missing.
    stop
        A disk that is full is waited for until this says so; by default not at all.

    Raises
    ------
    StreamError
        The file cannot be opened, or, by any call, it is damaged or has no room.
    """

    def __init__(self, path: Path, stop: Callable[[], bool] = at_once) -> None:
        self._path = path
        self._stop = stop
        with self._asking(f"wanted a file for dead letters at {path}", "check its folder"):
            make_file(path)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(TABLE)
            if "error" not in {row[1] for row in self._db.execute("PRAGMA table_info(dead)")}:
                self._db.executescript(f"BEGIN; {'; '.join(NEW)}; COMMIT")

    def add(self, letters: Sequence[DeadLetter], lineage: int) -> None:
        """Keep letters; those already there stay as they are."""
        wanted = f"wanted to keep {len(letters)} dead letters at {self._path}"
        remedy = "make room; the run goes on from the last checkpoint"
        rows = [(lineage, *letter) for letter in letters]
        with self._asking(wanted, remedy):
            what = f"the file of dead letters {self._path}"
            outlast(lambda: self._insert(rows), is_full, self._stop, what)

    def _insert(self, rows: Sequence[tuple[object, ...]]) -> None:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR IGNORE INTO dead VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )

    def count(self) -> int:
        """Return how many letters there are, of all lineages."""
        with self._reading():
            count: int = self._db.execute("SELECT count(*) FROM dead").fetchone()[0]
        return count

    def letters(self) -> Iterator[DeadLetter]:
        """Yield the letters of the newest lineage in the order of their positions."""
        with self._reading():
            for row in self._db.execute(_LETTERS):
                yield DeadLetter(*row)

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
                remedy = "move it away with its -wal file, and the service begins another"
            raise StreamError(f"{wanted}, got: {error}: {remedy}") from error

    def _reading(self) -> AbstractContextManager[None]:
        return self._asking(f"wanted to read dead letters at {self._path}", "check its disk")


def open_dead(config: Config, stop: Callable[[], bool] = at_once) -> DeadLetters:
    """Open the file of dead letters beside the checkpoints."""
    with suppress(OSError):  # told by the file, when it finds no folder
        make_folder(config.checkpoint.path)
    return DeadLetters(config.checkpoint.path / FILE, stop)


def has_dead(config: Config) -> bool:
    """Return whether a service has a file of dead letters."""
    return (config.checkpoint.path / FILE).exists()
