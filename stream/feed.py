"""Feeding: the records of files into a service's topic, paced, with a progress bar."""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from stream.app import open_appender
from stream.config import load
from stream.errors import ConfigError
from stream.file_log import take
from stream.files import RecordFile
from stream.log import Appender, Message
from stream.tables import rate as per_second

SLICE = 20_000
SLICES_PER_SECOND = 20
_RATE = re.compile(r"([0-9]{1,9})(/s)?", re.ASCII)


def feed(
    path: Path,
    paths: Sequence[Path],
    partitions: int,
    rate: str | None,
    columns: Sequence[str] | None,
) -> None:
    """Append the records of files in order, make the topic if it is missing, and tell of it.

    Raises
    ------
    AlluviaError
        A file, the rate or the log cannot be used.
    """
    config = load(path)
    limit = None if rate is None else parse_rate(rate)
    now = time.time_ns() // 1_000_000
    record = config.record
    files = [RecordFile(one, now, record.key, record.time, columns) for one in paths]
    appender = open_appender(config)
    try:
        made = appender.create(partitions)
        begun = time.monotonic()
        count = _append(appender, files, limit)
        seconds = time.monotonic() - begun
    finally:
        appender.close()
    topic = f"{config.log.topic!r}{f', made with {partitions} partition(s)' if made else ''}"
    print(f"{count:,} records in {seconds:.1f} s ({per_second(count / seconds)}) into {topic}")
    ragged = sum(file.ragged for file in files)
    if ragged:
        print(f"{ragged:,} rows did not have a cell for each column: they will be set aside")


def parse_rate(text: str) -> int:
    """Return the records per second of text such as "500/s".

    Raises
    ------
    ConfigError
        The text is not such a rate, or is 0.

    Examples
    --------
    >>> parse_rate("500/s"), parse_rate("1000")
    (500, 1000)
    """
    found = _RATE.fullmatch(text)
    if found is None or not int(found[1]):
        raise ConfigError(f'wanted a rate such as "500/s", got {text!r}: write records per second')
    return int(found[1])


def _append(appender: Appender, files: Sequence[RecordFile], limit: int | None) -> int:
    messages = itertools.chain.from_iterable(files)
    count = 0
    size = SLICE if limit is None else -(-limit // SLICES_PER_SECOND)
    with _bar() as bar:
        task = bar.add_task("feeding", total=sum(file.size for file in files), records=0)
        for part in paced(messages, size, limit):
            count += appender.append(part)
            _advance(bar, task, files, count)
    return count


def paced(
    messages: Iterator[Message],
    size: int,
    limit: int | None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[Message]]:
    """Yield slices of `size` messages or 32 MB, at most `limit` messages a second; None for any.

    What a delay left undone is not made up for: one slice at most follows without a pause.
    """
    due = clock()
    while part := take(messages, size):
        yield part
        if limit is not None:
            due += len(part) / limit
            if due > clock():
                sleep(due - clock())
            due = max(due, clock() - size / limit)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[records]:,} records"),
        TimeRemainingColumn(),
        console=Console(),
        transient=True,
        disable=not sys.stdout.isatty(),
    )


def _advance(bar: Progress, task: TaskID, files: Sequence[RecordFile], count: int) -> None:
    bar.update(task, completed=sum(file.position for file in files), records=count)
