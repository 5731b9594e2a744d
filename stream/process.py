"""The process of the command: its environment, its signals, and what may write to the terminal."""

from __future__ import annotations

import logging
import os
import signal
import sys
import types
from collections.abc import Callable, Mapping

# The order of sets in some river models depends on the hash seed, and the last bits of a BLAS
# product on how many threads shared it: both are read once, when Python and numpy start. So is the
# number of heaps of the C library: threads that fill many by turns let memory creep up.
PINNED = {
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
PACKAGES = ("stream", "learners", "ensembles")
SHOW_CURSOR = b"\x1b[?25h"


def unpinned(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a repeatable run wants and that are not set.

    Examples
    --------
    >>> unpinned({"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2", "MALLOC_ARENA_MAX": "4"})
    {'OPENBLAS_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1'}
    """
    return {name: value for name, value in PINNED.items() if name not in environment}


def pin() -> None:
    """Run this command again with the variables that are missing; return if none is."""
    missing = unpinned(os.environ)
    if missing:
        sys.stdout.flush()
        sys.stderr.flush()
        os.environ.update(missing)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


class Interruption:
    """Whether a SIGTERM or SIGINT has come; a second one ends the process at once.

    Examples
    --------
    >>> stop = Interruption()
    >>> stop()
    False
    """

    def __init__(self) -> None:
        self._came = False

    def __call__(self) -> bool:
        """Return whether to stop."""
        return self._came

    def listen(self) -> None:
        """Take over both signals; only the main thread may do this."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, frame: types.FrameType | None) -> None:
        if self._came:
            if sys.stdout.isatty():
                os.write(sys.stdout.fileno(), SHOW_CURSOR)
            os._exit(128 + number)
        self._came = True


class Lines(logging.Handler):
    """Hands each log record to a function as one line of text."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        """Show the message, without a traceback."""
        text = f"{record.levelname.lower()}: {record.getMessage()}"
        self._show(" ".join(text.splitlines()))


def quieten(show: Callable[[str], None]) -> None:
    """Show this project's warnings as lines, and nothing of what libraries log."""
    logging.captureWarnings(True)
    logging.getLogger().handlers = [logging.NullHandler()]
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.handlers = [Lines(show)]
        logger.propagate = False


def tell_all() -> None:
    """Show what everything logs, on standard error."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
