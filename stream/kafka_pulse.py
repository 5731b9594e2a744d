"""The pulse of a broker: whether it answers, which is said when it changes."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import Any

SILENT_SECONDS = 2.0

_LOGGER = logging.getLogger(__name__)


class Pulse:
    """Says once that the broker went away, and once that it is back.

    Parameters
    ----------
    network
        The network side of a client.
    servers
        Broker addresses, for messages.
    wait
        Seconds for which a broker may keep an answer back.
    """

    def __init__(self, network: Any, servers: str, wait: float) -> None:
        self._network, self._servers, self._wait = network, servers, wait
        self._heard, self._silent = time.monotonic(), False

    def feel(self, heard: bool) -> None:
        """Take note of a moment at which something was heard of the broker, or nothing."""
        now = time.monotonic()
        if not heard and now - self._heard <= SILENT_SECONDS:
            return
        self._heard = now
        silent = not heard and not self._answered(now)
        if silent and not self._silent:
            _LOGGER.warning("the broker at %s does not answer; waiting for it", self._servers)
        elif self._silent and not silent:
            _LOGGER.warning("the broker at %s answers again", self._servers)
        self._silent = silent

    def _answered(self, now: float) -> bool:
        """Return whether a broker is connected, and no answer is overdue."""
        connections = tuple(self._network._manager._conns.values())
        open_ones = [connection for connection in connections if connection.connected]
        due = now - SILENT_SECONDS - self._wait
        for connection in open_ones:
            with contextlib.suppress(IndexError):  # nothing was asked, or is asked any more
                _, _, sent, *_ = connection.in_flight_requests[0]
                if sent < due:
                    return False
        return bool(open_ones)
