"""Runs the command `alluvia` from a test, in a process of its own or in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream.cli import invoke
from stream.config import load
from stream.log import Message
from stream.log_kinds import open_appender
from stream.process import PINNED

ROOT = Path(__file__).parents[1]
CONFIG = """
name = "demo"
task = "classification"
[log]
path = "log.db"
[record]
key = "id"
label = "label"
[model]
pipeline = ["river.preprocessing.StandardScaler", "river.naive_bayes.GaussianNB"]
[store]
path = "store.db"
[output]
interval = "50ms"
"""


def records(count: int) -> str:
    """Return lines of JSON whose label is easily learned."""
    rows = [
        {
            "id": f"k{i % 50}",
            "x": (i * 37 % 101) / 101,
            "z": i % 7,
            "label": "ab"[i * 37 % 101 > 50],
        }
        for i in range(count)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command in a folder."""
    environment = {n: v for n, v in os.environ.items() if n not in PINNED}
    return subprocess.Popen(
        [sys.executable, "-m", "stream", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def alluvia(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run a command to its end and return what it printed."""
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert "Traceback" not in err
    return out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must be refused, and return its one sentence."""
    assert invoke(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


def put(config: Path, *messages: Message) -> None:
    """Append messages to the one partition of a topic."""
    appender = open_appender(load(config))
    appender.create(1)
    appender.append(messages)
    appender.close()
