"""Ctrl-C goes to the example and to the command that it runs, and loses nothing of either."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import ROOT
from tests.waiting import until

pytestmark = pytest.mark.slow


def started(folder: Path) -> subprocess.Popen[str]:
    """Start the example as the head of a group of processes, as a terminal does."""
    return subprocess.Popen(
        [sys.executable, "-m", "examples.shuttle", "--folder", str(folder)],
        cwd=ROOT,
        env=os.environ | {"ALLUVIA_OUTPUT__INTERVAL": "50ms"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def interrupted(example: subprocess.Popen[str]) -> str:
    """Send SIGINT to the whole group, and return what is still printed."""
    os.killpg(example.pid, signal.SIGINT)
    return example.communicate(timeout=60)[0]


def test_an_interrupted_service_saves_and_the_example_ends_with_it(tmp_path: Path) -> None:
    with started(tmp_path / "example") as example:
        lines = example.stdout
        assert lines is not None
        until(lambda: lines.readline().startswith("shuttle 1@"), 60)
        rest = interrupted(example)
    assert example.returncode == 0, rest
    assert "digest  " in rest
    assert "alluvia lookup" not in rest
    assert "Traceback" not in rest


def test_the_example_ends_in_a_word_where_it_is_interrupted_itself(tmp_path: Path) -> None:
    with started(tmp_path / "example") as example:
        until((tmp_path / "example" / "shuttle.jsonl").exists, 60)
        rest = interrupted(example)
    assert example.returncode == 130, rest
    assert rest.endswith("interrupted\n")
    assert "Traceback" not in rest
