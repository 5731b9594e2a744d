"""Health: how a run is going, over HTTP, for Prometheus and for what restarts a service."""

from __future__ import annotations

import dataclasses
import logging
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from stream.errors import ConfigError
from stream.loop import Loop
from stream.metrics import families, labelled
from stream.phase import Phase
from stream.report import Pace, Progress

INTERVAL = 1.0
# The longest that a loop which does not hang may be out of sight: a fit in a large window.
BOUND = 600.0
HOST, PORTS = "127.0.0.1", range(1, 65_536)
CLIENT_SECONDS = 5
LOOK = 0.2
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PLAIN_TYPE = "text/plain; charset=utf-8"

Answer = tuple[HTTPStatus, str, bytes]

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Examples
    --------
    >>> Address.parse("9100"), Address.parse("[::1]:9100")
    (Address(host='127.0.0.1', port=9100), Address(host='::1', port=9100))
    >>> str(Address("::1", 9100))
    '[::1]:9100'
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address of PORT or HOST:PORT.

        Raises
        ------
        ConfigError
            It is neither.
        """
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        known = port.isascii() and port.isdecimal() and len(port) < 6 and int(port) in PORTS
        if not known or (not host and ":" in text):
            raise ConfigError(
                f"wanted --metrics as PORT or HOST:PORT, a port from 1 to 65535, got {text!r}: "
                "write 9100 or 0.0.0.0:9100"
            )
        return cls(host or HOST, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Health:
    """Answers `/metrics`, `/live` and `/ready` from a thread of its own; a context manager.

    It tells what the loop's thread left here, at most once a second, and never looks at a running
    model itself. Counters are the model's own counts: they go on after a restart, and are lower
    again where it goes on from an older checkpoint, which Prometheus takes for a reset.

    Parameters
    ----------
    address
        Where to listen; port 0 takes any free one.
    pace
        Measures the run.
    clock
        Seconds, rising.

    Attributes
    ----------
    address
        Where it listens.
    """

    def __init__(
        self, address: Address, pace: Pace, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.address = address
        self._clock = clock
        self._seen = clock()
        self._phase = Phase.STARTING
        self._paces: dict[int | None, Pace] = {None: pace}
        self._looked: dict[int | None, tuple[float, Progress]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def __enter__(self) -> Self:
        """Listen.

        Raises
        ------
        ConfigError
            The port is in use, or the address is not one of this machine's.
        """
        try:
            self._server = _Server(self.address, self._answer)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"wanted to serve --metrics on {self.address}, got {reason}: choose another port "
                "or host, or end what listens there"
            ) from error
        self.address = Address(self.address.host, self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(LOOK,), name="health", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __call__(self, loop: Loop) -> None:
        """Look at the run, if the last look is old enough; to be called between blocks."""
        partition = loop.shard.partition
        pace = self._paces.setdefault(partition, Pace(self._clock))
        pace.begin(loop)
        now = self._clock()
        if partition not in self._looked or now - self._looked[partition][0] >= INTERVAL:
            self._looked[partition] = now, pace.look(loop)

    def enter(self, phase: Phase) -> None:
        """Take note of what the service is at."""
        self._phase = phase
        if phase is Phase.STANDBY:
            self._looked = {}

    def heard(self, stop: Callable[[], bool]) -> Callable[[], bool]:
        """Return `stop`, by which the service is known to go on: it asks wherever it waits."""

        def asked() -> bool:
            self._seen = self._clock()
            return stop()

        return asked

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, as a collector of prometheus_client does."""
        ready = GaugeMetricFamily("alluvia_ready", "Whether /ready says so.")
        ready.add_metric([], self._phase is Phase.READY)
        yield ready
        silent = "Seconds since the service was last seen to go on."
        yield GaugeMetricFamily("alluvia_silent_seconds", silent, self._silence())
        now, looked = self._clock(), dict(self._looked)
        if None in looked:
            at, progress = looked[None]
            yield from families(progress, now - at)
        else:
            yield from labelled({p: (one, now - at) for p, (at, one) in looked.items()})

    def _silence(self) -> float:
        return self._clock() - self._seen

    def _answer(self, path: str) -> Answer:
        """Return the status, the type and the content of what is asked for."""
        if path == "/metrics":
            return HTTPStatus.OK, METRICS_TYPE, generate_latest(self._registry)
        if path == "/live":
            silence, phase = self._silence(), self._phase
            told = f"last seen {silence:.0f} s ago, allowed are {BOUND:.0f} s: it was {phase}"
            return _said(silence <= BOUND, told)
        if path == "/ready":
            return _said(self._phase is Phase.READY, self._phase)
        return HTTPStatus.NOT_FOUND, PLAIN_TYPE, b"wanted /metrics, /live or /ready\n"


class _Server(socketserver.ThreadingTCPServer):
    """Hands each request to `answer`; what goes wrong with a client is nobody else's matter."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: Address, answer: Callable[[str], Answer]) -> None:
        self.answer = answer
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        super().__init__((address.host, address.port), _Request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("a request for health failed: %r", sys.exception())


class _Request(BaseHTTPRequestHandler):
    """Answers a GET."""

    server: _Server
    timeout = CLIENT_SECONDS

    def do_GET(self) -> None:
        status, kind, content = self.server.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        return "alluvia"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged of requests."""


def _said(fine: bool, reason: str) -> Answer:
    status = HTTPStatus.OK if fine else HTTPStatus.SERVICE_UNAVAILABLE
    return status, PLAIN_TYPE, f"{'ok' if fine else reason}\n".encode()
