"""The log in one SQLite file: the twin of Kafka where there is no broker."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stream.log import Bounds, Message, Run
from stream.log_database import (
    broken,
    create_topic,
    insert,
    open_database,
    partitions_of,
    transaction,
)
from stream.log_errors import expired
from stream.private import make_file

APPEND_RECORDS = 50_000
RUN_RECORDS = 5_000
BATCH_BYTES = 32 * 1024 * 1024
LOOK_SECONDS = 0.001, 0.01

_LOGGER = logging.getLogger(__name__)
_FIRST = "SELECT min(offset) FROM record WHERE partition = ?"
_AT = "SELECT min(offset) FROM record WHERE partition = ? AND time >= ?"
_READ = """
SELECT offset, time, key, value FROM record
WHERE partition = ? AND offset >= ? ORDER BY offset LIMIT ?
"""
_COMMITTED = """
SELECT number, offset, metadata FROM position JOIN partition ON partition.id = position.partition
WHERE topic = ? AND consumers = ?
"""


class EmbeddedLog:
    """One consumer of one topic in a SQLite file, which other processes may append to meanwhile.

    The first member of a group holds all partitions until it closes or dies; the others stand by.

    Parameters
    ----------
    path
        The file, made if it is missing, on a local disk.
    topic
        The topic to read.
    group
        The consumer group; None to read in no group.

    Raises
    ------
    LogError
        The file cannot be opened or is not such a log.
    """

    ended = False

    def __init__(self, path: Path | str, topic: str, group: str | None) -> None:
        self.topic = topic
        self._path, self._group = Path(path), group
        self._database = open_database(self._path, "NORMAL")
        self._membership: sqlite3.Connection | None = None
        self._ids: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._turn: list[int] = []

    def bounds(self) -> dict[int, Bounds]:
        """Return the bounds of every partition of the topic."""
        with self._asking():
            return {
                number: Bounds(self._first(identity, end), end)
                for number, identity, end in self._partitions()
            }

    def offsets_at(self, time: int) -> dict[int, int]:
        """Return each partition's first offset at or after a time in ms; its end if none is."""
        with self._asking():
            found = {
                number: (self._database.execute(_AT, (identity, time)).fetchone()[0], end)
                for number, identity, end in self._partitions()
            }
        return {n: end if offset is None else offset for n, (offset, end) in found.items()}

    def committed(self) -> dict[int, tuple[int, str]]:
        """Return the group's committed offset and its metadata for each partition that has one."""
        with self._asking():
            self._partitions()
            rows = self._database.execute(_COMMITTED, (self.topic, self._group))
            return {number: (offset, metadata) for number, offset, metadata in rows}

    def acquire(self, timeout: float) -> frozenset[int] | None:
        """Join the group and return the topic's partitions; None while another member has them."""
        with self._asking():
            self._ids = {number: identity for number, identity, _ in self._partitions()}
            if self._group is not None and not self._join(self._group, timeout):
                return None
        return frozenset(self._ids)

    def seek(self, positions: Mapping[int, int]) -> None:
        """Go on from these offsets."""
        self._next |= {n: offset for n, offset in positions.items() if n in self._ids}
        self._turn = list(self._next)

    def poll(self, limit: int, timeout: float) -> Run | None:
        """Return up to `limit` records of one partition, waiting up to `timeout` seconds."""
        deadline = time.monotonic() + timeout
        pause, longest = LOOK_SECONDS
        with self._asking():
            while True:
                # Asked before reading: what is appended in between changes it again.
                version = self._version()
                for number in self._turn:
                    run = self._read(number, min(limit, RUN_RECORDS))
                    if run is not None:
                        self._turn.remove(number)
                        self._turn.append(number)
                        return run
                while self._version() == version:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return None
                    time.sleep(min(pause, left))
                    pause = min(2 * pause, longest)

    def commit(self, positions: Mapping[int, int], metadata: str) -> None:
        """Tell the group how far it got; a failure is logged, never raised."""
        if self._group is None:
            return
        try:
            rows = [(self._ids[n], self._group, at, metadata) for n, at in positions.items()]
            self._database.executemany("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?)", rows)
            self._database.commit()
        except (sqlite3.Error, KeyError) as error:
            _LOGGER.warning("commit of offsets to %s failed: %s", self._path, error)

    def lag(self) -> int | None:
        """Return how many records lie between the last one polled and the end, None if unknown."""
        if not self._next:
            return None
        with self._asking():
            ends = {number: end for number, _, end in self._partitions()}
        return sum(max(0, ends[number] - offset) for number, offset in self._next.items())

    def close(self) -> None:
        """Leave the group and close the file."""
        if self._membership is not None:
            self._membership.close()
        self._database.close()

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise broken(self._path, error) from error

    def _partitions(self) -> list[tuple[int, int, int]]:
        """Return number, identity and end of each partition."""
        return partitions_of(self._database, self.topic)

    def _first(self, identity: int, end: int) -> int:
        found: int | None = self._database.execute(_FIRST, (identity,)).fetchone()[0]
        return end if found is None else found

    def _version(self) -> int:
        """Return a number that changes whenever another connection changed the file."""
        version: int = self._database.execute("PRAGMA data_version").fetchone()[0]
        return version

    def _join(self, group: str, timeout: float) -> bool:
        """Take the group's lock; the operating system gives it back when a holder dies."""
        if self._membership is not None:
            return True
        name = hashlib.sha256(f"{self.topic}\0{group}".encode()).hexdigest()[:16]
        lock = self._path.with_name(f"{self._path.name}.{name}.lock")
        with contextlib.suppress(OSError):  # told by SQLite, in its own words
            make_file(lock)
        membership = sqlite3.connect(lock, timeout=timeout, isolation_level=None)
        try:
            membership.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            membership.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            return False
        self._membership = membership
        return True

    def _read(self, number: int, limit: int) -> Run | None:
        position = self._next[number]
        run = Run(self.topic, number, [], [], [], [])
        size = 0
        offsets, times, keys, values = run.offsets, run.times, run.keys, run.values
        rows = self._database.execute(_READ, (self._ids[number], position, limit))
        for offset, moment, key, value in rows:
            offsets.append(offset)
            times.append(moment)
            keys.append(key)
            values.append(value)
            if value is not None:
                size += len(value)
                if size > BATCH_BYTES:
                    break
        rows.close()
        if not offsets or offsets[0] != position:
            self._refuse_expired(number, position)
        if not offsets:
            return None
        self._next[number] = offsets[-1] + 1
        return run

    def _refuse_expired(self, number: int, position: int) -> None:
        bounds = self.bounds()[number]
        if not bounds.first <= position <= bounds.end:
            raise expired(self.topic, number, position, bounds)


class EmbeddedAppender:
    """The producing side of a topic in a SQLite file.

    Parameters
    ----------
    path, topic
        As for `EmbeddedLog`.

    Raises
    ------
    LogError
        The file cannot be opened or is not such a log.
    """

    def __init__(self, path: Path | str, topic: str) -> None:
        self.topic = topic
        self._path = Path(path)
        self._database = open_database(self._path, "FULL")

    def create(self, partitions: int) -> bool:
        """Make the topic if it is missing; return whether it was made."""
        with transaction(self._database, self._path):
            return create_topic(self._database, self.topic, partitions)

    def append(self, messages: Iterable[Message]) -> int:
        """Append in order, keys choosing the partition; return how many are stored.

        Raises
        ------
        LogError
            The topic is missing, or the file cannot be written.
        """
        remaining = iter(messages)
        count = 0
        while batch := list(_batch(remaining)):
            with transaction(self._database, self._path):
                insert(self._database, self.topic, batch)
            count += len(batch)
        return count

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _batch(messages: Iterator[Message]) -> Iterator[Message]:
    size = 0
    for message in itertools.islice(messages, APPEND_RECORDS):
        yield message
        size += len(message.value or b"")
        if size > BATCH_BYTES:
            return
