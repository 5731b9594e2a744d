"""The whole service against a broker and a Redis with TLS, passwords and least rights."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from stream.confluent_options import CONFLUENT, KAFKA_PYTHON, Client
from stream.errors import LogError
from stream.log_kafka import KafkaLog
from stream.store import Entry
from stream.store_redis import RedisStore
from tests.command import alluvia, records, refused
from tests.secure import PASSWORD, USER, Secured, secured

pytestmark = [pytest.mark.services, pytest.mark.slow]

WRONG = "wrong-battery-8"
NAMES = {KAFKA_PYTHON: "kafka-python", CONFLUENT: "confluent-kafka"}
DOCS = Path(__file__).parents[1] / "docs" / "redis.md"
RIGHTS = (
    ("TOPIC", "{}", "READ"),
    ("TOPIC", "{}", "WRITE"),
    ("TOPIC", "{}", "CREATE"),
    ("GROUP", "{}", "READ"),
    ("TRANSACTIONAL_ID", "alluvia-{}", "WRITE"),
    ("TRANSACTIONAL_ID", "alluvia-{}", "DESCRIBE"),
    ("TOPIC", "{}-dead", "WRITE"),
    ("TOPIC", "{}-dead", "CREATE"),
    ("TOPIC", "{}-dead", "READ"),
    ("TOPIC", "{}-predictions", "WRITE"),
    ("TOPIC", "{}-predictions", "CREATE"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secured")) as started:
        yield started


def documented(user: str, name: str) -> list[str]:
    """The rules that docs/redis.md gives a user, for the service of a name."""
    text = DOCS.read_text("utf-8").partition(f"ACL SETUSER {user} ")[2]
    first, *further = text.splitlines()
    more = itertools.takewhile(lambda line: line.startswith("    "), further)
    rules = " ".join([first, *more]).split()
    return [
        rule.replace("{fraud}", f"{{{name}}}").replace(">password", f">{PASSWORD}")
        for rule in rules
    ]


def allow(place: Secured, name: str, *without: str) -> None:
    """Give the user what docs/kafka.md lists, without the rights to some kinds of things."""
    rights = [right for right in RIGHTS if right[0] not in without]
    place.allow(*((kind, of.format(name), operation) for kind, of, operation in rights))


def give(place: Secured, user: str, name: str, *further: str) -> None:
    with place.redis_admin() as admin:
        admin.execute_command("ACL", "SETUSER", user, "reset", *documented(user, name), *further)


def exercise(place: Secured, name: str) -> None:
    """Write and remove as a model does that gives no probabilities and meets a removed key."""
    url = f"rediss://{USER}:{PASSWORD}@{place.redis}/0"
    options = {"ssl_ca_certs": place.authority()}
    with closing(RedisStore(url, name, 60_000, options)) as store:
        store.claim(1_000)
        assert store.put([Entry("plain", "1.5", "", 9, 1, "t", 0, 0, 0)]) == 1
        assert store.put([Entry("plain", "", "", 9, 2, "t", 0, 1, 0)]) == 1
        assert store.get(["plain"]) == [None]


def written(
    folder: Path,
    place: Secured,
    name: str,
    mechanism: str = "SCRAM-SHA-512",
    kafka: tuple[str, str] = (PASSWORD, "ca"),
    store: tuple[str, str] = (PASSWORD, "ca"),
    client: Client = KAFKA_PYTHON,
) -> Path:
    """Write the file of a service; passwords and authorities are those of log and store."""
    path = folder / "secure.toml"
    path.write_text(
        f"""
