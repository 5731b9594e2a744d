"""Files as a log: history through the same loop, each file's records at offsets from 0."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

from stream.files import RecordFile
from stream.log import Bounds, Message, Run

PARTITION = 0
MANY_BYTES = 32_000_000


class FileLog:
    """The records of some files, one after another, as the one partition of a topic.

    Parameters
    ----------
    open_files
        Returns the files anew, to read them from the start.
    topic
        What the topic is called in positions and dead letters.
    """

    def __init__(self, open_files: Callable[[], list[RecordFile]], topic: str) -> None:
        self.topic = topic
        self._open = open_files
        self._files = open_files()
        self._messages: Iterator[Message] = iter(())
        self._next = 0
        self.ended = False

    def anew(self) -> FileLog:
        """Return the same files as another log."""
        return FileLog(self._open, self.topic)

    @property
    def read(self) -> tuple[int, int]:
        """How many bytes of how many have been read, for a progress bar."""
        return sum(file.position for file in self._files), sum(file.size for file in self._files)

    def bounds(self) -> dict[int, Bounds]:
        """Return the bounds; the end is found by reading everything."""
        return {PARTITION: Bounds(0, sum(1 for file in self._open() for _ in file))}

    def offsets_at(self, time: int) -> dict[int, int]:
        """Return the offset of the first record at or after a time."""
        messages = itertools.chain.from_iterable(self._open())
        older = itertools.takewhile(lambda message: message.time < time, messages)
        return {PARTITION: sum(1 for _ in older)}

    def committed(self) -> dict[int, tuple[int, str]]:
        """Files have no group."""
        return {}

    def acquire(self, timeout: float) -> frozenset[int]:
        """Files are nobody else's."""
        return frozenset({PARTITION})

    def seek(self, positions: Mapping[int, int]) -> None:
        """Read from the start and pass over what lies before the offset."""
        self._next = positions[PARTITION]
        self._files = self._open()
        messages = itertools.chain.from_iterable(self._files)
        self._messages = itertools.islice(messages, self._next, None)
        self.ended = False

    def poll(self, limit: int, timeout: float) -> Run | None:
        """Return the next records; None at the end."""
        messages = take(self._messages, limit)
        if not messages:
            self.ended = True
            return None
        keys, values, times, _ = (list(column) for column in zip(*messages, strict=True))
        offsets = list(range(self._next, self._next + len(messages)))
        self._next += len(messages)
        return Run(self.topic, PARTITION, offsets, times, keys, values)

    def commit(self, positions: Mapping[int, int], metadata: str) -> None:
        """Files have no group."""

    def lag(self) -> int | None:
        """Unknown before the end has been read."""
        return 0 if self.ended else None

    def close(self) -> None:
        """Nothing is held."""


def take(messages: Iterator[Message], limit: int) -> list[Message]:
    """Return the next messages, as many as `limit` or as it takes to weigh 32 MB."""
    taken = []
    size = 0
    for message in itertools.islice(messages, limit):
        taken.append(message)
        size += len(message.value or b"")
        if size >= MANY_BYTES:
            break
    return taken
