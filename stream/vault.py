"""The vault: where checkpoints are kept, each file whole or not there at all."""

from __future__ import annotations

import hashlib
from typing import Protocol

from stream.errors import CheckpointError


class Vault(Protocol):
    """Named files and content-addressed parts, each durable when the call returns.

    What goes wrong is an `OSError`, or a `VaultAwayError` where there is no answer, except for what
    is told below.
    """

    place: str
    """Where it is, for messages."""

    def create(self, name: str, data: bytes) -> bool:
        """Create a file unless it exists; return whether this call created it.

        Of any number of callers at once, each with bytes of its own, one creates it.
        """
        ...

    def add_part(self, data: bytes) -> str:
        """Keep data under its own SHA-256; return that name."""
        ...

    def holds(self, part: str, size: int) -> bool:
        """Return whether a part is there with all its bytes, without a look at them."""
        ...

    def sync_parts(self) -> None:
        """Make the names of all parts added so far durable."""
        ...

    def read(self, name: str) -> bytes:
        """Return a file's bytes; FileNotFoundError if there is none."""
        ...

    def read_part(self, name: str) -> bytes:
        """Return a part, checked against its name.

        Raises
        ------
        CheckpointError
            The part is missing or is not what was written.
        """
        ...

    def names(self, pattern: str) -> list[str]:
        """Return the names of files and folders that match, in order; none before any is there."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        ...

    def remove_part(self, name: str) -> None:
        """Remove a part if it is there."""
        ...

    def sweep(self, named: set[str]) -> None:
        """Remove what crashes left: parts that are not named, and what is half written.

        What is younger than a minute stays: another owner may be about to name it.
        """
        ...

    def try_out(self) -> None:
        """See whether it could be written, and leave nothing behind.

        Raises
        ------
        CheckpointError
            As by the first write.
        """
        ...


def checked(name: str, data: bytes) -> bytes:
    """Return the bytes of a part, which its name is the SHA-256 of.

    Raises
    ------
    CheckpointError
        They are others.
    """
    if hashlib.sha256(data).hexdigest() != name:
        raise CheckpointError(f"the part {name[:12]} is not what was written: torn or altered")
    return data
