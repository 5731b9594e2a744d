"""The pages of health, asked for over HTTP."""

from __future__ import annotations

import contextlib
import socket
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from stream.health import Address

Samples = dict[str, float]


def get(address: Address, path: str, accept: str = "") -> tuple[int, str]:
    """Return the status and the content of a page."""
    request = urllib.request.Request(f"http://{address}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def samples(text: str) -> Samples:
    """Return each sample by its name and the values of its labels, these by their names."""
    return {
        " ".join(
            [sample.name, *(value for _, value in sorted(sample.labels.items()))]
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def metrics(address: Address) -> Samples:
    status, text = get(address, "/metrics")
    assert status == 200
    return samples(text)


def listens(address: Address) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection((address.host, address.port)).close()
        return True
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
