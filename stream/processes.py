"""A pool of processes on this machine."""

from __future__ import annotations

import concurrent.futures
import functools
import multiprocessing
import pickle
import signal
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from learners.errors import LearnerError

S = TypeVar("S")
P = TypeVar("P")
R = TypeVar("R")


class Processes:
    """A pool of processes on this machine.

    Parameters
    ----------
    count
        How many.
    prepare
        Called by each of them before anything else.
    """

    def __init__(self, count: int, prepare: Callable[[], object]) -> None:
        self.count = count
        self._executor = concurrent.futures.ProcessPoolExecutor(
            count, multiprocessing.get_context("spawn"), _begin, (prepare,)
        )
        # They load what they need while the owner does.
        for _ in range(count):
            self._executor.submit(int)
        self._folder = tempfile.TemporaryDirectory(prefix="alluvia-")
        self._runs = 0

    def run(self, work: Callable[[S, P], R], shared: S, parts: Sequence[P]) -> list[R]:
        """See `ensembles.pool.Pool`."""
        self._runs += 1
        path = Path(self._folder.name) / str(self._runs)
        try:
            path.write_bytes(pickle.dumps(shared, pickle.HIGHEST_PROTOCOL))
            return list(self._executor.map(functools.partial(_do, str(path), work), parts))
        except (BrokenProcessPool, pickle.PicklingError, AttributeError, TypeError) as error:
            raise LearnerError(
                f"wanted members that other processes can train, got {error}: replay with one "
                "process"
            ) from error
        finally:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """End the processes."""
        self._executor.shutdown(cancel_futures=True)
        self._folder.cleanup()


def _begin(prepare: Callable[[], object]) -> None:
    # A terminal's interrupt reaches every process; the owner decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()


def _do(path: str, work: Callable[[Any, Any], Any], part: Any) -> Any:
    return work(_shared(path), part)


@functools.lru_cache(maxsize=1)
def _shared(path: str) -> Any:
    return pickle.loads(Path(path).read_bytes())
