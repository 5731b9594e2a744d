"""The journal in a folder: each entry is on disk before the store sees anything of it."""

from __future__ import annotations

import functools
import os

from stream.errors import JournalError
from stream.folder import Folder
from stream.journal import Entry, Mark
from stream.journal_segment import Lines, Segment, chain, segment_name, segments
from stream.signature import Signer


class FileJournal:
    """The order a shard's records were taken in, in the folder of its checkpoints.

    Each owner appends to a segment of its own, which begins with the place in an earlier one
    that it goes on from. So what a fenced owner still appends to its own is never followed.

    Parameters
    ----------
    folder
        The folder of the checkpoints; it exists.
    epoch
        The owner's number.
    mark
        Where the checkpoint to go on from stands in it; None for its beginning.
    signer
        Signs each entry together with all before it in the segment; None without a key.

    Raises
    ------
    JournalError
        A segment is missing or altered.
    SignatureError
        An entry is not signed as it should be.
    """

    lost = False

    def __init__(
        self, folder: Folder, epoch: int, mark: Mark | None = None, signer: Signer | None = None
    ) -> None:
        self._folder = folder
        self._epoch = epoch
        self._signer = signer
        self._lines = Lines(epoch, signer)
        self._descriptor: int | None = None
        self._size = 0
        self.end = self._inherited()
        self.mark = mark

    def tail(self) -> list[Entry]:
        """Return the entries from the mark on."""
        return list(chain(self._folder, self.mark, self.end, self._signer))

    def append(self, entry: Entry) -> None:
        """Add an entry; it is on disk when this returns.

        Raises
        ------
        JournalError
            The segment cannot be written.
        """
        try:
            if self._descriptor is None:
                self._begin()
            self._write(self._lines.line(entry))
        except OSError as error:
            raise JournalError(
                f"wanted to write the journal in {self._folder.place}, got: {error.strerror}: make "
                "room; the run goes on from the last checkpoint"
            ) from error

    def took(self) -> None:
        """See `Journal.took`."""
        self.mark = self.end

    def cut(self, number: int) -> Mark | None:
        """See `Journal.cut`: all is on disk already."""
        return self.mark

    def leave(self, number: int) -> None:
        """Nothing: the tail tells what was taken."""

    def close(self) -> None:
        """Close the segment."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _inherited(self) -> Mark | None:
        earlier = [number for number in segments(self._folder) if number < self._epoch]
        for segment in reversed(earlier):
            whole = Segment(self._folder, segment, self._signer)
            if whole.begun:
                return Mark(segment, whole.size)
        return None

    def _begin(self) -> None:
        path = self._folder.path / segment_name(self._epoch)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._descriptor = self._folder.outlast(functools.partial(os.open, path, flags, 0o600))
        self._size = 0
        self._write(self._lines.begin(self.end))
        folder = os.open(self._folder.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write(self, line: bytes) -> None:
        assert self._descriptor is not None
        self._folder.outlast(functools.partial(_add, self._descriptor, self._size, line))
        self._size += len(line)
        self.end = Mark(self._epoch, self._size)


def _add(descriptor: int, size: int, line: bytes) -> None:
    """Append a line to a segment of some size, the whole of it or nothing."""
    rest = memoryview(line)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fdatasync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def last_mark(folder: Folder, signer: Signer | None = None) -> Mark | None:
    """Return the end of the newest owner's journal, None where nothing was journalled."""
    return FileJournal(folder, max(segments(folder), default=0) + 1, None, signer).end
