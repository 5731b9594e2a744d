"""A service that tells what it uses: memory, open files and time, with the process that reads.

    python -m tests.faults.soaking SERVERS REDIS FOLDER NAME RECORDS EVERY

Every so many records it writes a line of JSON, and another of what it learned at the end.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from stream.app import Service
from stream.config import Config
from stream.loop import Loop

PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")


def configured(servers: str, redis: str, folder: Path, name: str, every: int) -> Config:
    """A linear learner, with labels that come later among the records."""
    steps = ["river.preprocessing.StandardScaler", "river.linear_model.LogisticRegression"]
    return Config.of(
        {
            "name": name,
            "task": "classification",
            "log": {"kind": "kafka", "servers": servers},
            "record": {"id": "id", "label": "label"},
            "label": {"within": "60s", "default": False},
            "store": {"kind": "redis", "url": redis},
            "model": {"pipeline": steps},
            "checkpoint": {"records": every, "every": "1h"},
        },
        folder,
    )


class Meter:
    """Looks at this process and its children between blocks, and tells of the most it saw."""

    def __init__(self, every: int) -> None:
        self._every = self._next = every
        self._memory = self._files = 0
        self._begun = time.monotonic()
        self.records = 0

    def __call__(self, loop: Loop) -> None:
        pids = [os.getpid(), *_children()]
        self._memory = max(self._memory, sum(map(_memory, pids)))
        self._files = max(self._files, sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids))
        self.records = loop.shard.sequence
        if self.records >= self._next:
            told = {
                "records": self.records,
                "memory": self._memory,
                "files": self._files,
                "cpu": sum(map(_cpu, pids)),
                "wall": time.monotonic() - self._begun,
            }
            print(json.dumps(told), flush=True)
            self._next += self._every
            self._memory = self._files = 0


def main(servers: str, redis: str, folder: str, name: str, records: str, every: str) -> None:
    """Run up to a number of records."""
    config = configured(servers, redis, Path(folder), name, int(every))
    meter = Meter(int(every))
    # Not an offset to end at: the log may be taken to its end for now, and be fed again.
    shard = Service(config).run(stop=lambda: meter.records >= int(records), watch=meter)
    assert shard.join is not None
    told = {
        "records": shard.sequence,
        "labels": shard.join.report(),
        "accuracy": shard.scores.report()["overall"]["accuracy"],
    }
    print(json.dumps(told))


def _children() -> list[int]:
    pid = os.getpid()
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _memory(pid: int) -> int:
    return PAGE * int(Path(f"/proc/{pid}/statm").read_text().split()[1])


def _cpu(pid: int) -> float:
    """Return the seconds of processor time of a process."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS


if __name__ == "__main__":
    main(*sys.argv[1:])
