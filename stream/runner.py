"""The runner: a service with something to look at, and a summary at its end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType

from learners.digests import digest
from stream.app import Service
from stream.config import Config, load
from stream.dead import LOOKED_AT, has_dead, open_dead
from stream.errors import StreamError
from stream.fleet import FleetLines, conclude
from stream.health import Address, Health
from stream.lines import Lines, event
from stream.loop import Loop
from stream.panel import Panel
from stream.phase import Phase
from stream.process import Interruption
from stream.report import Pace, model_of
from stream.session import Enter, Stop, Watch
from stream.shard import Shard
from stream.sharded import ShardedService
from stream.tables import labels_line, member_table, rate, score_table

STOOD_BY = "never held the partition, it was stopped before that: nothing was learned"

Display = AbstractContextManager[Watch]


def run(path: Path, until_end: bool, metrics: str | None, accept_gap: bool) -> None:
    """Run the service of a file until its end or a signal, and print a summary.

    Parameters
    ----------
    path
        The file.
    until_end
        End where each partition ends now.
    metrics
        Where to tell how it is going over HTTP, see `Address.parse`; None: nowhere.
    accept_gap
        See `Service`.

    Raises
    ------
    AlluviaError
        It cannot begin or go on.
    """
    stop = Interruption()
    stop.listen()
    config = load(path)
    pace = Pace()
    health = None if metrics is None else Health(Address.parse(metrics), pace)
    with health or contextlib.nullcontext(), _shown(config, pace) as show:
        heard: Stop = stop
        watch: Watch = show
        enter: Enter = _ignore
        if health is not None:
            heard, watch, enter = health.heard(stop), _both(health, show), health.enter
        if config.scope == "partition":
            shards = ShardedService(config, accept_gap).run(until_end, heard, watch, enter)
        else:
            service = Service(config, accept_gap=accept_gap)
            shard = service.run(until_end, heard, watch, enter=enter)
    if config.scope == "partition":
        conclude(config, shards, _show)
    else:
        summarize(config, shard, pace)


def _shown(config: Config, pace: Pace) -> Display:
    if config.scope == "partition":
        return contextlib.nullcontext(FleetLines(config, _show))
    return display(config, pace)


def _ignore(phase: Phase) -> None:
    """Nobody asked for health."""


def display(config: Config, pace: Pace) -> Display:
    """Return what shows a run: the panel on a terminal, else lines."""
    if sys.stdout.isatty():
        return Panel(f"alluvia  {config.name}", pace, Console())
    output = config.output
    lines = Lines(config.name, pace, output.log, output.interval / 1000, _show)
    return contextlib.nullcontext(lines)


def _both(first: Watch, second: Watch) -> Watch:
    def watch(loop: Loop) -> None:
        first(loop)
        second(loop)

    return watch


def summarize(config: Config, shard: Shard, pace: Pace) -> None:
    """Print what a run came to; a line of JSON where those are asked for and nobody looks on."""
    as_json = config.output.log == "json" and not sys.stdout.isatty()
    if shard.lineage == 0:
        _show(event(config.name, "standby", {}) if as_json else f"{config.name}: {STOOD_BY}")
        return
    told = model_of(shard) | {
        "overall": pace.overall(),
        "digest": digest(shard.learner.estimator),
        "set_aside_most": _commonest(config, shard.counts["set_aside"]),
    }
    if as_json:
        _show(event(config.name, "summary", told))
        return
    # A reason quotes what it likes, which must not be taken for markup.
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(Group(*_parts(config.name, told)))


def _parts(name: str, told: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield what a summary shows, from the top down."""
    counts, most = told["counts"], told["set_aside_most"]
    yield f"{name}, model {told['version']}"
    yield (
        f"records  {counts['records']:,} ({rate(told['overall'])} in this run), "
        f"learned {counts['learned']:,}, dead letters {counts['set_aside']:,}"
    )
    if "labels" in told:
        yield labels_line(told["labels"])
    yield ""
    yield score_table(told["scores"])
    if told["members"]:
        yield ""
        yield member_table(told["members"])
    for reason in told["skipped"][-1:]:
        yield f"a window was skipped: {reason}"
    aside = counts["set_aside"]
    if most is not None:
        every = "every record was set aside" if aside == counts["records"] else "set aside"
        of = f"{aside:,}" if aside <= LOOKED_AT else f"the last {LOOKED_AT:,}"
        yield ""
        yield f"{every}, most often ({most['count']:,} of {of}): {most['reason']}"
    if aside:
        yield "`alluvia dead` tells of each"
    yield ""
    yield f"digest  {told['digest']}"


def _commonest(config: Config, aside: int) -> dict[str, Any] | None:
    """Return the commonest reason of a service's dead letters and its count.

    None where there is none, or the letters are in a topic, which would have to be read whole.
    """
    if not aside or config.dead.topic is not None:
        return None
    found = None
    try:
        if has_dead(config):
            with contextlib.closing(open_dead(config)) as dead:
                found = dead.commonest()
    except StreamError as error:
        found = str(error), 0
    reason, count = found or ("the letters are not there any more", 0)
    return {"reason": reason, "count": count}


def _show(line: str) -> None:
    print(line, flush=True)
