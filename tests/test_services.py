"""The services of a test run end with it, however it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import SCRIPT
from tests.waiting import alive, until

# Holds services as the fixture does, says that they run, and waits.
OWNER = """
import subprocess, sys
held = subprocess.Popen(
    [sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    start_new_session=True,
)
print(held.stdout.readline().decode(), flush=True)
held.wait()
"""


@pytest.mark.services
@pytest.mark.slow
def test_services_end_when_the_one_they_run_for_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(SCRIPT), "hold", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().startswith("kafka 127.0.0.1:")
        services = json.loads((tmp_path / "services.json").read_text("utf-8"))
        pids = [services[name]["pid"] for name in ("kafka", "redis")]
        assert all(map(alive, pids))
        owner.kill()
    until(lambda: not any(map(alive, pids)), 40)
    until(lambda: not (tmp_path / "services.json").exists())
