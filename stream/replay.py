"""The replay: history through the service's own loop, into a model under a name of its own."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from stream.app import Service, one_partition, open_files
from stream.bar import Bar
from stream.config import Config, load
from stream.errors import ConfigError
from stream.file_log import FileLog
from stream.folder import Folder
from stream.inspection import newest
from stream.log import Log
from stream.log_kinds import open_log
from stream.process import Interruption
from stream.report import Pace
from stream.runner import Display, display, summarize
from stream.units import parse_time
from stream.values import INT64, Name

MARK = "replay.json"
PATIENCE = 0.5
_WHOLE = re.compile("-?[0-9]+", re.ASCII)


def replay(
    path: Path, name: str, files: Sequence[Path], first: str | None, end: str | None
) -> None:
    """Replay files, or the service's topic if there are none, and print a summary.

    Raises
    ------
    AlluviaError
        The name is taken, a bound cannot be used, or the history cannot be read.
    """
    stop = Interruption()
    stop.listen()
    original = load(path)
    config = renamed(original, name)
    log = _history(original, files)
    begin, until = bounds_of(config, log, first, end)
    if newest(config) is None:
        refuse_empty(log, begin, until, stop)
    _mark(config, {"of": original.name, "history": log.topic, "from": begin})
    pace = Pace(log)
    with _display(config, pace, log, begin, until) as watch:
        service = Service(config, log)
        if isinstance(log, FileLog):
            shard = service.run(False, lambda: stop() or log.ended, watch, begin, until)
        else:
            shard = service.run(False, stop, watch, begin, until)
    if stop():
        print(f"{name}: interrupted; the same command goes on from here", file=sys.stderr)
    summarize(config, shard, pace)


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
    folder = config.checkpoint.path.parent / name
    if name == config.name or folder == config.checkpoint.path:
        raise ConfigError(
            f"wanted another name than the service's, got --as {name}: a replay must not touch "
            "what the service made; choose another name"
        )
    place = config.checkpoint.model_copy(update={"path": folder})
    return config.model_copy(update={"name": name, "checkpoint": place})


def bounds_of(
    config: Config, log: Log, first: str | None, end: str | None
) -> tuple[dict[int, int], dict[int, int] | None]:
    """Return the offsets to begin at and to end before; None ends where files end.

    Raises
    ------
    AlluviaError
        A bound is neither an offset nor a time, or the end is not after the beginning.
    """
    if isinstance(log, FileLog):
        begin = {0: 0} if first is None else _offsets(config, log, first)
        until = None if end is None else _offsets(config, log, end)
    else:
        held = one_partition(log)
        start = config.record.start
        if first is not None:
            begin = _offsets(config, log, first)
        elif isinstance(start, int):
            begin = log.offsets_at(start)
        else:
            begin = {partition: at.first for partition, at in held.items()}
        wanted = {} if end is None else _offsets(config, log, end)
        until = {p: min(at.end, wanted.get(p, at.end)) for p, at in held.items()}
    if until is not None and until[0] <= begin[0]:
        raise ConfigError(
            f"wanted history that ends after it begins, got no record from offset {begin[0]} to "
            f"before {until[0]}: correct --from and --to, or feed the topic"
        )
    return begin, until


def refuse_empty(
    log: Log, begin: Mapping[int, int], until: Mapping[int, int] | None, stop: Callable[[], bool]
) -> None:
    """Refuse history without a record, which would give a model of nothing; `stop` ends the search.

    Raises
    ------
    ConfigError
        There is no record at or after the beginning and before the end.
    """
    while not stop() and not log.acquire(PATIENCE):
        continue
    log.seek(begin)
    run = None
    while not stop() and run is None:
        run = log.poll(1, PATIENCE)
        if run is None and log.lag() == 0:
            break
    if stop():
        return
    if run is None or (until is not None and run.offsets[0] >= until[0]):
        end = "its end" if until is None else f"before {until[0]}"
        raise ConfigError(
            f"wanted history with a record, got none in {log.topic} from offset {begin[0]} to "
            f"{end}: correct --from and --to"
        )


def _offsets(config: Config, log: Log, bound: str) -> dict[int, int]:
    if _WHOLE.fullmatch(bound):
        return {0: _offset(bound)}
    moment = parse_time(bound)
    if isinstance(log, FileLog) and config.record.time is None:
        raise ConfigError(
            f"wanted an offset for files without times, got {bound!r}: set [record] time, or "
            "count records from 0"
        )
    return log.offsets_at(moment)


def _offset(bound: str) -> int:
    # Digits are counted first: Python refuses to read thousands of them.
    if bound.startswith("-") or len(bound) > 19 or int(bound) >= INT64:
        raise ConfigError(
            f"wanted an offset from 0 to {INT64 - 1}, got {bound:.40}: offsets count the records "
            "from 0"
        )
    return int(bound)


def _history(config: Config, files: Sequence[Path]) -> Log:
    if not files:
        return open_log(config, None)
    return open_files(config, list(files), "file " + ", ".join(file.name for file in files))


def _mark(config: Config, wanted: Mapping[str, object]) -> None:
    """Note what is replayed here, and refuse a name under which something else is."""
    text = json.dumps(wanted, sort_keys=True).encode()
    saved = newest(config)
    folder = Folder(config.checkpoint.path)
    try:
        noted = folder.read(MARK) if saved or not folder.create(MARK, text) else text
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
    log: Log,
    begin: Mapping[int, int],
    until: Mapping[int, int] | None,
) -> Display:
    return Bar(pace, log, begin, until) if sys.stdout.isatty() else display(config, pace)
