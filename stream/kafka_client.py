"""Connecting to Kafka: client options checked by name and type, and errors in one sentence."""

from __future__ import annotations

import contextlib
import difflib
import functools
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from stream.errors import LogError, UnavailableError

BOOTSTRAP_MS = 8_000
RETRY_SECONDS = 0.2
CUT_OFF = 3

_CLIENTS = (KafkaConsumer, KafkaProducer, KafkaAdminClient)
_KNOWN: dict[str, Any] = {k: v for client in _CLIENTS for k, v in client.DEFAULT_CONFIG.items()}
# What the log itself decides: another value would break a promise of the `Log` protocol.
OURS = frozenset(
    {
        "bootstrap_servers",
        "group_id",
        "enable_auto_commit",
        "auto_offset_reset",
        "allow_auto_create_topics",
        "partition_assignment_strategy",
        "key_deserializer",
        "value_deserializer",
        "key_serializer",
        "value_serializer",
        "acks",
        "enable_idempotence",
        "transactional_id",
        "kafka_client",
    }
)

_UNTRUSTED = ssl.SSLCertVerificationError
_UNKNOWN_USER = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError)


class _Manager(KafkaConnectionManager):  # type: ignore[misc]
    """Ends the first connecting at once where to try again is of no use.

    kafka-python would try until its time is up, and then say no more than that.
    """

    connecting = True
    _refusal: BaseException | None = None
    _cut_off = 0

    def get_connection(self, node_id: Any, *arguments: Any, **named: Any) -> Any:
        if self.connecting and self._refusal is not None:
            raise self._refusal
        connection = super().get_connection(node_id, *arguments, **named)
        if self.connecting:
            connection.init_future.add_errback(functools.partial(self._note, connection))
        return connection

    def _note(self, connection: Any, error: BaseException) -> None:
        reason: BaseException | None = error
        while reason is not None and not isinstance(reason, (_UNTRUSTED, *_UNKNOWN_USER)):
            reason = reason.__cause__ or reason.__context__
        # A broker hangs up on who it does not know, and what it says before is mostly lost.
        if self.config["sasl_mechanism"] and connection.broker_version_data is not None:
            self._cut_off += 1
            if self._cut_off == CUT_OFF:
                reason = reason or SaslAuthenticationFailedError("cut off at the login")
        self._refusal = reason


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return kafka-python's options, each known by name and of its default's type.

    One mapping serves consumer, producer and admin client: each takes what it knows.

    Raises
    ------
    LogError
        An option is unknown, set by Alluvia itself, or of another type.

    Examples
    --------
    >>> checked({"session_timeout_ms": 6000})
    {'session_timeout_ms': 6000}
    """
    for name, value in options.items():
        if name in OURS:
            raise LogError(f"wanted Kafka options to choose, got {name}: Alluvia sets it, drop it")
        if name not in _KNOWN:
            near = difflib.get_close_matches(name, _KNOWN, 1)
            hint = f"did you mean {near[0]!r}?" if near else "leave it out"
            raise LogError(f"wanted an option of kafka-python's clients, got {name!r}: {hint}")
        default = _KNOWN[name]
        if isinstance(default, bool | int | str) and type(value) is not type(default):
            raise LogError(
                f"wanted {name} as {type(default).__name__}, got {value!r}: "
                f"the default is {default!r}"
            )
    # A TOML array is the only way to write a version there; the client wants a tuple.
    return {k: tuple(v) if k == "api_version" else v for k, v in options.items()}


def unreachable(servers: str) -> UnavailableError:
    """Return the error for a broker that does not answer."""
    return UnavailableError(
        f"wanted a Kafka broker at {servers}, got no answer: start it or set [log] servers "
        "(and [log.options] if it asks for TLS or a password)"
    )


def _reach(servers: str, seconds: float) -> None:
    """Wait until one of the servers takes a connection.

    kafka-python would leave the socket of every refused attempt to the garbage collector.
    """
    deadline = time.monotonic() + seconds
    while True:
        for server in servers.split(","):
            host, _, port = server.strip().rpartition(":")
            if not port.isdecimal() or not host:
                raise LogError(f"wanted [log] servers as host:port, got {server!r}: write both")
            left = max(deadline - time.monotonic(), 0.1)
            # No such host; or not even a host's name, which is no OSError.
            with contextlib.suppress(OSError, UnicodeError):
                socket.create_connection((host.strip("[]"), int(port)), left).close()
                return
        if time.monotonic() > deadline:
            raise unreachable(servers)
        time.sleep(RETRY_SECONDS)


def _refusal(error: Exception, servers: str) -> LogError | None:
    """Return why a client could not be made, None if that is no matter of Kafka's."""
    if isinstance(error, KafkaTimeoutError):
        return unreachable(servers)
    if isinstance(error, _UNTRUSTED):
        return LogError(
            f"wanted a certificate that is trusted from Kafka at {servers}, got one that is "
            f"not ({error.verify_message}): set ssl_cafile in [log.options] to the file of its "
            "authority"
        )
    if isinstance(error, _UNKNOWN_USER):
        return LogError(
            f"wanted Kafka at {servers} to know the user, got {error}: check sasl_mechanism, "
            "sasl_plain_username and sasl_plain_password in [log.options]"
        )
    if isinstance(error, KafkaError | ValueError | TypeError | OSError | AssertionError):
        return LogError(f"wanted to connect to Kafka at {servers}, got {error}: check [log]")
    return None


def connect(
    client: type[Any],
    servers: str,
    options: Mapping[str, Any],
    defaults: Mapping[str, Any],
    fixed: Mapping[str, Any],
) -> tuple[Any, KafkaNetClient]:
    """Return a connected client with its network side.

    `options` win over `defaults`, `fixed` over both; `options` that this kind of client does not
    know are left out.

    Raises
    ------
    LogError
        No broker answers within 8 s, or the options contradict each other.
    """
    networks: list[KafkaNetClient] = []

    def network(**configs: Any) -> KafkaNetClient:
        selector = NetworkSelector(**configs)
        networks.append(KafkaNetClient(selector, _Manager(selector, **configs), **configs))
        return networks[0]

    mine = {k: v for k, v in checked(options).items() if k in client.DEFAULT_CONFIG}
    if fixed.get("group_id", "") is None:
        mine.pop("group_instance_id", None)  # who is in no group has no name there
    settings = {"bootstrap_timeout_ms": BOOTSTRAP_MS, **defaults, **mine, **fixed}
    if not settings.get("proxy_url"):
        _reach(servers, settings["bootstrap_timeout_ms"] / 1000)
    try:
        connected = client(bootstrap_servers=servers.split(","), kafka_client=network, **settings)
    except Exception as error:
        # kafka-python keeps its thread and sockets when its constructor raises.
        for each in networks:
            each.close()
        refusal = _refusal(error, servers)
        if refusal is None:
            raise
        raise refusal from error
    networks[0]._manager.connecting = False
    return connected, networks[0]
