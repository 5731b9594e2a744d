"""A real Kafka and a real Redis for as long as a context lasts."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[1] / "docker" / "services.py"


@contextlib.contextmanager
def held(folder: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    """Start both in a folder, yield their addresses and pids, and stop them at the end."""
    command = [sys.executable, str(SCRIPT), "hold", "--folder", str(folder), *arguments]
    # They run for as long as this pipe is open, and a killed process closes it too.
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        if not process.stdout.readline():
            assert process.stderr is not None
            raise RuntimeError(f"the services did not start: {process.stderr.read().strip()}")
        try:
            yield json.loads((folder / "services.json").read_text("utf-8"))
        finally:
            process.stdin.close()
            ended = process.wait()
        assert ended == 0
