"""The checkpoint place in an object store that creates an object only if there is none."""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import fsspec

from stream.errors import CheckpointError, VaultAwayError
from stream.folder import SWEEP_AGE
from stream.patience import at_once, outlast
from stream.secrecy import masked
from stream.vault import checked

T = TypeVar("T")

_EXTRA = "install alluvia[s3] for checkpoints in an object store"


class Bucket:
    """Objects of an S3-compatible store under a common beginning of their names.

    Parameters
    ----------
    url
        `s3://bucket/and/more`; the bucket exists.
    options
        Those of s3fs, such as `endpoint_url`, `key` and `secret`; without them the environment
        says who asks, as for any client of Amazon's.
    stop
        A write waits for a store that is away until this says so; by default not at all.

    Raises
    ------
    CheckpointError
        The options cannot be used; by the first write and by `try_out`: the store cannot be
        written, or lets two owners create the same object (it knows no `If-None-Match`).
    """

    def __init__(
        self,
        url: str,
        options: Mapping[str, Any] | None = None,
        stop: Callable[[], bool] = at_once,
    ) -> None:
        self.place: str = masked(url)
        self._stop = stop
        self._root = url.removeprefix("s3://").rstrip("/")
        self._tried = False
        try:
            # What it remembers of a listing would hide what another owner has written since.
            self._objects = fsspec.filesystem(
                "s3", **(options or {}), use_listings_cache=False, skip_instance_cache=True
            )
        except ImportError as error:
            raise CheckpointError(f"wanted s3fs for {self.place}, got none: {_EXTRA}") from error
        except (TypeError, ValueError) as error:
            raise CheckpointError(
                f"wanted options of s3fs in [checkpoint.options], got: {error}: correct them"
            ) from error

    def create(self, name: str, data: bytes) -> bool:
        """See `Vault.create`."""
        if not self._tried:
            self.try_out()
        return self._outlast(lambda: self._create(name, data))

    def add_part(self, data: bytes) -> str:
        """See `Vault.add_part`."""
        name = hashlib.sha256(data).hexdigest()
        # One that is there for long is written again: a sweep could take it before it is named.
        if not self._outlast(lambda: self._fresh(name, len(data))):
            self._outlast(lambda: self._write(name, data))
        return name

    def holds(self, part: str, size: int) -> bool:
        """See `Vault.holds`."""
        return self._asked(lambda: self._size(part)) == size

    def sync_parts(self) -> None:
        """Nothing: an object is durable when it is acknowledged."""

    def read(self, name: str) -> bytes:
        """See `Vault.read`."""
        return self._asked(lambda: self._read(name))

    def read_part(self, name: str) -> bytes:
        """See `Vault.read_part`."""
        try:
            return checked(name, self.read(f"parts/{name}"))
        except OSError as error:
            raise CheckpointError(f"the part {name[:12]} cannot be read: {error}") from error

    def names(self, pattern: str) -> list[str]:
        """See `Vault.names`."""
        listed = self._asked(lambda: self._listed(self._root))
        names = (one["name"].rstrip("/").rpartition("/")[2] for one in listed)
        return sorted(name for name in names if fnmatch.fnmatchcase(name, pattern))

    def remove(self, name: str) -> None:
        """See `Vault.remove`."""
        self._asked(lambda: self._remove(name))

    def remove_part(self, name: str) -> None:
        """See `Vault.remove_part`."""
        self.remove(f"parts/{name}")

    def sweep(self, named: set[str]) -> None:
        """See `Vault.sweep`."""
        crashed = time.time() - SWEEP_AGE
        for one in self._asked(lambda: self._listed(f"{self._root}/parts")):
            name = one["name"].rpartition("/")[2]
            if name not in named and one["LastModified"].timestamp() < crashed:
                self.remove_part(name)

    def try_out(self) -> None:
        """See `Vault.try_out`."""
        name = f"{uuid.uuid4().hex}.tmp"
        try:
            first, second = self._create(name, b"1"), self._create(name, b"2")
            self._remove(name)
        except OSError as error:
            raise CheckpointError(
                f"wanted an object store for checkpoints at {self.place}, got: {error.strerror}: "
                "check [checkpoint] url and options, and that the bucket exists"
            ) from error
        if not first or second:
            raise CheckpointError(
                f"wanted an object store that creates an object only if there is none, got one at "
                f"{self.place} that does not: two owners could both believe that they published; "
                "set [checkpoint] path to a local folder instead"
            )
        self._tried = True

    def _outlast(self, action: Callable[[], T]) -> T:
        """Carry out an action, again and again while a store that was there is away."""
        stop = self._stop if self._tried else at_once
        return outlast(action, _passes, stop, f"the object store at {self.place}")

    def _asked(self, action: Callable[[], T]) -> T:
        """Read or remove; without an answer no older checkpoint is gone on from."""
        try:
            return self._outlast(action)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise VaultAwayError(
                f"wanted the checkpoints in the object store at {self.place}, got: "
                f"{error.strerror}: see that it can be reached, and check [checkpoint] url and "
                "options"
            ) from error

    def _read(self, name: str) -> bytes:
        with _telling():
            found: bytes = self._objects.cat_file(f"{self._root}/{name}")
            return found

    def _remove(self, name: str) -> None:
        with _telling(), contextlib.suppress(FileNotFoundError):
            self._objects.rm_file(f"{self._root}/{name}")

    def _write(self, part: str, data: bytes) -> bool:
        with _telling():
            self._objects.pipe_file(self._part(part), data)
        return True

    def _create(self, name: str, data: bytes) -> bool:
        try:
            with _telling():
                self._objects.pipe_file(f"{self._root}/{name}", data, mode="create")
        except FileExistsError:
            # An answer that got lost is asked for again, and then this call meets itself.
            return self._read(name) == data
        return True

    def _part(self, name: str) -> str:
        return f"{self._root}/parts/{name}"

    def _fresh(self, part: str, size: int) -> bool:
        try:
            with _telling():
                found = self._objects.info(self._part(part))
        except FileNotFoundError:
            return False
        young = found["LastModified"].timestamp() > time.time() - SWEEP_AGE / 2
        return bool(found["size"] == size and young)

    def _size(self, part: str) -> int | None:
        try:
            with _telling():
                size: int = self._objects.info(self._part(part))["size"]
        except FileNotFoundError:
            return None
        return size

    def _listed(self, path: str) -> list[dict[str, Any]]:
        try:
            with _telling():
                found: list[dict[str, Any]] = self._objects.ls(path, detail=True, refresh=True)
        except FileNotFoundError:
            return []
        return found


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Turn what the client raises into errors of the operating system, as a folder has them."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:
            raise type(error)(error.errno or errno.EIO, str(error)) from error
        raise
    except Exception as error:
        # botocore has a hierarchy of its own, known by names here: it is not always installed.
        kinds = {kind.__name__ for kind in type(error).__mro__}
        code = errno.EHOSTUNREACH if kinds & {"HTTPClientError", "ConnectionError"} else errno.EIO
        raise OSError(code, f"{type(error).__name__}: {error}") from error


def _passes(error: Exception) -> bool:
    """Return whether the store is away, or too busy to answer."""
    return isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.EBUSY)
