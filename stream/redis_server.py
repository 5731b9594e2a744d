"""The Redis server that a URL means: one server, Sentinel's primary, or a node of a cluster."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import redis
from redis import exceptions as failures
from redis import sentinel
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from stream.errors import StoreError

Command = tuple[Any, ...]

_untyped: Any = redis  # the parts of redis-py whose signatures carry no types


class Server:
    """Finds the server that holds a service's keys, and talks to it.

    Parameters
    ----------
    url
        See `stream.store_redis.RedisStore`.
    key
        One of the service's keys; one hash tag puts all of them on one node of a cluster.
    options
        Parameters of redis-py's client.

    Raises
    ------
    StoreError
        The URL cannot be read, or an option is unknown.
    """

    def __init__(self, url: str, key: str, options: Mapping[str, Any]) -> None:
        known = {"retry": Retry(ExponentialWithJitterBackoff(base=0.01, cap=0.1), 1), **options}
        known["decode_responses"] = True
        self._key = key
        self._cluster: Any = None
        self._client: redis.Redis | None = None
        kind = url.partition(":")[0].partition("+")[2]
        try:
            parsed = urlsplit(url)
            for host, _ in _nodes(parsed) if parsed.hostname else ():
                host.encode("idna")  # as the socket will do, with an error of another kind
            if kind == "cluster":  # asked for its nodes at the first call, not here
                self._nodes, self._options = _nodes(parsed), _secrets(parsed, known)
                return
            self._client = (
                _sentinel(parsed, known)
                if kind == "sentinel"
                else redis.Redis.from_url(url, **known)
            )
            pool = self._client.connection_pool
            pool.connection_class(**pool.connection_kwargs)  # finds an unknown option now
        except ValueError:
            # No cause is chained: the parser's text can hold the password.
            raise StoreError(
                f"wanted a Redis URL, got one at {place(url)} that cannot be read: write "
                "redis://user:password@host:port/db with reserved characters percent-encoded"
            ) from None
        except (TypeError, failures.RedisError) as error:
            raise StoreError(
                f"wanted options of redis-py's client, got {', '.join(options) or 'none'} "
                f"({error}): correct the store's options"
            ) from error

    def execute(self, *command: Any) -> Any:
        """Send one command; return the reply."""
        client: Any = self._find()  # redis-py leaves `execute_command` untyped
        with _finding_primary():
            return client.execute_command(*command)

    def stream(self, commands: Callable[[], Iterable[Command]], at_once: int) -> list[Any]:
        """Send commands some at once, and the next while the server works on those.

        Return the replies or raise the first error; what follows it may have been carried out.
        A connection that breaks is made anew once, and all are sent again.
        """
        client: Any = self._find()  # redis-py leaves its pool untyped
        with _finding_primary():
            connection = client.connection_pool.get_connection()

        def attempt() -> list[Any]:
            replies: list[Any] = []
            sent = 0
            for some in _some(commands(), at_once):
                connection.send_packed_command(connection.pack_commands(some))
                replies += [connection.read_response() for _ in range(sent - len(replies))]
                sent += len(some)
            return replies + [connection.read_response() for _ in range(sent - len(replies))]

        try:
            return connection.retry.call_with_retry(  # type: ignore[no-any-return]  # the same
                attempt, lambda error: connection.disconnect()
            )
        except BaseException:
            # Replies that nobody read would be taken for those of the next commands.
            connection.disconnect()
            raise
        finally:
            client.connection_pool.release(connection)

    def _find(self) -> redis.Redis:
        """Return the client of the server that holds the key."""
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


def _some(commands: Iterable[Command], at_once: int) -> Iterator[list[Command]]:
    left = iter(commands)
    while some := list(itertools.islice(left, at_once)):
        yield some


def place(url: str) -> str:
    """Return the part of a URL that holds no secret, for messages."""
    scheme, _, rest = url.partition("://")
    hosts = rest.partition("?")[0].rpartition("@")[2]
    # An unescaped character before the @ moves it behind the hosts; then nothing is safe to show.
    stray = "@" in rest.partition("?")[2] or "@" in rest.partition("#")[2]
    return f"{scheme}://…" if stray else f"{scheme}://{hosts}"


@contextmanager
def _finding_primary() -> Iterator[None]:
    """Say of a primary that was not found what a person can read: redis-py shows its clients."""
    try:
        yield
    except sentinel.MasterNotFoundError as error:
        found, _, silent = str(error).partition(" : ")
        service = found.removeprefix("No master found for ")
        names = f"no Sentinel names a primary of {service}"
        raise failures.ConnectionError(
            f"{names}, and not all of them answer" if silent else names
        ) from error


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
