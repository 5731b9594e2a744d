"""The journal: the order in which a shard took its records, where no log alone can tell it.

Several partitions, or two topics, arrive as fetching happens to mix them. What is journalled is
taken in the same order once more, after a crash and in a replay.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from stream.errors import JournalError, SignatureError
from stream.signature import Signer, verify

KIND = "journal"
SEGMENTS = f"journal-{'[0-9]' * 12}.log"


class Taken(NamedTuple):
    """A run of records of one partition: `records` of them, at offsets from `first` to `last`."""

    topic: str
    partition: int
    first: int
    last: int
    records: int


class Tick(NamedTuple):
    """Event time that went on to `time`, in milliseconds, without a record."""

    time: int


class Skip(NamedTuple):
    """A record that is passed over wherever it comes, since it made the learner raise.

    One that is `late` made it raise after it had waited for a label, and is passed over then.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    late: bool = False


class Mark(NamedTuple):
    """A place in the journal: the owner whose segment it is in, and how many bytes of it."""

    segment: int
    at: int


Entry = Taken | Tick | Skip
_KINDS: dict[str, type[Entry]] = {"taken": Taken, "tick": Tick, "skip": Skip}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class Journal:
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

    def __init__(
        self, folder: Path, epoch: int, mark: Mark | None = None, signer: Signer | None = None
    ) -> None:
        self._folder = folder
        self._epoch = epoch
        self._signer = signer
        self._signature = _seed(epoch)
        self._descriptor: int | None = None
        self._size = 0
        self.end = self._inherited()
        """Where the next entry goes; None while nothing was ever journalled."""
        self.mark = mark
        """A place that no entry lies before that the next checkpoint needs."""

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
            self._write(_NAMES[type(entry)], *entry)
        except OSError as error:
            raise JournalError(
                f"wanted to write the journal in {self._folder}, got: {error.strerror}: make "
                "room; the run goes on from the last checkpoint"
            ) from error

    def close(self) -> None:
        """Close the segment."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _inherited(self) -> Mark | None:
        earlier = [number for number in _segments(self._folder) if number < self._epoch]
        for segment in reversed(earlier):
            whole = _Segment(self._folder, segment, self._signer)
            if whole.begun:
                return Mark(segment, whole.size)
        return None

    def _begin(self) -> None:
        path = _path(self._folder, self._epoch)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._descriptor = os.open(path, flags, 0o600)
        self._size = 0
        self._write("begin", *(self.end or (0, 0)))
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write(self, *values: object) -> None:
        assert self._descriptor is not None
        text = json.dumps(values, separators=(",", ":")).encode()
        if self._signer is not None:
            self._signature = self._signer.sign(KIND, self._signature + text).encode()
            text = self._signature + b" " + text
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        os.fdatasync(self._descriptor)
        self._size += len(line)
        self.end = Mark(self._epoch, self._size)


class _Segment:
    """One owner's part of the journal, as far as it is whole.

    What a crash cut off at the end never counted; a line broken before the end was altered.
    """

    def __init__(self, folder: Path, number: int, signer: Signer | None) -> None:
        path = _path(folder, number)
        try:
            lines = path.read_bytes().splitlines(keepends=True)
        except OSError as error:
            raise JournalError(
                f"wanted the journal's segment {path}, got: {error.strerror}: bring it back from "
                "a copy, or choose another name to start another model"
            ) from error
        self.lines: list[tuple[int, list[Any]]] = []
        self.size = 0
        before = _seed(number)
        for place, line in enumerate(lines):
            whole = _content(line)
            if whole is None:
                if any(_content(later) is not None for later in lines[place + 1 :]):
                    raise JournalError(
                        f"wanted {path} as it was written, got a broken line {place + 1} in it: "
                        "bring it back from a copy, or rebuild the model with `alluvia replay`"
                    )
                break
            signature, text = whole
            try:
                verify(signer, KIND, before + text, signature)
            except SignatureError as error:
                raise SignatureError(f"{path} line {place + 1}: {error}") from error
            before = (signature or "").encode()
            self.lines.append((self.size, json.loads(text)))
            self.size += len(line)

    @property
    def begun(self) -> bool:
        """Whether its owner got as far as to say where it goes on from."""
        return bool(self.lines)

    @property
    def parent(self) -> Mark | None:
        """Where the segment goes on from, None for the first of all."""
        _, (_, segment, at) = self.lines[0]
        return Mark(segment, at) if segment else None

    def entries(self, first: int, end: int) -> Iterator[Entry]:
        """Yield the entries between two places."""
        for at, (kind, *values) in self.lines[1:]:
            if first <= at < end:
                yield _entry(str(kind), values)


def chain(
    folder: Path, mark: Mark | None, end: Mark | None, signer: Signer | None = None
) -> Iterator[Entry]:
    """Yield the entries between two places of a journal, through all owners in between.

    Raises
    ------
    JournalError
        A segment between them is missing or altered.
    SignatureError
        An entry is not signed as it should be.
    """
    parts = []
    while end is not None:
        segment = _Segment(folder, end.segment, signer)
        if not segment.begun or segment.size < end.at:
            raise JournalError(
                f"wanted {end.at} bytes of the journal's segment {_path(folder, end.segment)}, got "
                f"{segment.size}: bring it back from a copy, or rebuild with `alluvia replay`"
            )
        reached = mark is not None and end.segment == mark.segment
        parts.append((segment, mark.at if mark is not None and reached else 0, end.at))
        if reached:
            break
        end = segment.parent
    else:
        if mark is not None:
            raise JournalError(
                f"wanted a journal through segment {mark.segment} in {folder}, got one without "
                "it: bring the folder back from a copy, or rebuild with `alluvia replay`"
            )
    for segment, first, last in reversed(parts):
        yield from segment.entries(first, last)


def last_mark(folder: Path, signer: Signer | None = None) -> Mark | None:
    """Return the end of the newest owner's journal, None where nothing was journalled."""
    return Journal(folder, max(_segments(folder), default=0) + 1, None, signer).end


def _entry(kind: str, values: list[Any]) -> Entry:
    return _KINDS[kind](*values)


def _segments(folder: Path) -> list[int]:
    names = sorted(path.name for path in folder.glob(SEGMENTS))
    return [int(name.removeprefix("journal-").removesuffix(".log")) for name in names]


def _path(folder: Path, segment: int) -> Path:
    return folder / f"journal-{segment:012}.log"


def _seed(epoch: int) -> bytes:
    """Return what stands for the signature before the first: of this segment and no other."""
    return b"%d" % epoch


def _content(line: bytes) -> tuple[str | None, bytes] | None:
    """Return signature and text of a line, None if it is not what was written."""
    crc, _, rest = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or crc != b"%08x" % zlib.crc32(rest):
        return None
    if rest.startswith(b"["):
        return None, rest
    signature, _, text = rest.partition(b" ")
    return signature.decode("ascii", "replace"), text
