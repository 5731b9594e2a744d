"""The progress bar over a replay."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from stream.file_log import FileLog
from stream.log import Place
from stream.loop import Loop
from stream.report import Pace
from stream.tables import rate

INTERVAL = 0.25


class Bar:
    """Draws how far a replay is; a context manager, to be called between blocks.

    Parameters
    ----------
    pace
        Measures the run.
    files
        The history, if it is in files: without an end their bytes are counted.
    begin, until
        Offsets of each partition.
    """

    def __init__(
        self,
        pace: Pace,
        files: FileLog | None,
        begin: Mapping[Place, int],
        until: Mapping[Place, int] | None,
    ) -> None:
        self._pace = pace
        self._files = files
        self._begin = begin
        self._until = until
        self._drawn = 0.0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=Console(),
            auto_refresh=False,
            transient=True,
        )
        self._task = self._bar.add_task("replaying", total=None, told="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, loop: Loop) -> None:
        """Draw, if the last drawing is old enough."""
        self._pace.begin(loop)
        now = time.monotonic()
        if now - self._drawn < INTERVAL:
            return
        self._drawn = now
        progress = self._pace.look(loop)
        done, total = self._done(loop)
        told = f"{loop.shard.sequence:,} records, {rate(progress.now)}"
        self._bar.update(self._task, completed=done, total=total, told=told, refresh=True)

    def _done(self, loop: Loop) -> tuple[int, int]:
        if self._until is None and self._files is not None:
            return self._files.read
        until, at = self._until or {}, loop.shard.offsets
        done = sum(at.get(place, first) - first for place, first in self._begin.items())
        if self._until is None:
            return done, done + (loop.lag() or 0)
        return done, sum(until[place] - first for place, first in self._begin.items())
