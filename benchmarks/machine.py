"""What the figures were measured on: processor, memory, and the versions of everything."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.failure import BenchmarkError
from benchmarks.peers.process import ROOT, interpreter

VERSIONS = (
    "import importlib.metadata as m, json, platform; "
    "print(json.dumps({'python': platform.python_version()} | "
    "{d.name: d.version for d in m.distributions()}))"
)
PROGRAMS = {"java": ["java", "-version"], "redis": ["redis-server", "--version"]}


def described() -> dict[str, Any]:
    """Return all that a reader needs to judge the figures."""
    found = {"python": platform.python_version()}
    found |= {one.name: one.version for one in metadata.distributions()}
    return {
        "cpu": _line("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "memory": _line("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "revision": _said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]),
        "programs": {name: _said(command) for name, command in PROGRAMS.items()},
        "versions": found,
        "peers": _versions("PEERS_PYTHON", ".venv-peers"),
        "quix": _versions("QUIX_PYTHON", ".venv-quix"),
    }


def slug(machine: dict[str, Any]) -> str:
    """Return a machine as part of a file's name.

    Examples
    --------
    >>> slug({"cpu": "Intel(R) Xeon(R) Processor", "cores": 2})
    'intel-xeon-processor-2-cores'
    """
    plain = re.sub(r"\((r|tm)\)", "", machine["cpu"].lower())
    words: list[str] = re.findall("[a-z0-9.]+", plain)
    return "-".join([*words, str(machine["cores"]), "cores"])


def _line(path: str, name: str) -> str:
    """Return the value of a line `name : value` of a file, "" without one."""
    if not Path(path).exists():
        return ""
    found = re.search(rf"^{name}\s*:\s*(.+)$", Path(path).read_text(), re.MULTILINE)
    return found.group(1) if found else ""


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    return ((done.stdout or done.stderr).strip().splitlines() or [""])[0]


def _versions(variable: str, folder: str) -> dict[str, str]:
    """Return the versions in a peer's environment, none if it is not there."""
    try:
        python = interpreter(variable, folder, "the peers")
    except BenchmarkError:
        return {}
    versions: dict[str, str] = json.loads(_said([python, "-c", VERSIONS]) or "{}")
    return versions
