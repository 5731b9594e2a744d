"""The replay: history through the service's own loop, into a model under a name of its own."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from stream.app import Service
from stream.bar import Bar
from stream.config import Config, load
from stream.errors import ConfigError, EmptyStretchError
from stream.file_log import FileLog
from stream.inspection import newest
from stream.intake import History
from stream.journal import Entry, Taken
from stream.journal_segment import chain
from stream.log import Log, Place
from stream.manifest import Position
from stream.merge import Merge
from stream.model import build
from stream.process import Interruption
from stream.processes import Processes
from stream.report import Pace
from stream.runner import Display, display, summarize
from stream.sections import PredictionsConfig
from stream.session import Order
from stream.share import Hub
from stream.sources import open_files, open_logs
from stream.stretch import bounds_of, refuse_empty
from stream.values import Name
from stream.vault_kinds import journal_end, open_vault

MARK = "replay.json"


def replay(
    path: Path,
    name: str,
    files: Sequence[Path],
    first: str | None,
    end: str | None,
    journal: bool = False,
    processes: int = 1,
) -> None:
    """Replay files, or the service's topics if there are none, and print a summary.

    The partitions of topics are taken in the order that the merge rule gives them, or with
    `journal` in the one that the service took them in. With several `processes` the windows of a
    rolling ensemble are learned side by side; the results are the same.

    Raises
    ------
    AlluviaError
        The name is taken, a bound cannot be used, or the history cannot be read.
    """
    stop = Interruption()
    stop.listen()
    original = load(path)
    config = renamed(original, name)
    with contextlib.ExitStack() as stack:
        pool = None
        if processes > 1:
            pool = stack.enter_context(
                contextlib.closing(Processes(processes, partial(build, original)))
            )
        asked = _Asked(first, end, journal, bool(files), stop, pool)
        logs = _history(original, files)
        for log in logs:
            stack.callback(log.close)
        if files or config.scope == "topic":
            _replay(original, config, logs, asked)
            return
        _replay_each(original, config, logs, asked)


class _Asked(NamedTuple):
    """What is asked for, see `replay`."""

    first: str | None
    end: str | None
    journal: bool
    files: bool
    stop: Interruption
    pool: Processes | None


def _replay_each(original: Config, config: Config, logs: Sequence[Log], asked: _Asked) -> None:
    """Replay each partition into a model of its own; one without a record gets none."""
    topic, models = logs[0].topic, 0
    for partition, at in logs[0].bounds().items():
        if at.end == at.first or asked.stop():
            continue
        print(f"partition {partition}", flush=True)
        shares = [Hub(log).share(partition) for log in logs]
        shard = original.of_partition(partition)
        try:
            _replay(shard, config.of_partition(partition), shares, asked)
            models += 1
        except EmptyStretchError:
            print("no record in this stretch, and no model", flush=True)
    if not models and not asked.stop():
        raise EmptyStretchError(
            f"wanted history with a record, got none in any partition of {topic!r}: correct --from "
            "and --to, or feed the topic"
        )


def _replay(original: Config, config: Config, logs: Sequence[Log], asked: _Asked) -> None:
    """Replay into one model."""
    first, end, journal, files, stop, pool = asked
    if journal:
        entries, begin = journalled(original, logs)
        until: dict[Place, int] | None = None
    else:
        begin, until = bounds_of(config, logs, first, end)
        if newest(config) is None and config.partition is None:
            refuse_empty(logs, begin, until, stop)
    topics = " and ".join(log.topic for log in logs)
    at = {f"{topic}/{partition}": offset for (topic, partition), offset in begin.items()}
    _mark(config, {"of": original.name, "history": topics, "from": at, "journal": journal})
    pace = Pace()
    with _display(config, pace, logs, begin, until) as watch:
        order: Order | None = None
        if journal:
            order = partial(History, entries)
        elif not files:
            order = partial(_merged, until or {})
        shard = Service(config, logs, order, pool=pool).run(False, stop, watch, begin, until)
    if stop():
        print(f"{config.name}: interrupted; the same command goes on from here", file=sys.stderr)
    summarize(config, shard, pace)


def _merged(
    ends: Mapping[Place, int], positions: Iterable[Position], open_reader: Callable[[str], Log]
) -> Merge:
    return Merge(positions, ends, open_reader)


def journalled(config: Config, logs: Sequence[Log]) -> tuple[list[Entry], dict[Place, int]]:
    """Return what a service journalled, and where that begins in each partition.

    Raises
    ------
    ConfigError
        It journalled nothing: one partition is its own order.
    """
    vault = open_vault(config)
    entries = list(chain(vault, None, journal_end(config), config.signer()))
    begin: dict[Place, int] = {}
    for entry in entries:
        if isinstance(entry, Taken):
            begin.setdefault((entry.topic, entry.partition), entry.first)
    if not begin:
        raise ConfigError(
            f"wanted the journal of {config.name!r}, got none in {vault.place}: a topic of one "
            "partition has none and needs none; replay it with --log"
        )
    for log in logs:
        for partition, at in log.bounds().items():
            begin.setdefault((log.topic, partition), at.first)
    return entries, begin


def renamed(config: Config, name: str) -> Config:
    """Return a configuration under another name, with a folder of its own beside the original's.

    Raises
    ------
    ConfigError
        It is no name, or the service's own.
    """
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--as: {reason}") from error
    folder, url = config.checkpoint.path.parent / name, config.checkpoint.url
    beside = None if url is None else f"{url.rpartition('/')[0]}/{name}"
    if name == config.name or folder == config.checkpoint.path or (url and url == beside):
        raise ConfigError(
            f"wanted another name than the service's, got --as {name}: a replay must not touch "
            "what the service made; choose another name"
        )
    place = config.checkpoint.model_copy(update={"path": folder, "url": beside})
    # What goes to topics tells of the service's own model.
    dead = config.dead.model_copy(update={"topic": None})
    own = {"checkpoint": place, "dead": dead, "predictions": PredictionsConfig()}
    return config.model_copy(update={"name": name, **own})


def _history(config: Config, files: Sequence[Path]) -> list[Log]:
    if not files:
        return open_logs(config, group=False)
    named = "file " + ", ".join(file.name for file in files)
    return [open_files(config, list(files), named)]


def _mark(config: Config, wanted: Mapping[str, object]) -> None:
    """Note what is replayed here, and refuse a name under which something else is."""
    text = json.dumps(wanted, sort_keys=True).encode()
    saved = newest(config)
    vault = open_vault(config)
    try:
        noted = vault.read(MARK) if saved or not vault.create(MARK, text) else text
    except FileNotFoundError:
        noted = b"a service's own checkpoints"
    if noted != text:
        raise ConfigError(
            f"wanted a new name or an interrupted replay of the same, got {config.name!r}, which "
            f"holds {noted.decode()}: choose another --as"
        )
    if saved is not None:
        version = f"{saved.lineage}@{saved.sequence}"
        print(f"{config.name}: goes on from its checkpoint, model {version}", file=sys.stderr)


def _display(
    config: Config,
    pace: Pace,
    logs: Sequence[Log],
    begin: Mapping[Place, int],
    until: Mapping[Place, int] | None,
) -> Display:
    if not sys.stdout.isatty():
        return display(config, pace)
    file = logs[0] if isinstance(logs[0], FileLog) else None
    return Bar(pace, file, begin, until)
