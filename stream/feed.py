"""Feeding: the records of files into a service's topic, paced, with a progress bar."""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from stream.config import Config, load
from stream.errors import ConfigError, LogError, StreamError
from stream.file_log import take
from stream.files import RecordFile
from stream.log import Appender, Message
from stream.log_kinds import open_appender, open_log
from stream.sections import RecordConfig
from stream.tables import rate as per_second

SLICE = 20_000
SLICES_PER_SECOND = 20
_RATE = re.compile(r"([0-9]{1,9})(/s)?", re.ASCII)


def feed(
    path: Path,
    paths: Sequence[Path],
    partitions: int | None,
    rate: str | None,
    columns: Sequence[str] | None,
    labels: bool = False,
) -> None:
    """Append the records of files in order, make the topic if it is missing, and tell of it.

    The topic is the one that labels have to themselves where `labels` says so.

    Raises
    ------
    AlluviaError
        A file, the rate or the log cannot be used, or the topic has other partitions.
    """
    config = load(path)
    name, record = _of_labels(config) if labels else (config.log.topic, config.record)
    limit = None if rate is None else parse_rate(rate)
    now = time.time_ns() // 1_000_000
    _refuse_unreadable([RecordFile(one, now, record, columns) for one in paths], paths)
    files = [RecordFile(one, now, record, columns) for one in paths]
    topic = repr(name)
    with contextlib.closing(open_appender(config, name)) as appender:
        if appender.create(partitions or 1):
            topic += f", made with {partitions or 1} partition(s)"
        elif partitions is not None:
            _refuse_other(config, name, partitions)
        begun = time.monotonic()
        count = _append(appender, files, limit)
        seconds = time.monotonic() - begun
    print(f"{count:,} records in {seconds:.1f} s ({per_second(count / seconds)}) into {topic}")
    for one, file in zip(paths, files, strict=True):
        if not file.labelled:
            print(f"{one.name} has no column {record.label!r}: no record of it is learned")
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


def _of_labels(config: Config) -> tuple[str, RecordConfig]:
    """Return the topic that labels have to themselves, and what is what in their records.

    The id is the message's key, as far as a record has one.
    """
    label, record = config.label, config.record
    if label is None or label.topic is None:
        raise ConfigError(
            "wanted [label] topic with --labels, got none: name it, or leave out --labels where "
            "labels come among the records"
        )
    paths = label.paths(record)
    return label.topic, RecordConfig(key=paths.id or record.id, label=paths.label, time=paths.time)


def _refuse_unreadable(files: Sequence[RecordFile], paths: Sequence[Path]) -> None:
    """Read up to the first records: nothing is appended if one of the files cannot be read."""
    for file, path in zip(files, paths, strict=True):
        if path.is_file():  # what a pipe gives is gone when it was read
            with contextlib.closing(iter(file)) as messages:
                next(messages, None)


def _refuse_other(config: Config, topic: str, partitions: int) -> None:
    with contextlib.closing(open_log(config, None, topic)) as log:
        held = len(log.bounds())
    if held != partitions:
        raise LogError(
            f"wanted the topic {topic!r} with {partitions} partition(s), got it with "
            f"{held}: leave out --partitions, or name another topic"
        )


def _append(appender: Appender, files: Sequence[RecordFile], limit: int | None) -> int:
    messages = itertools.chain.from_iterable(files)
    count = 0
    size = SLICE if limit is None else -(-limit // SLICES_PER_SECOND)
    with _bar() as bar:
        task = bar.add_task("feeding", total=sum(file.size for file in files), records=0)
        try:
            for part in paced(messages, size, limit):
                count += appender.append(part)
                _advance(bar, task, files, count)
        except StreamError as error:
            if not count:
                raise
            # Fed again, they would be there twice.
            raise StreamError(f"{error}; the {count:,} records before are in the topic") from error
        except KeyboardInterrupt:
            print(f"{count:,} records are in the topic, or a few more", file=sys.stderr)
            raise
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
