"""The service's side of `benchmarks.compiling`: it ends behind its first block."""

from __future__ import annotations

import json
import os
import sys
import time

from stream.app import Service
from stream.loop import Loop

BEGUN = float(os.environ["BEGUN"])


class FirstBlock:
    """Notes when the first block was done, and stops there."""

    def __init__(self) -> None:
        self.seconds = self.processor = 0.0

    def __call__(self, loop: Loop) -> None:
        """See `stream.session.Watch`."""
        if loop.shard.sequence and not self.seconds:
            self.seconds, self.processor = time.time() - BEGUN, time.process_time()

    def stop(self) -> bool:
        """Return whether a block was done."""
        return self.seconds > 0.0


def main(config: str) -> None:
    """Run a service and print how long its first block was in coming, and what imports took."""
    service = Service.from_file(config)
    imports = time.time() - BEGUN
    first = FirstBlock()
    service.run(stop=first.stop, watch=first)
    figures = {"seconds": first.seconds, "imports": imports, "processor": first.processor}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
