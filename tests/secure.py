"""A real broker and a real Redis that speak TLS and ask for a password.

Their certificates are made here. Both have a plain port too, whose nameless user may do anything:
tests give rights through it.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    NewTopic,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from redis import Redis

from tests.services import held

BROKER = """
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller,SASL_SSL://127.0.0.1:{port}
advertised.listeners=PLAINTEXT://127.0.0.1:$port,SASL_SSL://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\\
    org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=\\
    org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
REDIS = """
tls-port {port}
tls-cert-file {folder}/server.pem
tls-key-file {folder}/server.pem
tls-ca-cert-file {folder}/ca.pem
tls-auth-clients no
"""
USER, PASSWORD = "alluvia", "correct-horse-7"


@dataclass(frozen=True)
class Secured:
    """Where the services are.

    Attributes
    ----------
    folder
        Has `ca.pem`, which signed the servers' certificates, and `stranger.pem`, which did not.
    kafka, redis
        Addresses, host and port, of the ports with TLS.
    plain_kafka, plain_redis
        Addresses of the plain ports.
    """

    folder: Path
    kafka: str
    redis: str
    plain_kafka: str
    plain_redis: str

    def authority(self, name: str = "ca") -> str:
        """Return the file of a certificate authority."""
        return str(self.folder / f"{name}.pem")

    @contextmanager
    def redis_admin(self) -> Iterator[Any]:
        """Talk to Redis as who may do anything."""
        with closing(Redis.from_url(self.plain_redis, decode_responses=True)) as client:
            yield client

    @contextmanager
    def kafka_admin(self) -> Iterator[KafkaAdminClient]:
        """Talk to the broker as who may do anything."""
        with closing(KafkaAdminClient(bootstrap_servers=self.plain_kafka)) as client:
            yield client

    def make_topic(self, name: str) -> None:
        """Make a topic of one partition."""
        with self.kafka_admin() as admin:
            admin.create_topics([NewTopic(name, 1, 1)])

    def allow(self, *rights: tuple[str, str, str]) -> None:
        """Give the user rights on the broker, each a resource's type, its name and what for."""
        acls = [
            ACL(
                f"User:{USER}",
                "*",
                ACLOperation[operation],
                ACLPermissionType.ALLOW,
                ResourcePattern(ResourceType[kind], name),
            )
            for kind, name, operation in rights
        ]
        with self.kafka_admin() as admin:
            assert not admin.create_acls(acls)["failed"]


@contextmanager
def secured(folder: Path) -> Iterator[Secured]:
    """Start both services, and stop them at the end."""
    make_certificates(folder)
    broker_port, redis_port = free_ports(2)
    texts = {
        "broker.properties": BROKER.format(
            port=broker_port, folder=folder, user=USER, password=PASSWORD
        ),
        "redis.conf": REDIS.format(port=redis_port, folder=folder),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    files = ("--kafka", str(folder / "broker.properties"), "--redis", str(folder / "redis.conf"))
    with held(folder / "services", *files) as services:
        found = Secured(
            folder,
            f"127.0.0.1:{broker_port}",
            f"127.0.0.1:{redis_port}",
            services["kafka"]["servers"],
            services["redis"]["url"],
        )
        with found.kafka_admin() as admin:
            mechanism = ScramMechanism.SCRAM_SHA_512
            admin.alter_user_scram_credentials(
                [UserScramCredentialUpsertion(USER, mechanism, PASSWORD.encode())]
            )
        yield found


def free_ports(count: int) -> list[int]:
    """Return ports that were free at once, hence differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def make_certificates(folder: Path) -> None:
    """Make an authority, a stranger, and a certificate of the first for 127.0.0.1 with its key."""
    for name in ("ca", "stranger"):
        openssl(
            folder,
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"),
        )
    openssl(
        folder,
        *("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server"),
        *("-keyout", "server.key", "-out", "server.csr"),
    )
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\n", "utf-8")
    openssl(
        folder,
        *("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-days", "2", "-extfile", "server.ext", "-out", "server.crt"),
    )
    both = [(folder / f"server.{part}").read_text("utf-8") for part in ("key", "crt")]
    (folder / "server.pem").write_text("".join(both), "utf-8")


def openssl(folder: Path, *arguments: str) -> None:
    """Run openssl in a folder."""
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
