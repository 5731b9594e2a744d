"""The store in Redis: one server, Sentinel or Cluster."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
import redis
from redis import exceptions as failures
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from stream.errors import FencedError, StoreError
from stream.store import Entry

T = TypeVar("T")
_untyped: Any = redis  # the parts of redis-py whose signatures carry no types

_CHUNK = 48  # keys in a guarded call: 0.4 ms of the server's time, so that nobody waits 1 ms
_FIELDS = Entry._fields[1:]
_SOURCE = resources.files(__package__).joinpath("upsert.lua").read_text("utf-8")
_VERSION = hashlib.sha256(_SOURCE.encode()).hexdigest()[:12]
_LIBRARY = _SOURCE.replace("@VERSION@", _VERSION)
_CLAIM, _PUT = f"alluvia_claim_{_VERSION}", f"alluvia_put_{_VERSION}"

_REFUSED = (failures.AuthenticationError, failures.AuthorizationError)
_PASSING = (
    failures.ConnectionError,
    failures.TimeoutError,
    failures.ClusterDownError,
    failures.TryAgainError,
    failures.AskError,
    failures.RedisClusterException,
)
_REMEDIES: tuple[tuple[type[failures.RedisError], str], ...] = (
    (failures.AuthenticationError, "check the user and password in the store's URL"),
    (failures.NoPermissionError, "give the ACL user the commands listed in docs/redis.md"),
    (failures.OutOfMemoryError, "raise Redis' maxmemory, set a ttl, or free keys, then go on"),
    (failures.ReadOnlyError, "name the primary in the URL, or let Sentinel find it"),
    (failures.RedisError, "see docs/redis.md for what the server must offer"),
)

_logger = logging.getLogger(__name__)


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
    patience
        Seconds for which a write waits for a server that was lost after it had been reached.

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
        patience: float = 120.0,
    ) -> None:
        if not name or set(name) & set("{}"):
            raise StoreError(f"wanted a name without braces, got {name!r}: rename the service")
        self._owner = f"alluvia:{{{name}}}:owner"
        self._prefix = f"alluvia:{{{name}}}:prediction:"
        self._ttl = ttl_ms or 0
        self._patience = patience
        self._place = _place(url)
        self._server = _Server(url, self._place, self._owner, options or {})
        self._encode = msgspec.msgpack.Encoder().encode
        self._epoch: int | None = None
        self._reached = False

    def claim(self, epoch: int) -> None:
        """Become the owner; see `Store.claim`. The same epoch may be claimed again."""
        self._epoch = epoch
        self._call([(_CLAIM, 1, self._owner, epoch)])

    def put(self, entries: Sequence[Entry]) -> int:
        """Write newer entries; see `Store.put`.

        Sequences and offsets are exact below 2**53. An entry whose write was repeated because
        the connection broke is counted only if the first attempt did not land.
        """
        if self._epoch is None:
            raise StoreError("wanted a claimed store, got a put before it: call claim(epoch) first")
        prefix, encode, head = self._prefix, self._encode, (self._epoch, self._ttl)
        calls: list[tuple[Any, ...]] = []
        for start in range(0, max(len(entries), 1), _CHUNK):  # none still meets the guard
            part = entries[start : start + _CHUNK]
            keys = [prefix + entry[0] for entry in part]
            calls.append((_PUT, len(keys) + 1, self._owner, *keys, encode((*head, part))))
        return sum(self._call(calls))

    def get(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return stored entries; see `Store.get`. A lost server is an error at once."""
        commands = [("HMGET", self._prefix + key, *_FIELDS) for key in keys]
        rows = self._attempt(lambda: self._server.pipeline(commands))
        return [_entry(key, row) for key, row in zip(keys, rows, strict=True)]

    def close(self) -> None:
        """Let go of connections."""
        self._server.close()

    def _call(self, calls: Sequence[tuple[Any, ...]]) -> list[int]:
        """Call functions of the library, which is loaded if the server lacks it."""
        commands = [("FCALL", *call) for call in calls]

        def attempt() -> list[int]:
            try:
                return self._server.pipeline(commands)
            except failures.ResponseError as error:
                if "Function not found" not in str(error):
                    raise
            self._server.pipeline([("FUNCTION", "LOAD", "REPLACE", _LIBRARY)])
            return self._server.pipeline(commands)

        return self._attempt(attempt, self._patience if self._reached else 0.0)

    def _attempt(self, task: Callable[[], T], patience: float = 0.0) -> T:
        """Run a task until it ends, or for `patience` seconds while the server is lost."""
        deadline = time.monotonic() + patience
        pause = 0.05
        while True:
            try:
                result = task()
                self._reached = True
                return result
            except _PASSING as error:
                self._server.lost()
                if isinstance(error, _REFUSED) or time.monotonic() + pause > deadline:
                    raise self._failure(error) from error
                if pause == 0.05:
                    _logger.warning("Lost Redis at %s, waiting for it: %s", self._place, error)
            except failures.RedisError as error:
                raise self._failure(error) from error
            time.sleep(pause)
            pause = min(pause * 2, 2.0)

    def _failure(self, error: Exception) -> StoreError | FencedError:
        text = str(error).rstrip(".")
        if text.startswith("FENCED"):
            return FencedError(
                f"wanted to write with epoch {self._epoch}, got epoch {text.split()[1]} "
                f"at {self._place}: another owner has taken over, stop this one"
            )
        if isinstance(error, _PASSING) and not isinstance(error, _REFUSED):
            return StoreError(
                f"wanted Redis at {self._place}, got no answer ({text}): start it, "
                "or correct the store's URL"
            )
        if "executing the script" in text or text.startswith("ACL failure"):
            error = failures.NoPermissionError(text)  # as redis-py names it outside a function
        remedy = next(remedy for kind, remedy in _REMEDIES if isinstance(error, kind))
        return StoreError(f"wanted Redis at {self._place} to answer, got {text!r}: {remedy}")


