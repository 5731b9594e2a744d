"""The grounds of an outage: a broker and a Redis of its own, a proxy before each, a small disk."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redis import Redis

from tests.faults.proxy import Proxy
from tests.faults.trial import Services
from tests.runner import ROOT

BROKER = """
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller,PROXIED://127.0.0.1:{port}
advertised.listeners=PLAINTEXT://127.0.0.1:$port,PROXIED://127.0.0.1:{proxy}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT
"""
KEEPING = "appendonly yes\nappendfsync always\n"
DISK_BYTES = 32 * 1024 * 1024
IMPATIENT = "?socket_timeout=1&socket_connect_timeout=1"
"""A connection that does not answer is given up after a second, where the default is five."""


class Grounds:
    """What may be ruined, and put right again.

    Attributes
    ----------
    services
        Broker and Redis, reached directly.
    proxied
        The same, each through its proxy.
    kafka, redis
        The proxies.
    """

    def __init__(self, folder: Path, kafka: Proxy, redis: Proxy) -> None:
        self._folder, self.kafka, self.redis = folder, kafka, redis
        with socket.create_server(("127.0.0.1", 0)) as free:
            kafka.target = int(free.getsockname()[1])
        properties, self._settings = folder / "proxied.properties", folder / "redis.conf"
        properties.write_text(BROKER.format(port=kafka.target, proxy=kafka.port), "utf-8")
        self._settings.write_text(KEEPING, "utf-8")
        self._script("up", "--kafka", str(properties), "--redis", str(self._settings))
        up = self._running()
        redis.target = up["redis"]["port"]
        self.services = Services(up["kafka"]["servers"], up["redis"]["url"], folder)
        proxied = f"redis://127.0.0.1:{redis.port}/0{IMPATIENT}"
        self.proxied = Services(f"127.0.0.1:{kafka.port}", proxied, folder)

    def kill(self, *names: str) -> None:
        """Kill services with SIGKILL."""
        for name in names:
            os.kill(self._running()[name]["pid"], signal.SIGKILL)

    def revive(self) -> None:
        """Start again what was killed, on its port and with what it kept."""
        self._script("revive")

    @contextlib.contextmanager
    def remembering(self, keeping: bool) -> Iterator[None]:
        """Let Redis keep every write that it acknowledges; or none beyond its end, for a time."""
        if not keeping:
            self._settle("")
        yield
        if not keeping:
            self._settle(KEEPING)

    def limit(self, size: str) -> None:
        """Let Redis have so much memory, "0" for any, and refuse writes beyond that."""
        with Redis.from_url(self.services.redis) as redis:
            redis.config_set("maxmemory-policy", "noeviction")
            redis.config_set("maxmemory", size)

    def empty(self, database: int) -> None:
        """Forget a database of the Redis."""
        with Redis.from_url(self.services.database(database)) as redis:
            redis.flushdb()

    def close(self) -> None:
        """Stop the services."""
        self._script("down")

    def _settle(self, settings: str) -> None:
        self._settings.write_text(settings, "utf-8")
        self.kill("redis")
        self.revive()

    def _running(self) -> Any:
        return json.loads((self._folder / "services.json").read_text("utf-8"))

    def _script(self, *arguments: str) -> None:
        script = [sys.executable, str(ROOT / "docker" / "services.py"), *arguments]
        command = [*script, "--folder", str(self._folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def grounds(folder: Path) -> Iterator[Grounds]:
    """Yield grounds in a folder that live as long as the context."""
    with Proxy() as kafka, Proxy() as redis:
        with contextlib.closing(Grounds(folder, kafka, redis)) as made:
            yield made


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Have a disk of 32 MB in a folder; only root may do that, and without it this fails."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "none", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> None:
    """Leave so many bytes of room on the disk of a folder."""
    with contextlib.suppress(OSError), (folder / "ballast").open("wb", 0) as file:
        while True:
            file.write(bytes(4_096))
    os.truncate(folder / "ballast", (folder / "ballast").stat().st_size - leave)


def clear(folder: Path) -> None:
    """Make room again."""
    (folder / "ballast").unlink()
