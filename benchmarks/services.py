"""A real Kafka and Redis for the time of one benchmark."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SCRIPT = Path(__file__).parents[1] / "docker" / "services.py"


class Services(NamedTuple):
    """Where the two answer, and their process ids: the broker's, Redis's."""

    servers: str
    redis_url: str
    pids: tuple[int, ...] = ()


@contextlib.contextmanager
def running() -> Iterator[Services]:
    """Start both on free ports, and stop them at the end."""
    with tempfile.TemporaryDirectory(prefix="alluvia-bench-") as folder:
        command = [sys.executable, str(SCRIPT)]
        subprocess.run([*command, "up", "--folder", folder], check=True, stdout=subprocess.DEVNULL)
        try:
            found = json.loads((Path(folder) / "services.json").read_text())
            pids = found["kafka"]["pid"], found["redis"]["pid"]
            yield Services(found["kafka"]["servers"], found["redis"]["url"], pids)
        finally:
            subprocess.run([*command, "down", "--folder", folder], check=True)
