"""The writer: puts one block's predictions into the store while the next block is learned."""

from __future__ import annotations

import collections
import functools
import threading
from collections.abc import Callable, Sequence

from stream.errors import StoreError
from stream.patience import is_away, outlast
from stream.store import Entry, Store

WAITING = 2
SLICE = 0.2
GRACE = 5.0


class Writer:
    """A thread that writes blocks in order, a few behind the loop at most.

    A store that takes no writes for now is waited for; any other error of it is raised by the next
    `put` or `drain`.

    Parameters
    ----------
    store
        Where the blocks go.
    stop
        Once it says so, a store that takes no writes is waited for 5 seconds, no longer.

    Attributes
    ----------
    ticket
        How many blocks were handed over.
    """

    def __init__(self, store: Store, stop: Callable[[], bool]) -> None:
        self.store = store
        self._stop = stop
        self._queue: collections.deque[Sequence[Entry]] = collections.deque()
        self._changed = threading.Condition()
        self.ticket = self._written = 0
        self._closed = False
        self._silent = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def put(self, entries: Sequence[Entry]) -> None:
        """Hand over a block's entries; wait if the store is more than two blocks behind."""
        if entries:
            self._wait_for(lambda: len(self._queue) < WAITING)
            with self._changed:
                self._queue.append(entries)
                self.ticket += 1
                self._changed.notify_all()

    def drain(self, ticket: int | None = None) -> None:
        """Return when everything handed over up to a ticket is in the store; None: up to now."""
        wanted = self.ticket if ticket is None else ticket
        self._wait_for(lambda: self._written >= wanted)

    def close(self) -> None:
        """End the thread; what was not drained may be lost, and is written again on resuming."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        # A store that gave no answer within the grace gets no second one.
        self._thread.join(0.0 if self._silent else GRACE)

    def _wait_for(self, done: Callable[[], bool]) -> None:
        left = GRACE
        with self._changed:
            while self._error is None and not done():
                self._changed.wait(SLICE)
                left -= SLICE * self._stop()
                if left <= 0 or self._closed:
                    self._silent = True
                    raise StoreError(
                        "wanted to stop, got no answer from the store: what was taken since the "
                        "last checkpoint is taken again at the next start"
                    )
            if self._error is not None:
                raise self._error

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
                entries = self._queue[0]
            try:
                put = functools.partial(self.store.put, entries)
                outlast(put, is_away, lambda: self._closed, "the store")
            except Exception as error:
                self._error = error
            with self._changed:
                self._queue.popleft()
                self._written += self._error is None
                self._changed.notify_all()
                if self._error is not None:
                    return
