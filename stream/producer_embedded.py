"""The transactional producer on the embedded log: one SQLite transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from stream.errors import ProducerFencedError
from stream.log import Message, Place
from stream.log_database import create_topic, insert, open_database, partitions_of, transaction

_BEGIN = """
INSERT INTO producer VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1
RETURNING epoch
"""
_EPOCH = "SELECT epoch FROM producer WHERE name = ?"
_METADATA = """
SELECT metadata FROM position JOIN partition ON partition.id = position.partition
WHERE topic = ? AND number = ? AND consumers = ?
"""


class EmbeddedProducer:
    """A transactional producer in the SQLite file of a log.

    Parameters
    ----------
    path
        The file.
    name
        Under which there is one at a time.
    group
        The group whose positions are committed.

    Raises
    ------
    LogError
        The file cannot be opened or is not such a log.
    """

    def __init__(self, path: Path | str, name: str, group: str) -> None:
        self._path, self._name, self._group = Path(path), name, group
        self._database = open_database(self._path, "FULL")
        self._epoch = 0

    def create(self, topic: str, partitions: int) -> bool:
        """Make a topic if it is missing; return whether it was made."""
        with transaction(self._database, self._path):
            return create_topic(self._database, topic, partitions)

    def begin(self, places: Iterable[Place]) -> list[str]:
        """Become the only producer under the name; return what the group's positions say then."""
        with transaction(self._database, self._path):
            self._epoch = self._database.execute(_BEGIN, (self._name,)).fetchone()[0]
            rows = [
                self._database.execute(_METADATA, (*place, self._group)).fetchone()
                for place in places
            ]
        return [row[0] for row in rows if row is not None]

    def send(
        self,
        messages: Iterable[tuple[str, Message]],
        positions: Mapping[Place, int],
        metadata: str,
    ) -> None:
        """Append messages to their topics and commit positions, in one transaction."""
        database = self._database
        with transaction(database, self._path):
            if database.execute(_EPOCH, (self._name,)).fetchone() != (self._epoch,):
                raise ProducerFencedError(
                    f"wanted to send as {self._name!r}, got another process that does: stop one"
                )
            by_topic: dict[str, list[Message]] = {}
            for topic, message in messages:
                by_topic.setdefault(topic, []).append(message)
            for topic, mine in by_topic.items():
                insert(database, topic, mine)
            for (topic, number), offset in positions.items():
                ids = {n: identity for n, identity, _ in partitions_of(database, topic)}
                database.execute(
                    "INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?)",
                    (ids[number], self._group, offset, metadata),
                )

    def close(self) -> None:
        """Let go at once, whatever is under way."""
        self._database.close()
