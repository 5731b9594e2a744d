"""A publication: a checkpoint on its way, while the loop goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from stream.manifest import Manifest


class Publication:
    """Publishes in a thread.

    Parameters
    ----------
    publish
        Writes the checkpoint and returns its manifest.
    entries, positions
        How many entries since the last one, and how many partitions, it has.
    """

    def __init__(self, publish: Callable[[], Manifest], entries: int, positions: int) -> None:
        self.entries, self.positions = entries, positions
        self._publish = publish
        self._future: Future[Manifest] = Future()
        threading.Thread(target=self._run, name="checkpoint", daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether it is published, or failed."""
        return self._future.done()

    def result(self) -> Manifest:
        """Wait for the manifest, or raise what went wrong."""
        return self._future.result()

    def _run(self) -> None:
        try:
            self._future.set_result(self._publish())
        except BaseException as error:
            self._future.set_exception(error)
