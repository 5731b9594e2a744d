"""The writer: puts one block's predictions into the store while the next block is learned."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

from stream.store import Entry, Store

WAITING = 2


class Writer:
    """A thread that writes blocks in order, a few behind the loop at most.

    An error of the store is raised by the next `put` or `drain`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.Queue[Sequence[Entry] | None] = queue.Queue(WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def put(self, entries: Sequence[Entry]) -> None:
        """Hand over a block's entries; wait if the store is more than two blocks behind."""
        self._raise()
        if entries:
            self._queue.put(entries)

    def drain(self) -> None:
        """Return when everything handed over is in the store."""
        self._queue.join()
        self._raise()

    def close(self) -> None:
        """Write what was handed over and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (entries := self._queue.get()) is not None:
            try:
                if self._error is None:
                    self._store.put(entries)
            except Exception as error:
                self._error = error
            finally:
                self._queue.task_done()
        self._queue.task_done()
