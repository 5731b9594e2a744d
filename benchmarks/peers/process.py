"""A peer in a process of its own, asked over a pipe."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.failure import BenchmarkError

ROOT = Path(__file__).parents[2]


class Peers:
    """Runs estimators of other libraries in their own loops.

    Each answer tells the records a second and the accuracy. The process stays between them, so
    that what it compiles stays warm.
    """

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self._process = process
        self._errors = errors

    def run(self, learner: str | list[str], data: Path, **asked: Any) -> dict[str, Any]:
        """Test, then train a new estimator on the records of a file.

        Parameters
        ----------
        learner
            Import path of an estimator, or of the steps of a pipeline.
        data
            As `Stream.saved` writes it.
        asked
            See `benchmarks.peers.learners.Asked`.
        """
        request = {"learner": learner, "data": str(data), **asked}
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise BenchmarkError(
                f"wanted figures of {learner}, got an end of its process: "
                f"{last_line(self._errors.read_text())}"
            )
        figures: dict[str, Any] = json.loads(answer)
        return figures


@contextlib.contextmanager
def learners() -> Iterator[Peers]:
    """Start the process that runs CapyMOA, river and scikit-learn."""
    python = interpreter("PEERS_PYTHON", ".venv-peers", "CapyMOA, river and scikit-learn")
    with tempfile.TemporaryDirectory() as folder:
        errors = Path(folder) / "errors"
        with errors.open("w") as file:
            process = subprocess.Popen(
                [python, "-m", "benchmarks.peers.learners"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        try:
            yield Peers(process, errors)
        finally:
            process.kill()
            process.communicate()


def interpreter(variable: str, folder: str, what: str) -> str:
    """Return the interpreter that has a peer.

    Raises
    ------
    BenchmarkError
        It is not there.
    """
    python = os.environ.get(variable) or str(ROOT / folder / "bin" / "python")
    if not Path(python).exists():
        raise BenchmarkError(
            f"wanted an interpreter with {what}, got none at {python}: "
            f"run `make {folder}/.ready`, or set {variable}"
        )
    return python


def figures_of(command: Sequence[str], settings: Mapping[str, str]) -> dict[str, Any]:
    """Run one side of a benchmark to its end; return the figures that it prints last.

    Raises
    ------
    BenchmarkError
        It failed.
    """
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True
    )
    if done.returncode:
        raise BenchmarkError(
            f"wanted figures of {' '.join(command[1:3])}, got: {last_line(done.stderr)}"
        )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def last_line(text: str) -> str:
    """Return the last line of what a process said."""
    return (text.strip().splitlines() or ["it said nothing"])[-1]