class _Server:
    """Finds the server that holds the service's keys, and talks to it."""

    def __init__(self, url: str, place: str, key: str, options: Mapping[str, Any]) -> None:
        known = {"retry": Retry(ExponentialWithJitterBackoff(base=0.01, cap=0.1), 1), **options}
        known["decode_responses"] = True
        self._key = key
        self._cluster: Any = None
        self._client: redis.Redis | None = None
        try:
            self._nodes, self._options = [], known
            scheme = url.partition(":")[0]
            if scheme.endswith("+sentinel"):
                self._client = _sentinel(urlsplit(url), known)
            elif scheme.endswith("+cluster"):
                self._nodes, self._options = _nodes(urlsplit(url)), _secrets(urlsplit(url), known)
            else:
                self._client = redis.Redis.from_url(url, **known)
            if self._client is not None:  # an unknown option is found now, not at the first call
                pool = self._client.connection_pool
                pool.connection_class(**pool.connection_kwargs)
        except (ValueError, IndexError):
            # No cause is chained: the parser's text can hold the password.
            raise StoreError(
                f"wanted a Redis URL, got one at {place} that cannot be read: write "
                "redis://user:password@host:port/db with reserved characters percent-encoded"
            ) from None
        except (TypeError, failures.RedisError) as error:
            raise StoreError(
                f"wanted options of redis-py's client, got {', '.join(options) or 'none'} "
                f"({error}): correct the store's options"
            ) from error

    def pipeline(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands in one round trip; return the replies or raise the first error."""
        client: Any = self._find()  # redis-py leaves `execute_command` untyped
        with client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            replies: list[Any] = pipe.execute(raise_on_error=False)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    def _find(self) -> redis.Redis:
        """Return the client of the server that holds the key; one hash tag means one server."""
        if self._client is not None:
            return self._client
        cluster = self._cluster
        if cluster is None:
            nodes = [_untyped.cluster.ClusterNode(*node) for node in self._nodes]
            cluster = _untyped.RedisCluster(startup_nodes=nodes, **self._options)
            self._cluster = cluster
        client: redis.Redis = cluster.get_redis_connection(cluster.get_node_from_key(self._key))
        return client

    def lost(self) -> None:
        """Forget which server holds the key, so that it is looked for again."""
        self._cluster = None

    def close(self) -> None:
        """Let go of connections."""
        for client in (self._client, self._cluster):
            if client is not None:
                client.close()


def _place(url: str) -> str:
    """Return the part of a URL that holds no secret, for messages."""
    scheme, _, rest = url.partition("://")
    hosts = rest.partition("?")[0].rpartition("@")[2]
    # An unescaped character before the @ moves it behind the hosts; then nothing is safe to show.
    stray = "@" in rest.partition("?")[2] or "@" in rest.partition("#")[2]
    return f"{scheme}://…" if stray else f"{scheme}://{hosts}"


def _secrets(url: SplitResult, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a client's options with what the URL says about user, password and TLS."""
    found: dict[str, Any] = dict(options)
    if url.username:
        found["username"] = unquote(url.username)
    if url.password:
        found["password"] = unquote(url.password)
    if url.scheme.startswith("rediss"):
        found["ssl"] = True
    return found


def _nodes(url: SplitResult, port: int = 6379) -> list[tuple[str, int]]:
    parts = [urlsplit(f"//{host}") for host in url.netloc.rpartition("@")[2].split(",")]
    if not all(part.hostname for part in parts):
        raise ValueError("a host is missing")
    return [(part.hostname or "", part.port or port) for part in parts]


def _sentinel(url: SplitResult, options: Mapping[str, Any]) -> redis.Redis:
    service, _, db = url.path.strip("/").partition("/")
    if not service:
        raise ValueError("the service's name is missing")
    known = _secrets(url, options)
    around = {"ssl": "ssl" in known, **known.pop("sentinel_kwargs", {})}
    sentinel = _untyped.Sentinel(_nodes(url, 26379), sentinel_kwargs=around)
    client: redis.Redis = sentinel.master_for(service, db=int(db or 0), **known)
    return client


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
