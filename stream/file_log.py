"""Files as a log: history through the same loop, each file's records at offsets from 0."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import cast

from stream.files import Piece, RecordFile, piece_of
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
        self._cut: Iterator[Piece] = iter(())
        self._next = self._limit = 0
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
        return {PARTITION: Bounds(0, sum(len(piece.keys) for piece in _pieces(self._open())))}

    def offsets_at(self, time: int) -> dict[int, int]:
        """Return the offset of the first record at or after a time."""
        times = itertools.chain.from_iterable(piece.times for piece in _pieces(self._open()))
        return {PARTITION: sum(1 for _ in itertools.takewhile(time.__gt__, times))}

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
        self._cut = self._cuts(self._next)
        self.ended = False

    def poll(self, limit: int, timeout: float) -> Run | None:
        """Return the next records; None at the end."""
        self._limit = limit
        piece = next(self._cut, None)
        if piece is None:
            self.ended = True
            return None
        size = len(piece.keys)
        offsets = list(range(self._next, self._next + size))
        self._next += size
        # Nobody changes a run, and some values are made only when they are looked at.
        values = cast("list[bytes | None]", piece.values)
        return Run(self.topic, PARTITION, offsets, piece.times, piece.keys, values)

    def _cuts(self, left: int) -> Iterator[Piece]:
        """Yield the records behind so many, as many at a time as are asked for then."""
        for columnar, files in itertools.groupby(self._files, lambda file: file.columnar):
            if not columnar:
                messages = itertools.chain.from_iterable(files)
                left -= sum(1 for _ in itertools.islice(messages, left))
                while part := take(messages, self._limit):
                    yield piece_of(part)
                continue
            for piece in _pieces(files):
                start = min(left, len(piece.keys))
                left -= start
                while start < len(piece.keys):
                    stop = start + self._limit
                    yield piece.part(start, stop)
                    start = stop

    def commit(self, positions: Mapping[int, int], metadata: str) -> None:
        """Files have no group."""

    def lag(self) -> int | None:
        """Unknown before the end has been read."""
        return 0 if self.ended else None

    def close(self) -> None:
        """Nothing is held."""


def _pieces(files: Iterable[RecordFile]) -> Iterator[Piece]:
    for file in files:
        yield from file.pieces()


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
