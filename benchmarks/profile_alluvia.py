"""The service's side of `benchmarks.profile`: the processor's time while records flow."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from benchmarks.loop_alluvia import configuration
from benchmarks.services import Services
from stream.app import Service
from stream.loop import Loop

TICKS = os.sysconf("SC_CLK_TCK")
# The first blocks are small, and compile.
WARM = 100_000


class Watch:
    """Notes what everybody had spent once the loop was warm, and after each block since."""

    def __init__(self, others: dict[str, int]) -> None:
        self._others = others
        self.first: tuple[int, float, dict[str, float]] | None = None
        self.last = (0, 0.0, dict[str, float]())

    def __call__(self, loop: Loop) -> None:
        """Look at the loop between two blocks."""
        if loop.shard.sequence >= WARM:
            self.last = (loop.shard.sequence, time.perf_counter(), self._spent())
            self.first = self.first or self.last

    def _spent(self) -> dict[str, float]:
        """Return the seconds of a processor that each has used."""
        tasks = Path("/proc/self/task")
        spent = {
            f"loop's process, {thread.name}": _seconds(tasks / str(thread.native_id) / "stat")
            for thread in threading.enumerate()
            if thread.native_id is not None
        }
        children = [pid for task in tasks.iterdir() for pid in _read(task / "children").split()]
        worker = sum(_seconds(Path(f"/proc/{pid}/stat")) for pid in children)
        others = {name: _seconds(Path(f"/proc/{pid}/stat")) for name, pid in self._others.items()}
        return spent | {"process that reads Kafka": worker} | others


def main(servers: str, url: str, folder: str, kafka: str, redis: str) -> None:
    """Run up to the topic's end and print the figures."""
    watch = Watch({"Kafka's broker": int(kafka), "Redis": int(redis)})
    Service(configuration(Services(servers, url), Path(folder))).run(True, watch=watch)
    assert watch.first is not None
    (before, begun, had), (after, ended, has) = watch.first, watch.last
    count = after - before
    spent = {name: 1e6 * (has[name] - had.get(name, 0.0)) / count for name in has}
    shown = {name: us for name, us in sorted(spent.items(), key=lambda item: -item[1]) if us > 0.01}
    print(json.dumps({"records": count, "rate": count / (ended - begun), "us": shown}))


def _seconds(path: Path) -> float:
    """Return user and system time of a process or thread, 0 where it has gone."""
    fields = _read(path).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
