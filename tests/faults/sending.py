"""A service that kills itself with SIGKILL around a transaction, or inside it.

    python -m tests.faults.sending CONFIG.json [--moment MOMENT --times N]

Its Nth sending is the one that dies. The double here only causes the fault; what it wraps sends
for real. One that comes to the end of its log ends without a word.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from stream import courier
from stream.app import Service
from stream.config import Config
from stream.log import Message, Place
from stream.log_kinds import open_producer
from stream.producer import Producer

MOMENTS = (
    "unsent",  # the checkpoint is published, the transaction is not begun
    "sending",  # half of the messages are on their way
    "positions",  # all messages are there, the positions are not
    "sent",  # the transaction took place, and nobody here knows
)
ON_THEIR_WAY = 0.3
"""Seconds in which a producer sends what it was given."""


class DyingProducer:
    """A producer that dies in one of its sendings."""

    def __init__(self, producer: Producer, moment: str | None, times: int) -> None:
        self._producer = producer
        self._moment = moment
        self._left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def send(
        self,
        messages: Iterable[tuple[str, Message]],
        positions: Mapping[Place, int],
        metadata: str,
    ) -> None:
        self._left -= 1
        self._meet("unsent")
        listed = list(messages)
        half = len(listed) // 2
        parts = itertools.chain(listed[:half], self._dying(), listed[half:])
        self._producer.send(parts, _Positions(positions, self), metadata)
        self._meet("sent")

    def _dying(self) -> Iterator[tuple[str, Message]]:
        if self._left == 0 and self._moment == "sending":
            time.sleep(ON_THEIR_WAY)
        self._meet("sending")
        yield from ()

    def _meet(self, moment: str) -> None:
        if self._left == 0 and self._moment == moment:
            os.kill(os.getpid(), signal.SIGKILL)


class _Positions(dict[Place, int]):
    """Positions, which are asked for when all messages are acknowledged."""

    def __init__(self, positions: Mapping[Place, int], producer: DyingProducer) -> None:
        super().__init__(positions)
        self._producer = producer

    def items(self) -> Any:
        self._producer._meet("positions")
        return super().items()


def main() -> None:
    """Run a configuration as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--moment", choices=MOMENTS)
    parser.add_argument("--times", type=int, default=1)
    given = parser.parse_args()
    config = Config.of(json.loads(given.config.read_text("utf-8")), given.config.parent)

    def dying(of: Config) -> DyingProducer:
        return DyingProducer(open_producer(of), given.moment, given.times)

    with mock.patch.object(courier, "open_producer", dying):
        Service(config).run(until_end=True)


if __name__ == "__main__":
    main()
