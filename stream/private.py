"""Files and folders that only their owner can read, whatever the umask is."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def make_file(path: Path) -> None:
    """Make an empty file if it is missing; one that is there stays as it is, with its permissions.

    SQLite gives the files that it puts beside a database the permissions of that.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600))


def make_folder(path: Path) -> None:
    """Make a folder and those above it, as far as they are missing; others stay as they are."""
    try:
        path.mkdir(0o700, exist_ok=True)
    except FileNotFoundError:
        make_folder(path.parent)
        path.mkdir(0o700, exist_ok=True)
