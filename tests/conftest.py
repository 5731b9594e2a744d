"""Real services for the tests that ask for them, started once for the whole run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.command import CONFIG

SCRIPT = Path(__file__).parent.parent / "docker" / "services.py"

# A shared or slow machine must not fail a property for the time it took.
settings.register_profile("alluvia", deadline=None)
settings.load_profile("alluvia")


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Addresses and pids of a Kafka broker and a Redis that belong to this run alone."""
    folder = tmp_path_factory.mktemp("services")
    command = [sys.executable, str(SCRIPT), "hold", "--folder", str(folder)]
    # They run for as long as this pipe is open, and a killed test run closes it too.
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as held:
        assert held.stdin is not None and held.stdout is not None and held.stderr is not None
        if not held.stdout.readline():
            pytest.fail(f"the services did not start: {held.stderr.read().strip()}")
        yield json.loads((folder / "services.json").read_text("utf-8"))
        held.stdin.close()
        assert held.wait() == 0


@pytest.fixture(scope="session")
def kafka_servers(services: dict[str, Any]) -> str:
    """Address of the broker."""
    return str(services["kafka"]["servers"])


@pytest.fixture(scope="session")
def redis_url(services: dict[str, Any]) -> str:
    """Address of the Redis."""
    return str(services["redis"]["url"])


@pytest.fixture
def topic_name() -> str:
    """Name of a topic, a group or a service that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The file of a small embedded service, for the command."""
    path = tmp_path / "alluvia.toml"
    path.write_text(CONFIG, "utf-8")
    return path


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
