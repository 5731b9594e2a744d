"""A process of a service: it is waited for, stopped, woken and ended from outside."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from learners.errors import AlluviaError
from stream.process import PINNED
from tests import runner

TIMEOUT = 120.0
"""Seconds after which a process that neither says anything nor ends is taken for hung."""


class TrialError(AlluviaError):
    """A process of a trial did not do what it was told to."""


class Member:
    """A process of a service; see `tests.faults.dying` for its arguments.

    Parameters
    ----------
    path
        Its configuration.
    arguments
        What else it is told.

    Attributes
    ----------
    written, errors
        The lines that it wrote so far, and those of what went wrong.
    """

    def __init__(self, path: Path, *arguments: str) -> None:
        self.written: list[str] = []
        self.errors: list[str] = []
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.dying", str(path), *arguments],
            cwd=runner.ROOT,
            env=os.environ | PINNED,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        self._threads = [
            threading.Thread(target=self._hear, args=(self._process.stdout, self.written)),
            threading.Thread(target=self._hear, args=(self._process.stderr, self.errors)),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def code(self) -> int | None:
        """Its exit code; None while it is there."""
        return self._process.poll()

    def met(self, moment: str) -> int | None:
        """Return the sequence at which it met its moment; None if it ended, or hung, before."""
        with contextlib.suppress(queue.Empty):
            while (line := self._said.get(timeout=TIMEOUT)) is not None:
                words = line.split()
                if words[:1] == [moment]:
                    return int(words[1])
        return None

    @property
    def stands(self) -> bool:
        """Whether it stands still."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def readers(self) -> list[int]:
        """Return the processes that read the log for it."""
        pid = self._process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self, timeout: float = TIMEOUT) -> None:
        """Wait for its end.

        Raises
        ------
        TrialError
            It did not end.
        """
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.close()
            raise TrialError(
                f"wanted an end within {timeout:.0f} s, got none: {self.errors[-3:]}"
            ) from None
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """End it at once, if it is still there; those that read for it end when it has."""
        if self.code is None:
            for reader in self.readers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(reader, signal.SIGCONT)
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join()

    def _hear(self, pipe: IO[str], lines: list[str]) -> None:
        with pipe:
            for line in pipe:
                lines.append(line.rstrip())
                if lines is self.written:
                    self._said.put(line)
        if lines is self.written:
            self._said.put(None)
