"""The stretch: which part of history is replayed, from where in each partition to where."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from stream.config import Config
from stream.errors import ConfigError, EmptyStretchError
from stream.file_log import FileLog
from stream.log import Log, Place
from stream.units import parse_time
from stream.values import INT64

PATIENCE = 0.5
_WHOLE = re.compile("-?[0-9]+", re.ASCII)


def bounds_of(
    config: Config, logs: Sequence[Log], first: str | None, end: str | None
) -> tuple[dict[Place, int], dict[Place, int] | None]:
    """Return the offsets to begin at and to end before; None ends where files end.

    Raises
    ------
    AlluviaError
        A bound is neither an offset nor a time.
    EmptyStretchError
        The end is not after the beginning.
    """
    begin: dict[Place, int] = {}
    until: dict[Place, int] = {}
    for log in logs:
        start, stop = _bounds_in(config, log, first, end, len(logs) == 1)
        begin |= {(log.topic, partition): offset for partition, offset in start.items()}
        until |= {(log.topic, partition): offset for partition, offset in stop.items()}
    if not until:
        return begin, None
    if all(until[place] <= offset for place, offset in begin.items()):
        place = min(begin)
        raise EmptyStretchError(
            f"wanted history that ends after it begins, got no record from offset {begin[place]} "
            f"to before {until[place]}: correct --from and --to, or feed the topic"
        )
    return begin, until


def _bounds_in(
    config: Config, log: Log, first: str | None, end: str | None, alone: bool
) -> tuple[dict[int, int], dict[int, int]]:
    """Return where one log is to begin and to end; no end for files that go to theirs."""
    if isinstance(log, FileLog):
        begin = {0: 0} if first is None else _offsets(config, log, first, True)
        return begin, {} if end is None else _offsets(config, log, end, True)
    held = log.bounds()
    # An offset says nothing of several partitions, each of which may have a model of its own.
    alone = alone and len(held) == 1 and config.partition is None
    start = config.record.start
    if first is not None:
        begin = _offsets(config, log, first, alone)
    elif isinstance(start, int):
        begin = log.offsets_at(start)
    else:
        begin = {partition: at.first for partition, at in held.items()}
    wanted = {} if end is None else _offsets(config, log, end, alone)
    return begin, {p: min(at.end, wanted.get(p, at.end)) for p, at in held.items()}


def refuse_empty(
    logs: Sequence[Log],
    begin: Mapping[Place, int],
    until: Mapping[Place, int] | None,
    stop: Callable[[], bool],
) -> None:
    """Refuse history without a record, which would give a model of nothing; `stop` ends the search.

    Raises
    ------
    EmptyStretchError
        There is no record at or after the beginning and before the end.
    """
    if any(_holds(log, begin, until, stop) for log in logs) or stop():
        return
    place = min(begin)
    end = "its end" if until is None else f"before {until[place]}"
    raise EmptyStretchError(
        f"wanted history with a record, got none in {logs[0].topic} from offset {begin[place]} to "
        f"{end}: correct --from and --to"
    )


def _holds(
    log: Log,
    begin: Mapping[Place, int],
    until: Mapping[Place, int] | None,
    stop: Callable[[], bool],
) -> bool:
    """Return whether a log has a record between the bounds."""
    while not stop() and not log.acquire(PATIENCE):
        continue
    log.seek({partition: at for (topic, partition), at in begin.items() if topic == log.topic})
    while not stop():
        run = log.poll(1, PATIENCE)
        if run is not None and (until is None or run.offsets[0] < until[run.place]):
            return True
        if run is None and log.lag() == 0:
            return False
    return False


def _offsets(config: Config, log: Log, bound: str, alone: bool) -> dict[int, int]:
    if _WHOLE.fullmatch(bound):
        if not alone:
            raise ConfigError(
                f"wanted a time for history in several partitions, got the offset {bound:.40}: "
                "write one such as 2024-05-01T00:00:00Z"
            )
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
