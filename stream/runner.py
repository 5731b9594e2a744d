"""The runner: a service with something to look at, and a summary at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console, Group, RenderableType

from learners.digests import digest
from stream.app import Service, open_log
from stream.config import Config, load
from stream.lines import Lines, event
from stream.loop import Loop
from stream.panel import Panel
from stream.process import Interruption
from stream.report import Pace, model_of
from stream.shard import Shard
from stream.tables import member_table, rate, score_table

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
    overall = pace.overall()
    model = model_of(shard)
    identity = digest(shard.learner.estimator)
    if config.output.log == "json" and not sys.stdout.isatty():
        _show(event(config.name, "summary", model | {"overall": overall, "digest": identity}))
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
    if counts["set_aside"]:
        parts.append("`alluvia dead` tells why records were set aside")
    Console(highlight=False).print(Group(*parts, "", f"digest  {identity}"))


def _show(line: str) -> None:
    print(line, flush=True)
