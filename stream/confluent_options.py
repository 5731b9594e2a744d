"""Which client fetches from Kafka, and kafka-python's options in librdkafka's words."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from kafka import KafkaConsumer

from stream.errors import LogError

Client = Literal["kafka-python", "confluent"]

KAFKA_PYTHON: Client = "kafka-python"
CONFLUENT: Client = "confluent"
CLIENTS = (KAFKA_PYTHON, CONFLUENT)

_SAME = {
    "check_crcs",
    "client_dns_lookup",
    "client_id",
    "client_rack",
    "connections_max_idle_ms",
    "fetch_max_bytes",
    "fetch_min_bytes",
    "isolation_level",
    "max_partition_fetch_bytes",
    "metadata_max_age_ms",
    "receive_message_max_bytes",
    "reconnect_backoff_max_ms",
    "reconnect_backoff_ms",
    "sasl_mechanism",
    "security_protocol",
}
_NAMES = {name: name.replace("_", ".") for name in _SAME} | {
    "fetch_max_wait_ms": "fetch.wait.max.ms",
    "receive_buffer_bytes": "socket.receive.buffer.bytes",
    "request_timeout_ms": "socket.timeout.ms",
    "sasl_plain_password": "sasl.password",
    "sasl_plain_username": "sasl.username",
    "send_buffer_bytes": "socket.send.buffer.bytes",
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_check_hostname": "ssl.endpoint.identification.algorithm",
    "ssl_ciphers": "ssl.cipher.suites",
    "ssl_crlfile": "ssl.crl.location",
    "ssl_keyfile": "ssl.key.location",
    "ssl_password": "ssl.key.password",
}
# Of what fetches nothing: of the group, of producers, of how kafka-python itself goes about it.
_ELSEWHERE = {
    "api_version",
    "auto_commit_interval_ms",
    "bootstrap_timeout_ms",
    "consumer_timeout_ms",
    "default_offset_commit_callback",
    "enable_incremental_fetch_sessions",
    "exclude_internal_topics",
    "group_instance_id",
    "heartbeat_interval_ms",
    "max_in_flight_requests_per_connection",
    "max_poll_interval_ms",
    "max_poll_records",
    "metric_group_prefix",
    "metric_reporters",
    "metrics_enabled",
    "metrics_num_samples",
    "metrics_sample_window_ms",
    "retry_backoff_ms",
    "selector",
    "session_timeout_ms",
    "socket_options",
}
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class Choice(NamedTuple):
    """The client that fetches, and why it is not the quick one; nothing if it is, or was named."""

    client: Client
    why: str = ""


def chosen(asked: Literal["auto"] | Client, options: Mapping[str, Any]) -> Choice:
    """Return the client that a configuration means: confluent-kafka where it can be.

    Raises
    ------
    LogError
        It is confluent-kafka, which is not installed or has no such option.
    """
    if asked == KAFKA_PYTHON:
        return Choice(KAFKA_PYTHON)
    reason = _hindrance(options)
    if reason is None:
        return Choice(CONFLUENT)
    if asked == "auto":
        return Choice(KAFKA_PYTHON, reason)
    raise LogError(
        f"wanted confluent-kafka to read with ([log] client), got {reason}: "
        'mend that, or set client = "kafka-python"'
    )


def translated(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a consumer of librdkafka is told for kafka-python's options.

    Examples
    --------
    >>> translated({"ssl_cafile": "ca.pem", "ssl_check_hostname": False, "linger_ms": 5})
    {'ssl.ca.location': 'ca.pem', 'ssl.endpoint.identification.algorithm': 'none'}
    """
    found = {_NAMES[name]: value for name, value in options.items() if name in _NAMES}
    checked = found.get(_NAMES["ssl_check_hostname"])
    if checked is not None:
        found[_NAMES["ssl_check_hostname"]] = "https" if checked else "none"
    return {name: value for name, value in found.items() if value is not None}


def _hindrance(options: Mapping[str, Any]) -> str | None:
    """Return why confluent-kafka cannot read, None if it can."""
    if not _installed():
        return "a Python without it (pip install confluent-kafka)"
    for name in options:
        # Others are misspelt, and refused elsewhere, or for producers.
        if name in KafkaConsumer.DEFAULT_CONFIG and name not in _NAMES and name not in _ELSEWHERE:
            return f"the option {name}, which it does not have"
    mechanism = options.get("sasl_mechanism")
    if mechanism is not None and mechanism not in _MECHANISMS:
        return f"the sasl_mechanism {mechanism}, for which it needs more than options"
    return None


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("confluent_kafka") is not None
