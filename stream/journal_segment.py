"""A segment of the journal: one owner's part of it, a checked line for each entry."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

from stream.errors import JournalError, SignatureError
from stream.journal import Entry, Mark, Skip, Taken, Tick
from stream.signature import Signer, verify
from stream.vault import Vault

KIND = "journal"
SEGMENTS = f"journal-{'[0-9]' * 12}.log"

_KINDS: dict[str, type[Entry]] = {"taken": Taken, "tick": Tick, "skip": Skip}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class Lines:
    """The lines of one segment as they are written, the first of which says where it goes on from.

    Parameters
    ----------
    number
        That of the segment.
    signer
        Signs each line together with all before it in the segment; None without a key.
    """

    def __init__(self, number: int, signer: Signer | None) -> None:
        self._signer = signer
        self._signature = _seed(number)

    def begin(self, parent: Mark | None) -> bytes:
        """Return the first line."""
        return self._line("begin", *(parent or (0, 0)))

    def line(self, entry: Entry) -> bytes:
        """Return the next line."""
        return self._line(_NAMES[type(entry)], *entry)

    def _line(self, *values: object) -> bytes:
        text = json.dumps(values, separators=(",", ":")).encode()
        if self._signer is not None:
            self._signature = self._signer.sign(KIND, self._signature + text).encode()
            text = self._signature + b" " + text
        return b"%08x %s\n" % (zlib.crc32(text), text)


class Segment:
    """One owner's part of the journal, as far as it is whole.

    What a crash cut off at the end never counted; a line broken before the end was altered.
    """

    def __init__(self, vault: Vault, number: int, signer: Signer | None) -> None:
        self._path = path = f"{vault.place}/{segment_name(number)}"
        try:
            lines = vault.read(segment_name(number)).splitlines(keepends=True)
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
                if kind not in _KINDS:
                    raise JournalError(
                        f"wanted entries of the kinds {', '.join(_KINDS)} in the journal's segment "
                        f"{self._path}, got {kind!r}: go on with the release that wrote it"
                    )
                yield _KINDS[kind](*values)


def chain(
    vault: Vault, mark: Mark | None, end: Mark | None, signer: Signer | None = None
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
        segment = Segment(vault, end.segment, signer)
        first = mark.at if mark is not None and end.segment == mark.segment else 0
        # One that ends before the mark would be gone on from with a gap.
        wanted, held = max(first, end.at), min(segment.size, end.at)
        if not segment.begun or held < wanted:
            raise JournalError(
                f"wanted {wanted} bytes of the journal's segment {vault.place}/"
                f"{segment_name(end.segment)}, got {held}: bring it back from a copy, or "
                "rebuild with `alluvia replay`"
            )
        parts.append((segment, first, end.at))
        if mark is not None and end.segment == mark.segment:
            break
        end = segment.parent
    else:
        if mark is not None:
            raise JournalError(
                f"wanted a journal through segment {mark.segment} in {vault.place}, got one "
                "without it: bring the folder back from a copy, or rebuild with `alluvia replay`"
            )
    for segment, first, last in reversed(parts):
        yield from segment.entries(first, last)


def segment_name(number: int) -> str:
    """Return the name of a segment's file."""
    return f"journal-{number:012}.log"


def segments(vault: Vault) -> list[int]:
    """Return the numbers of the segments that are there, in order."""
    names = vault.names(SEGMENTS)
    return [int(name.removeprefix("journal-").removesuffix(".log")) for name in names]


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
