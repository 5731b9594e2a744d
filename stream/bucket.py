"""The checkpoint place in an object store that creates an object only if there is none."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fnmatch
import hashlib
import re
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
_WILD = re.compile(r"[*?\[]")


class Bucket:
    """Objects of an S3-compatible store under a common beginning of their names.

    A store that was there before and is away is waited for, whatever it is asked.

    Parameters
    ----------
    url
        `s3://bucket/and/more`; the bucket exists.
    options
        Those of s3fs, such as `endpoint_url`, `key` and `secret`; without them the environment
        says who asks, as for any client of Amazon's.
    stop
        A store that is away is waited for until this says so; by default not at all.

    Raises
    ------
    CheckpointError
        The options cannot be used; by the first write and by `try_out`: the store cannot be
        written, or lets two owners create the same object (it knows no `If-None-Match`).
    VaultAwayError
        By any call: the store gives no answer, and is not waited for.
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
        self._tried = self._reached = False
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
        return self._ask(lambda: self._create(name, data))

    def add_part(self, data: bytes) -> str:
        """See `Vault.add_part`."""
        name = hashlib.sha256(data).hexdigest()
        found = self._ask(lambda: self._found(name))
        # One that is there for long is written again: a sweep could take it before it is named.
        aged = time.time() - SWEEP_AGE / 2
        if found is None or found["size"] != len(data) or found["LastModified"].timestamp() <= aged:
            self._ask(lambda: self._objects.pipe_file(self._part(name), data))
        return name

    def holds(self, part: str, size: int) -> bool:
        """See `Vault.holds`."""
        found = self._ask(lambda: self._found(part))
        return found is not None and bool(found["size"] == size)

    def sync_parts(self) -> None:
        """Nothing: an object is durable when it is acknowledged."""

    def read(self, name: str) -> bytes:
        """See `Vault.read`."""
        return self._ask(lambda: self._read(name))

    def read_part(self, name: str) -> bytes:
        """See `Vault.read_part`."""
        try:
            return checked(name, self.read(f"parts/{name}"))
        except OSError as error:
            raise CheckpointError(f"the part {name[:12]} cannot be read: {error}") from error

    def names(self, pattern: str) -> list[str]:
        """See `Vault.names`."""
        names = self._list(_WILD.split(pattern, maxsplit=1)[0])
        return sorted(name for name in names if fnmatch.fnmatchcase(name, pattern))

    def remove(self, name: str) -> None:
        """See `Vault.remove`."""
        with contextlib.suppress(FileNotFoundError):
            self._ask(lambda: self._objects.rm_file(f"{self._root}/{name}"))

    def remove_part(self, name: str) -> None:
        """See `Vault.remove_part`."""
        self.remove(f"parts/{name}")

    def sweep(self, named: set[str]) -> None:
        """See `Vault.sweep`."""
        crashed = time.time() - SWEEP_AGE
        for path, written in self._list("parts/").items():
            name = path.removeprefix("parts/")
            if name not in named and written is not None and written.timestamp() < crashed:
                self.remove_part(name)

    def try_out(self) -> None:
        """See `Vault.try_out`."""
        name = f"{uuid.uuid4().hex}.tmp"
        try:
            with _telling():
                first, second = self._create(name, b"1"), self._create(name, b"2")
                self._objects.rm_file(f"{self._root}/{name}")
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
        self._tried = self._reached = True

    def _ask(self, action: Callable[[], T]) -> T:
        """Ask the store; one that was there before is waited for."""

        def attempt() -> T:
            with _telling():
                answer = action()
            self._reached = True
            return answer

        def passes(error: Exception) -> bool:
            return self._reached and _is_away(error)

        try:
            return outlast(attempt, passes, self._stop, f"the object store at {self.place}")
        except FileNotFoundError:
            raise
        except OSError as error:
            # Not a torn checkpoint, for which an older one would be taken.
            raise VaultAwayError(
                f"wanted the checkpoints in the object store at {self.place}, got: "
                f"{error.strerror}: see that it can be reached, and check [checkpoint] url and "
                "options"
            ) from error

    def _create(self, name: str, data: bytes) -> bool:
        try:
            with _telling():
                self._objects.pipe_file(f"{self._root}/{name}", data, mode="create")
        except FileExistsError:
            # An answer that got lost is asked for again, and then this call meets itself.
            return self._read(name) == data
        return True

    def _read(self, name: str) -> bytes:
        found: bytes = self._objects.cat_file(f"{self._root}/{name}")
        return found

    def _part(self, name: str) -> str:
        return f"{self._root}/parts/{name}"

    def _found(self, part: str) -> dict[str, Any] | None:
        """Return what the store says of a part, None if it has none."""
        try:
            found: dict[str, Any] = self._objects.info(self._part(part))
        except FileNotFoundError:
            return None
        return found

    def _list(self, beginning: str) -> dict[str, datetime.datetime | None]:
        """Return the names below this place that begin so, each with when it was written.

        Only those are asked for: there is a segment of the journal for each checkpoint. Of what
        lies deeper there is the folder's name, with None.
        """
        bucket, _, root = self._root.partition("/")
        asked = {"Bucket": bucket, "Prefix": f"{root}/{beginning}", "Delimiter": "/"}
        found: dict[str, datetime.datetime | None] = {}
        while True:
            try:
                page = self._ask(lambda: self._objects.call_s3("list_objects_v2", **asked))
            except FileNotFoundError:
                return found
            for one in page.get("Contents", ()):
                found[one["Key"].removeprefix(f"{root}/")] = one["LastModified"]
            for one in page.get("CommonPrefixes", ()):
                found[one["Prefix"].removeprefix(f"{root}/").rstrip("/")] = None
            if not page.get("IsTruncated"):
                return found
            asked["ContinuationToken"] = page["NextContinuationToken"]


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


def _is_away(error: Exception) -> bool:
    """Return whether the store is away, or too busy to answer."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.EBUSY)
