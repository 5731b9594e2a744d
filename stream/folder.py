"""The checkpoint place: a folder whose files appear whole or not at all."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from stream.errors import CheckpointError
from stream.patience import at_once, is_full, outlast
from stream.private import make_folder
from stream.vault import checked

SWEEP_AGE = 60.0

T = TypeVar("T")


class Folder:
    """Named files and content-addressed parts, each durable when the call returns.

    Parameters
    ----------
    path
        Made by the first write if it is missing, readable by its owner only. A folder that was
        there is the user's, as are its permissions.
    stop
        A disk that is full is waited for until this says so; by default not at all.

    Raises
    ------
    CheckpointError
        By the first write: the folder cannot be made, or its file system has no hard links,
        without which two owners could both believe that they published.
    """

    def __init__(self, path: Path, stop: Callable[[], bool] = at_once) -> None:
        self.path = path
        self.place = str(path)
        self._stop = stop
        self._parts = path / "parts"
        self._made = False

    def create(self, name: str, data: bytes) -> bool:
        """See `Vault.create`."""
        temporary = self._write_temporary(data)
        try:
            self.outlast(functools.partial(os.link, temporary, self.path / name))
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        _sync_folder(self.path)
        return True

    def add_part(self, data: bytes) -> str:
        """See `Vault.add_part`."""
        name = hashlib.sha256(data).hexdigest()
        path = self._parts / name
        # One that something cut short since is written again.
        if path.exists() and path.stat().st_size == len(data):
            os.utime(path)  # or a sweep could take it before it is named
        else:
            temporary = self._write_temporary(data)
            self.outlast(functools.partial(os.replace, temporary, path))
        return name

    def holds(self, part: str, size: int) -> bool:
        """See `Vault.holds`."""
        try:
            return (self._parts / part).stat().st_size == size
        except FileNotFoundError:
            return False

    def sync_parts(self) -> None:
        """See `Vault.sync_parts`."""
        _sync_folder(self._parts)

    def read(self, name: str) -> bytes:
        """See `Vault.read`."""
        return (self.path / name).read_bytes()

    def read_part(self, name: str) -> bytes:
        """See `Vault.read_part`."""
        try:
            data = (self._parts / name).read_bytes()
        except OSError as error:
            raise CheckpointError(f"the part {name[:12]} cannot be read: {error}") from error
        return checked(name, data)

    def names(self, pattern: str) -> list[str]:
        """See `Vault.names`."""
        return sorted(path.name for path in self.path.glob(pattern))

    def remove(self, name: str) -> None:
        """See `Vault.remove`."""
        (self.path / name).unlink(missing_ok=True)

    def remove_part(self, name: str) -> None:
        """See `Vault.remove_part`."""
        (self._parts / name).unlink(missing_ok=True)

    def sweep(self, named: set[str]) -> None:
        """See `Vault.sweep`."""
        crashed = time.time() - SWEEP_AGE
        for path in self._parts.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.name not in named and path.stat().st_mtime < crashed:
                    path.unlink()

    def try_out(self) -> None:
        """See `Vault.try_out`."""
        with self._refusing():
            there = [place for place in (self._parts, self.path) if place.is_dir()]
            for place in there:
                _try_links(place)
            if not there:
                above = next(p for p in (self.path, *self.path.parents) if p.exists())
                with tempfile.TemporaryDirectory(dir=above) as made:
                    _try_links(Path(made))

    def _write_temporary(self, data: bytes) -> Path:
        if not self._made:
            self._make()
        path = self._parts / f"{uuid.uuid4().hex}.tmp"
        self.outlast(functools.partial(_write, path, data))
        return path

    def outlast(self, action: Callable[[], T]) -> T:
        """Carry out an action, again and again while the disk is full; return what it returns."""
        return outlast(action, is_full, self._stop, f"the folder {self.path}")

    def _make(self) -> None:
        path = self.path
        with self._refusing():
            make_folder(path)
            make_folder(self._parts)
            _try_links(self._parts)
            self._made = True

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CheckpointError(
                f"wanted a folder with hard links for checkpoints at {self.path}, got: "
                f"{error.strerror}: set [checkpoint] path to a local folder that can be written"
            ) from error


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        path.unlink()  # what was written would take up the room that is waited for
        raise


def _try_links(folder: Path) -> None:
    first = folder / f"{uuid.uuid4().hex}.tmp"
    first.touch(0o600, exist_ok=False)
    second = first.with_suffix(".link.tmp")
    try:
        os.link(first, second)
        second.unlink()
    finally:
        first.unlink()


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
