"""The command serves its health until it ends."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from stream.app import Service
from stream.config import load
from stream.health import Address, Health
from stream.log import Message
from stream.report import Pace
from tests.command import put, refused, start
from tests.pages import free_port, get, listens, metrics
from tests.waiting import until

pytestmark = pytest.mark.slow


def test_the_command_tells_its_health_until_it_ends(config: Path) -> None:
    put(config, Message(None, b'{"id": "k", "x": 1, "label": "a"}', 0))
    address = Address("127.0.0.1", free_port())
    service = start(config.parent, "run", config.name, "--metrics", str(address.port))
    until(lambda: listens(address))
    until(lambda: metrics(address).get("alluvia_lag_records") == 0)
    assert get(address, "/ready") == get(address, "/live") == (200, "ok\n")
    put(config, Message(None, b"oops", 0))
    until(lambda: metrics(address)["alluvia_dead_letters_total"] == 1)
    service.send_signal(signal.SIGTERM)
    out, err = service.communicate(timeout=20)
    assert (service.returncode, err) == (0, "")
    assert "dead letters 1" in out
    assert not listens(address)


@pytest.mark.usefixtures("handlers")
def test_a_port_in_use_is_refused_before_the_model_is_claimed(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        sentence = refused(capsys, "run", str(config), "--metrics", port)
    assert f"wanted to serve --metrics on 127.0.0.1:{port}, got Address already in use" in sentence
    assert "choose another port" in sentence
    assert not (config.parent / ".alluvia").exists()


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    "text", ["", "0", "65536", "-1", "9100x", "²", ":9100", "host:", "203.0.113.1:9100", "a" * 70]
)
def test_an_address_that_cannot_be_served_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    put(config)
    assert "wanted" in refused(capsys, "run", str(config), f"--metrics={text}")


def test_a_service_that_ends_by_itself_lets_go_of_the_port(config: Path) -> None:
    put(config, Message(None, b'{"id": "k", "x": 1, "label": "a"}', 0))
    address = Address.parse(str(free_port()))
    with Health(address, Pace()) as health:
        assert health.address == address
        Service(load(config)).run(True, watch=health)
        assert listens(address)
    assert not listens(address)
