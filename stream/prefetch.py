"""Records fetched ahead: bounded, in order, handed over in runs."""

from __future__ import annotations

import collections
import threading

from stream.errors import LogError
from stream.log import Run


class Prefetch:
    """Runs that one thread puts and another takes.

    Parameters
    ----------
    chunk
        Records up to which small runs of one partition are joined while they wait.
    records, size
        Records and bytes at which it is `full`; a put is never refused.
    """

    def __init__(self, chunk: int, records: int, size: int) -> None:
        self._chunk = chunk
        self._bounds = records, size
        self._changed = threading.Condition()
        self._runs: collections.deque[Run] = collections.deque()
        self._sizes: collections.deque[int] = collections.deque()
        self._start = 0
        self._records = self._bytes = 0
        self._failure: LogError | None = None
        self.interruption: LogError | None = None
        """What `take` raises at once, until `proceed`."""

    @property
    def empty(self) -> bool:
        """Whether everything put has been taken."""
        return not self._runs

    @property
    def full(self) -> bool:
        """Whether the one who puts should stop for now."""
        return self._records >= self._bounds[0] or self._bytes >= self._bounds[1]

    @property
    def low(self) -> bool:
        """Whether the one who puts should go on: half empty, so that it does not flutter."""
        return self._records <= self._bounds[0] // 2 and self._bytes <= self._bounds[1] // 2

    def put(self, run: Run, size: int) -> None:
        """Append a run of `size` bytes."""
        with self._changed:
            last = self._runs[-1] if self._runs else None
            if (
                last is not None
                and last.partition == run.partition
                and len(last) + len(run) <= self._chunk
            ):
                last.offsets.extend(run.offsets)
                last.times.extend(run.times)
                last.keys.extend(run.keys)
                last.values.extend(run.values)
                self._sizes[-1] += size
            else:
                self._runs.append(run)
                self._sizes.append(size)
            self._records += len(run)
            self._bytes += size
            self._changed.notify()

    def fail(self, error: LogError) -> None:
        """Let `take` raise an error once the runs before it are taken, until `clear`."""
        with self._changed:
            self._failure = error
            self._changed.notify()

    def interrupt(self, error: LogError) -> None:
        """Drop everything and let `take` raise an error at once, until `proceed`."""
        with self._changed:
            self._drop()
            self.interruption = error
            self._changed.notify()

    def proceed(self) -> None:
        """Forget an interruption."""
        with self._changed:
            self.interruption = None

    def clear(self) -> None:
        """Drop what waits, and a failure with it; an interruption stays."""
        with self._changed:
            self._drop()

    def take(self, limit: int, timeout: float) -> Run | None:
        """Return up to `limit` records of one partition, None if none came within `timeout`."""
        with self._changed:
            if not self._ready():
                self._changed.wait_for(self._ready, timeout)
            if self.interruption is not None:
                raise self.interruption
            if self._runs:
                return self._cut(limit)
            if self._failure is not None:
                raise self._failure
            return None

    def check(self) -> None:
        """Raise the error that `take` would end in, where nothing is to be taken yet."""
        with self._changed:
            if self._failure is not None:
                raise self._failure

    def _ready(self) -> bool:
        return bool(self._runs or self._failure or self.interruption)

    def _cut(self, limit: int) -> Run:
        run, start = self._runs[0], self._start
        stop = min(start + limit, len(run))
        self._records -= stop - start
        if stop < len(run):
            self._start = stop
        else:
            self._start = 0
            self._runs.popleft()
            self._bytes -= self._sizes.popleft()
            if start == 0:
                return run
        return run[start:stop]

    def _drop(self) -> None:
        self._runs.clear()
        self._sizes.clear()
        self._start = self._records = self._bytes = 0
        self._failure = None
