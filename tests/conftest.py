"""Real services for the tests that ask for them, started once for the whole run."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

SCRIPT = Path(__file__).parent.parent / "docker" / "services.py"

# A shared or slow machine must not fail a property for the time it took.
settings.register_profile("alluvia", deadline=None)
settings.load_profile("alluvia")


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Addresses and pids of a Kafka broker and a Redis that belong to this run alone."""
    folder = tmp_path_factory.mktemp("services")
    command = [sys.executable, str(SCRIPT), "--folder", str(folder)]
    started = subprocess.run([*command, "up"], capture_output=True, text=True, check=False)
    if started.returncode:
        pytest.fail(f"the services did not start: {started.stderr.strip()}")
    try:
        yield json.loads((folder / "services.json").read_text("utf-8"))
    finally:
        subprocess.run([*command, "down"], capture_output=True, check=True)


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
