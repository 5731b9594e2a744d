"""The live panel: how a run is going, drawn on a terminal between blocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel as Frame
from rich.table import Table
from rich.text import Text

from stream.loop import Loop
from stream.report import Pace, Progress
from stream.tables import NONE, label_rows, member_table, rate, score_table

INTERVAL = 0.25
# Lines and columns that the frame takes, and the line under it where the cursor is.
FRAME_LINES, FRAME_COLUMNS = 3, 4


class Panel:
    """Draws a run, four times a second at most; a context manager that leaves nothing behind.

    Call it between blocks. What is printed to standard output or error meanwhile is shown above.
    Where lines are few, the figures stay, then the first scores, then the newest members.

    Parameters
    ----------
    title
        What is running.
    pace
        Measures the run.
    console
        Where to draw.
    clock
        Seconds, rising.
    """

    def __init__(
        self,
        title: str,
        pace: Pace,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title = title
        self._pace = pace
        self._console = console
        self._clock = clock
        self._drawn = clock() - INTERVAL
        waiting = Frame("waiting for records to be assigned", title=title, title_align="left")
        self._live = Live(waiting, console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, loop: Loop) -> None:
        """Draw, if the last drawing is old enough."""
        self._pace.begin(loop)
        now = self._clock()
        if now - self._drawn < INTERVAL:
            return
        self._drawn = now
        self._live.update(self._frame(self._pace.look(loop)), refresh=True)

    def _frame(self, progress: Progress) -> RenderableType:
        model = progress.model
        scores, members = score_table(model["scores"]), model["members"]
        notes = [Text(f"a window was skipped: {reason}") for reason in model["skipped"][-1:]]
        if progress.restarts:
            notes.append(Text(f"another server took the store's place {progress.restarts} times"))
        parts: list[RenderableType] = [_figures(progress)]
        left = self._console.height - FRAME_LINES - self._lines(Group(*parts, *notes))
        for size, table in (
            (scores.row_count, lambda n: score_table(model["scores"], n)),
            (len(members), lambda n: member_table(members[-n:])),
        ):
            fitted = self._fitted(table, size, left - 1)
            if fitted is not None:
                parts += ["", fitted]
                left -= 1 + self._lines(fitted)
        title = f"{self._title}  model {model['version']}"
        return Frame(Group(*parts, *notes), title=title, title_align="left", border_style="blue")

    def _fitted(self, table: Callable[[int], Table], size: int, lines: int) -> Table | None:
        """Return a table of as many rows as fit into some lines, None if not one does."""
        for rows in range(min(size, lines), 0, -1):
            if self._lines(made := table(rows)) <= lines:
                return made
        return None

    def _lines(self, shown: RenderableType) -> int:
        width = self._console.width - FRAME_COLUMNS
        return len(self._console.render_lines(shown, self._console.options.update(width=width)))


def _figures(progress: Progress) -> Table:
    counts = progress.model["counts"]
    table = Table.grid(padding=(0, 3))
    for _ in range(3):
        table.add_column(style="dim")
        table.add_column(justify="right")
    table.add_row(
        "records", f"{counts['records']:,}", "now", rate(progress.now), "overall",
        rate(progress.overall),
    )  # fmt: skip
    table.add_row(
        "lag", NONE if progress.lag is None else f"{progress.lag:,}", "dead letters",
        f"{counts['set_aside']:,}", "checkpoint",
        f"{progress.checkpoint_age:.0f} s ago, took {1000 * progress.stall:.0f} ms",
    )  # fmt: skip
    if "labels" in progress.model:
        cells = [cell for row in label_rows(progress.model["labels"]) for cell in row]
        table.add_row(*cells[:6])
        table.add_row(*cells[6:])
    return table
