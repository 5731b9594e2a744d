"""Real services for the tests that ask for them, started once for the whole run."""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from stream import waiting
from stream.confluent_options import CLIENTS, Client
from tests.command import CONFIG
from tests.lives import World, world_of
from tests.services import held

# A shared or slow machine must not fail a property for the time it took.
settings.register_profile("alluvia", deadline=None)
settings.load_profile("alluvia")


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Addresses and pids of a Kafka broker and a Redis that belong to this run alone."""
    with held(tmp_path_factory.mktemp("services")) as addresses:
        yield addresses


@pytest.fixture(scope="session")
def kafka_servers(services: dict[str, Any]) -> str:
    """Address of the broker."""
    return str(services["kafka"]["servers"])


@pytest.fixture(scope="session")
def redis_url(services: dict[str, Any]) -> str:
    """Address of the Redis."""
    return str(services["redis"]["url"])


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    """What fetches from Kafka: each of the two that there are."""
    found: Client = request.param
    return found


@pytest.fixture
def topic_name() -> str:
    """Name of a topic, a group or a service that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.services)])
def world(request: pytest.FixtureRequest, tmp_path: Path, topic_name: str) -> Iterator[World]:
    """The folder of a service and its topics, on either log."""
    with contextlib.closing(world_of(request, tmp_path, topic_name)) as made:
        yield made


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The file of a small embedded service, for the command."""
    path = tmp_path / "alluvia.toml"
    path.write_text(CONFIG, "utf-8")
    return path


@pytest.fixture
def small() -> Iterator[int]:
    """How many slots a segment has, of what waits: few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "SIZE", 8)
        patch.setattr(waiting, "FEW", 4)
        yield 8


@pytest.fixture
def handlers() -> Iterator[None]:
    """Signals as they were, where commands run in the process of the tests."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without variables of the configuration."""
    for name in [name for name in os.environ if name.upper().startswith("ALLUVIA_")]:
        monkeypatch.delenv(name)
