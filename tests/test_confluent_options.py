"""Which client fetches, and what librdkafka is told for kafka-python's options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from kafka import KafkaConsumer

from stream import confluent_options
from stream.confluent_options import CONFLUENT, KAFKA_PYTHON, chosen, translated
from stream.errors import LogError
from stream.kafka_client import OURS
from stream.log_kafka import CONSUMER_DEFAULTS

LACKING = {
    "proxy_url",
    "sasl_kerberos_domain_name",
    "sasl_kerberos_name",
    "sasl_kerberos_service_name",
    "sasl_oauth_token_provider",
    "socks5_proxy",
    "ssl_context",
}
SECURE = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_plain_username": "alluvia",
    "sasl_plain_password": "secret",
    "ssl_check_hostname": False,
    "ssl_ciphers": "ECDHE-RSA-AES256-GCM-SHA384",
    "ssl_password": "secret",
    "client_id": "me",
    "client_rack": "here",
    "client_dns_lookup": "use_all_dns_ips",
    "connections_max_idle_ms": 60_000,
    "fetch_max_bytes": 8 * 1024 * 1024,
    "fetch_min_bytes": 1,
    "receive_message_max_bytes": 10_000_000,
    "reconnect_backoff_ms": 50,
    "request_timeout_ms": 20_000,
    "receive_buffer_bytes": 65_536,
    "send_buffer_bytes": 65_536,
}
FILES = {
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_crlfile": "ssl.crl.location",
    "ssl_keyfile": "ssl.key.location",
}


@pytest.fixture
def lonely(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without confluent-kafka."""
    monkeypatch.setattr(confluent_options, "_installed", lambda: False)


def test_every_option_of_a_consumer_is_translated_or_stands_in_the_way_by_name() -> None:
    hindering = {
        name
        for name in set(KafkaConsumer.DEFAULT_CONFIG) - OURS
        if name in chosen("auto", {name: None}).why
    }
    assert hindering == LACKING


def test_librdkafka_knows_every_name_that_is_translated(tmp_path: Path) -> None:
    asked = CONSUMER_DEFAULTS | SECURE
    settings = translated(asked)
    assert len(settings) == len(asked) - 1  # all but max_poll_records
    consumer = confluent_kafka.Consumer({"group.id": "g", "log_level": 0, **settings})
    consumer.close()
    for name, named in FILES.items():
        # It takes them for files, and there are none.
        with pytest.raises(confluent_kafka.KafkaException, match=named):
            settings = translated({"security_protocol": "SSL", name: str(tmp_path / "none")})
            confluent_kafka.Consumer({"group.id": "g", "log_level": 0, **settings})


def test_every_option_is_seen_to() -> None:
    every = {name: None for name in KafkaConsumer.DEFAULT_CONFIG}
    assert {*SECURE, *FILES, *CONSUMER_DEFAULTS} >= {
        name for name in every if translated({name: "x"})
    }


@pytest.mark.parametrize(
    "options",
    [{}, {"group_instance_id": "a", "session_timeout_ms": 6_000, "linger_ms": 5}, SECURE],
)
def test_the_quick_client_is_taken_where_it_can_be(options: dict[str, Any]) -> None:
    assert chosen("auto", options) == (CONFLUENT, "")
    assert chosen(CONFLUENT, options) == (CONFLUENT, "")
    assert chosen(KAFKA_PYTHON, options) == (KAFKA_PYTHON, "")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"socks5_proxy": "socks5://proxy:1080"}, "the option socks5_proxy"),
        ({"sasl_mechanism": "GSSAPI"}, "the sasl_mechanism GSSAPI"),
    ],
)
def test_else_it_is_said_why_not(options: dict[str, Any], why: str) -> None:
    client, said = chosen("auto", options)
    assert client == KAFKA_PYTHON
    assert why in said
    with pytest.raises(LogError, match=f'got {why}.*client = "kafka-python"'):
        chosen(CONFLUENT, options)


@pytest.mark.usefixtures("lonely")
def test_without_it_the_other_one_reads() -> None:
    client, said = chosen("auto", {})
    assert client == KAFKA_PYTHON
    assert "pip install confluent-kafka" in said
    with pytest.raises(LogError, match="pip install"):
        chosen(CONFLUENT, {})