name = "{name}"
task = "classification"
[log]
kind = "kafka"
servers = "{place.kafka}"
client = "{client}"
[log.options]
security_protocol = "SASL_SSL"
sasl_mechanism = "{mechanism}"
sasl_plain_username = "{USER}"
sasl_plain_password = "{kafka[0]}"
ssl_cafile = "{place.authority(kafka[1])}"
[record]
key = "id"
label = "label"
[model]
pipeline = ["river.preprocessing.StandardScaler", "river.naive_bayes.GaussianNB"]
[dead]
topic = "{name}-dead"
[predictions]
topic = "{name}-predictions"
[store]
kind = "redis"
url = "rediss://{USER}:{store[0]}@{place.redis}/0"
[store.options]
ssl_ca_certs = "{place.authority(store[1])}"
""",
        "utf-8",
    )
    return path


def fed(folder: Path, place: Secured, name: str, client: Client = KAFKA_PYTHON) -> Path:
    """Give the user the rights of a service and feed it, one record of 121 being malformed."""
    allow(place, name)
    give(place, USER, name)
    config = written(folder, place, name, client=client)
    (folder / "rows.jsonl").write_text(records(120) + "not json\n", "utf-8")
    alluvia(folder, "feed", config.name, "rows.jsonl")
    return config


def test_a_service_runs_on_tls_with_no_more_rights_than_documented(
    place: Secured, tmp_path: Path, topic_name: str, client: Client
) -> None:
    config = fed(tmp_path, place, topic_name, client)
    assert f"read with {NAMES[client]}" in alluvia(tmp_path, "check", config.name)
    assert "learned 120, dead letters 1" in alluvia(tmp_path, "run", config.name, "--until-end")
    written(tmp_path, place, topic_name, "PLAIN", client=client)
    assert "offset 120: " in alluvia(tmp_path, "check", config.name)
    found = json.loads(alluvia(tmp_path, "lookup", config.name, "k7"))
    assert found["prediction"] in ("a", "b")
    dead = alluvia(tmp_path, "dead", config.name)
    assert len(dead.splitlines()) == 1
    exercise(place, topic_name)
    give(place, "reader", topic_name)
    url = f"rediss://reader:{PASSWORD}@{place.redis}/0"
    reader: Any
    with closing(redis.Redis.from_url(url, ssl_ca_certs=place.authority())) as reader:
        key = f"alluvia:{{{topic_name}}}:prediction:k7"
        assert b"prediction" in reader.hgetall(key)
        for command in (
            ("HSET", key, "prediction", "x"),
            ("GET", f"alluvia:{{{topic_name}}}:owner"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                reader.execute_command(*command)


@pytest.mark.parametrize(
    ("kafka", "store", "mechanism", "said"),
    [
        ((WRONG, "ca"), (PASSWORD, "ca"), "SCRAM-SHA-512", "sasl_plain_password in [log.options]"),
        ((WRONG, "ca"), (PASSWORD, "ca"), "PLAIN", "sasl_plain_password in [log.options]"),
        ((PASSWORD, "ca"), (PASSWORD, "ca"), "SCRAM-SHA-256", "check sasl_mechanism"),
        ((PASSWORD, "stranger"), (PASSWORD, "ca"), "PLAIN", "set ssl_cafile in [log.options]"),
        (
            (PASSWORD, "ca"),
            (WRONG, "ca"),
            "PLAIN",
            "check the user and password in the store's URL",
        ),
        ((PASSWORD, "ca"), (PASSWORD, "stranger"), "PLAIN", "set ssl_ca_certs in [store.options]"),
    ],
)
@pytest.mark.usefixtures("handlers")
def test_who_cannot_be_known_or_trusted_is_refused_in_a_sentence(
    place: Secured,
    tmp_path: Path,
    topic_name: str,
    capsys: pytest.CaptureFixture[str],
    kafka: tuple[str, str],
    store: tuple[str, str],
    mechanism: str,
    said: str,
) -> None:
    place.make_topic(topic_name)
    allow(place, topic_name)
    give(place, USER, topic_name)
    config = written(tmp_path, place, topic_name, mechanism, kafka, store)
    sentence = refused(capsys, "run", str(config), "--until-end")
    assert said in sentence
    assert not any(secret in sentence for secret in (WRONG, PASSWORD))


@pytest.mark.usefixtures("handlers")
def test_a_right_that_redis_does_not_give_is_told(
    place: Secured, tmp_path: Path, topic_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(fed(tmp_path, place, topic_name))
    for right in ("fcall", "function|load", "set", "hset"):
        with place.redis_admin() as admin:
            admin.execute_command("FUNCTION", "FLUSH")
        give(place, USER, topic_name, f"-{right}")
        sentence = refused(capsys, "run", config, "--until-end")
        assert "give the ACL user the commands listed in docs/redis.md" in sentence, right
        assert PASSWORD not in sentence


@pytest.mark.parametrize(
    ("kind", "said"),
    [("GROUP", "rights listed in docs/kafka.md"), ("TRANSACTIONAL_ID", "may it do so")],
)
@pytest.mark.usefixtures("handlers")
def test_a_right_that_kafka_does_not_give_is_told(
    place: Secured,
    tmp_path: Path,
    topic_name: str,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    said: str,
) -> None:
    place.make_topic(topic_name)
    allow(place, topic_name, kind)
    give(place, USER, topic_name)
    config = str(written(tmp_path, place, topic_name))
    assert said in refused(capsys, "run", config, "--until-end")


def test_who_may_see_a_topic_and_not_read_it_is_told(
    place: Secured, topic_name: str, client: Client
) -> None:
    place.make_topic(topic_name)
    place.allow(("TOPIC", topic_name, "DESCRIBE"))
    options = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": USER,
        "sasl_plain_password": PASSWORD,
        "ssl_cafile": place.authority(),
    }
    with closing(KafkaLog(place.kafka, topic_name, None, options, client=client)) as log:
        log.acquire(10)
        log.seek({0: 0})
        with pytest.raises(LogError, match=r"rights listed in docs/kafka\.md"):
            log.poll(1, 20)
