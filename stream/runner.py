"""The runner: a service with something to look at, and a summary at its end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console, Group, RenderableType

from learners.digests import digest
from stream.app import Service
from stream.config import Config, load
from stream.dead import LOOKED_AT, open_dead
from stream.errors import StreamError
from stream.lines import Lines, event
from stream.log_kinds import open_log
from stream.loop import Loop
from stream.panel import Panel
from stream.process import Interruption
from stream.report import Pace, model_of
from stream.shard import Shard
from stream.tables import member_table, rate, score_table

STOOD_BY = "never held the partition, it was stopped before that: nothing was learned"

Display = AbstractContextManager[Callable[[Loop], None]]


def run(path: Path, until_end: bool) -> None:
    """Run the service of a file until its end or a signal, and print a summary.

    Raises
    ------
    AlluviaError
        It cannot begin or go on.
    """
    stop = Interruption()
    stop.listen()
    config = load(path)
    log = open_log(config, config.log.group)
    pace = Pace(log)
    with display(config, pace) as watch:
        shard = Service(config, log).run(until_end, stop, watch)
    summarize(config, shard, pace)


def display(config: Config, pace: Pace) -> Display:
    """Return what shows a run: the panel on a terminal, else lines."""
    if sys.stdout.isatty():
        return Panel(f"alluvia  {config.name}", pace, Console())
    output = config.output
    return Lines(config.name, pace, output.log, output.interval / 1000, _show)


def summarize(config: Config, shard: Shard, pace: Pace) -> None:
    """Print what a run came to; a line of JSON where those are asked for and nobody looks on."""
    as_json = config.output.log == "json" and not sys.stdout.isatty()
    if shard.lineage == 0:
        _show(event(config.name, "standby", {}) if as_json else f"{config.name}: {STOOD_BY}")
        return
    overall = pace.overall()
    model = model_of(shard)
    identity = digest(shard.learner.estimator)
    aside = model["counts"]["set_aside"]
    reason, times = commonest(config) if aside else ("", 0)
    if as_json:
        told = model | {"overall": overall, "digest": identity}
        told["set_aside_most"] = {"reason": reason, "count": times} if aside else None
        _show(event(config.name, "summary", told))
        return
    counts = model["counts"]
    parts: list[RenderableType] = [
        f"{config.name}, model {model['version']}",
        f"records  {counts['records']:,} ({rate(overall)} in this run), "
        f"learned {counts['learned']:,}, dead letters {counts['set_aside']:,}",
        "",
        score_table(model["scores"]),
    ]
    if model["members"]:
        parts += ["", member_table(model["members"])]
    parts += [f"a window was skipped: {reason}" for reason in model["skipped"][-1:]]
    if aside:
        every = "every record was set aside" if aside == counts["records"] else "set aside"
        of = f"{aside:,}" if aside <= LOOKED_AT else f"the last {LOOKED_AT:,}"
        parts += ["", f"{every}, most often ({times:,} of {of}): {reason}; `alluvia dead` has all"]
    # A reason quotes what it likes, which must not be taken for markup.
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(Group(*parts, "", f"digest  {identity}"))


def commonest(config: Config) -> tuple[str, int]:
    """Return the commonest reason of a service's dead letters and its count."""
    try:
        with contextlib.closing(open_dead(config)) as dead:
            return dead.commonest() or ("no letter is there any more", 0)
    except StreamError as error:
        return str(error), 0


def _show(line: str) -> None:
    print(line, flush=True)
