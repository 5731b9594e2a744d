"""The store in Redis: one server, Sentinel or Cluster."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, TypeVar

import msgspec
from redis import exceptions as failures

from stream.errors import FencedError, StoreAwayError, StoreError
from stream.redis_server import Command, Server, place
from stream.store import Entries, Entry

T = TypeVar("T")

# A network that swallows packets must not be waited for as long as the system would.
_DEFAULTS = {"socket_timeout": 5.0, "socket_connect_timeout": 5.0}
# Keys in a guarded call: as many hold Redis for less than half a millisecond.
_CHUNK = 32
# Calls that go out together. Redis takes in 16 KB at a time, and looks at others in between.
_AT_ONCE = 64
_FIELDS = Entry._fields[1:]
_SOURCE = resources.files(__package__).joinpath("upsert.lua").read_text("utf-8")
_VERSION = hashlib.sha256(_SOURCE.encode()).hexdigest()[:12]
_LIBRARY = _SOURCE.replace("@VERSION@", _VERSION)
_CLAIM, _PUT = f"alluvia_claim_{_VERSION}", f"alluvia_put_{_VERSION}"

_REFUSED = (failures.AuthenticationError, failures.AuthorizationError)
_LOST = (
    failures.ConnectionError,
    failures.TimeoutError,
    failures.ClusterDownError,
    failures.TryAgainError,
    failures.AskError,
    failures.RedisClusterException,
)
# What a server says that cannot save, misses its replicas or runs a long script.
_FOR_NOW = ("MISCONF", "NOREPLICAS", "BUSY")
_REMEDIES: tuple[tuple[type[failures.RedisError], str], ...] = (
    (failures.AuthenticationError, "check the user and password in the store's URL"),
    (failures.NoPermissionError, "give the ACL user the commands listed in docs/redis.md"),
    (failures.OutOfMemoryError, "raise Redis' maxmemory, set a ttl, or free keys, then go on"),
    (failures.ReadOnlyError, "name the primary in the URL, or let Sentinel find it"),
    (failures.RedisError, "see docs/redis.md for what the server must offer"),
)

_logger = logging.getLogger(__name__)


_NOTHING = Entries(0, "", 0, [], [], [], [], [], [])


class RedisStore:
    """Predictions in Redis 7 or newer, guarded by a Redis Function.

    The prediction of a key is the hash `alluvia:{name}:prediction:<key>`, readable with a plain
    HGETALL, see docs/redis.md.

    Parameters
    ----------
    url
        `redis://`, `rediss://` (TLS) or `unix://` for one server,
        `redis+sentinel://host:port,host:port/service[/db]` or `redis+cluster://host:port,...`;
        the last two take `rediss+` for TLS. A user and password go before the hosts.
    name
        The service's name; the keys of different names never meet.
    ttl_ms
        Milliseconds after its last write at which a prediction goes away, None for never.
    options
        Further parameters of redis-py's client, such as `ssl_ca_certs` or `socket_timeout`.
    partition
        The one whose shard writes here, as an owner of its own; None for one model of all. Its
        prediction gives way to one of another partition only if that one's record is not older.

    Attributes
    ----------
    restarts
        See `Store`: how often the `run_id` of the server was another one than before.

    Raises
    ------
    StoreError
        The URL, name or options cannot be used.
    """

    def __init__(
        self,
        url: str,
        name: str,
        ttl_ms: int | None = None,
        options: Mapping[str, Any] | None = None,
        partition: int | None = None,
    ) -> None:
        if not name or set(name) & set("{}"):
            raise StoreError(f"wanted a name without braces, got {name!r}: rename the service")
        self._apart = partition is not None
        self._owner = f"alluvia:{{{name}}}:owner" + (f"/{partition}" if self._apart else "")
        self._newest = f"alluvia:{{{name}}}:newest"
        self._prefix = f"alluvia:{{{name}}}:prediction:"
        self._ttl = str(ttl_ms or 0)
        self._place = place(url)
        self._server = Server(url, self._owner, _DEFAULTS | dict(options or {}))
        self._encode = msgspec.msgpack.Encoder().encode
        self._epoch: int | None = None
        self._reached = False
        self._run_id: str | None = None
        self.restarts = 0

    def claim(self, epoch: int) -> None:
        """Become the owner; see `Store.claim`. The same epoch may be claimed again."""
        self._epoch = epoch
        apart = int(self._apart)
        self._call(lambda: [("FCALL", _CLAIM, 2, self._owner, self._newest, epoch, apart)])
        self._compare()

    def put(self, entries: Sequence[Entry]) -> int:
        """Write newer entries; see `Store.put`.

        Sequences and offsets are exact below 2**53. An entry whose write was repeated because
        the connection broke is counted only if the first attempt did not land.
        """
        if self._epoch is None:
            raise StoreError("wanted a claimed store, got a put before it: call claim(epoch) first")
        batches = list(Entries.grouped(entries)) or [_NOTHING]
        written = self._call(lambda: (call for some in batches for call in self._calls(some)))
        self._compare()
        return written

    def get(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return stored entries; see `Store.get`. A lost server is an error at once."""
        commands = [("HMGET", self._prefix + key, *_FIELDS) for key in keys]
        rows = self._attempt(lambda: self._server.stream(lambda: commands, _AT_ONCE))
        return [_entry(key, row) for key, row in zip(keys, rows, strict=True)]

    def close(self) -> None:
        """Let go of connections."""
        self._server.close()

    def _call(self, calls: Callable[[], Iterable[Command]]) -> int:
        """Call functions of the library, which is loaded if the server lacks it; add the replies.

        Calls that were carried out already may be sent again.
        """

        def attempt() -> int:
            try:
                return sum(map(int, self._server.stream(calls, _AT_ONCE)))
            except failures.ResponseError as error:
                if "Function not found" not in str(error):
                    raise
            self._server.execute("FUNCTION", "LOAD", "REPLACE", _LIBRARY)
            return sum(map(int, self._server.stream(calls, _AT_ONCE)))

        return self._attempt(attempt)

    def _calls(self, entries: Entries) -> Iterator[Command]:
        """Yield the guarded calls that write entries, some keys each."""
        top = max(entries.sequences, default=0) if entries.top is None else entries.top
        about = (
            *(self._epoch, self._ttl, self._apart),
            *(str(entries.lineage), entries.topic, str(entries.partition)),
            *(str(top), entries.top is not None),
        )
        keys = [self._prefix + key for key in entries.keys]
        columns = (
            entries.predictions,
            entries.probabilities,
            *map(_texts, (entries.sequences, entries.offsets, entries.times)),
        )
        for start in range(0, max(len(keys), 1), _CHUNK):  # none still meets the guard
            part = slice(start, start + _CHUNK)
            some = keys[part]
            payload = self._encode((*about, *(column[part] for column in columns)))
            yield "FCALL", _PUT, len(some) + 2, self._owner, self._newest, *some, payload

    def _compare(self) -> None:
        """Notice a server that is another process than before: it may have forgotten something."""
        lines = self._attempt(lambda: self._server.execute("INFO", "server"))
        run_id = lines["run_id"]
        if self._run_id not in (None, run_id):
            self.restarts += 1
            _logger.warning(
                "Redis at %s was started again, or a replica took over: predictions that it did "
                "not keep are gone until their keys come again",
                self._place,
            )
        self._run_id = run_id

    def _attempt(self, task: Callable[[], T]) -> T:
        try:
            result = task()
        except (failures.RedisError, failures.RedisClusterException) as error:
            if isinstance(error, _LOST):
                self._server.lost()
            raise self._failure(error) from error
        self._reached = True
        return result

    def _failure(self, error: Exception) -> StoreError | FencedError:
        text = str(error).rstrip(".")
        kind = StoreAwayError if self._reached and _passes(error) else StoreError
        if text.startswith("FENCED"):
            return FencedError(
                f"wanted to write with epoch {self._epoch}, got epoch {text.split()[1]} "
                f"at {self._place}: another owner has taken over, stop this one"
            )
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return StoreError(
                f"wanted a certificate that is trusted from Redis at {self._place}, got one that "
                f"is not ({text}): set ssl_ca_certs in [store.options] to the file of its authority"
            )
        if isinstance(error, _LOST) and not isinstance(error, _REFUSED):
            return kind(
                f"wanted Redis at {self._place}, got no answer ({text}): start it, "
                "or correct the store's URL"
            )
        if "executing the script" in text or text.startswith("ACL failure"):
            error = failures.NoPermissionError(text)  # as redis-py names it outside a function
        remedy = next(remedy for type_, remedy in _REMEDIES if isinstance(error, type_))
        return kind(f"wanted Redis at {self._place} to answer, got {text!r}: {remedy}")


def _texts(numbers: list[int]) -> list[str]:
    """Return numbers as text; one call for all takes half the time of one for each."""
    return msgspec.json.encode(numbers).decode()[1:-1].split(",") if numbers else []


def _passes(error: Exception) -> bool:
    """Return whether a server that was there may take writes again by itself."""
    if isinstance(error, failures.OutOfMemoryError):
        return True
    lost = isinstance(error, _LOST) and not isinstance(error, _REFUSED)
    return lost or str(error).startswith(_FOR_NOW)


def _entry(key: str, row: Sequence[str | None]) -> Entry | None:
    """Return a hash's fields as an entry, None if the key is not there."""
    prediction, probabilities, lineage, sequence, topic, partition, offset, when = row
    if prediction is None:
        return None
    return Entry(
        key,
        prediction,
        probabilities or "",
        int(lineage or 0),
        int(sequence or 0),
        topic or "",
        int(partition or 0),
        int(offset or 0),
        int(when or 0),
    )
