"""Files of records: CSV, JSON lines and Parquet, read as messages for a log."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
import pyarrow

from stream.cells import Converter, converter
from stream.errors import ConfigError
from stream.header import header_of, parts_of, refuse_doubles, refuse_unknown
from stream.log import Message
from stream.parquet import Batch, ParquetFile, encoded
from stream.sections import RecordConfig
from stream.units import LAST, UnitError, parse_time

_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_SAMPLE = 1_000
_LONGEST = 64 * 2**20
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)
_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder().decode


class Piece(NamedTuple):
    """Consecutive records of a file, as parallel sequences."""

    keys: list[bytes | None]
    times: list[int]
    values: Sequence[bytes | None]

    def part(self, start: int, stop: int) -> Piece:
        """Return the records from one place to before another."""
        return Piece(self.keys[start:stop], self.times[start:stop], self.values[start:stop])


def piece_of(messages: Sequence[Message]) -> Piece:
    """Return messages, one at least, as parallel lists."""
    keys, values, times, _ = (list(column) for column in zip(*messages, strict=True))
    return Piece(keys, times, values)


class RecordFile:
    """The records of one file, in order, each as a message; memory is bounded.

    CSV (`.csv`, `.tsv`, which knows no quotes) and JSON lines (`.jsonl`, `.ndjson`) may end in
    `.gz`; `.parquet` is read in batches. A CSV column has one type, see `stream.cells`. Lines of
    JSON are passed through byte for byte. A CSV row with more or fewer cells than the header is
    sent as a JSON string of the row, and one that is not UTF-8 as its bytes: no record is an
    object then, so the consumer sets it aside; `ragged` counts them.

    Parameters
    ----------
    path
        The file; its suffix says what it is.
    now
        Event time in milliseconds of a record that has none of its own.
    record
        What is what in a record. The field at `key`, a string or an integer, is the message's
        key; that at `time`, milliseconds since 1970 or an RFC 3339 time, is its event time.
    columns
        Names of the columns of a CSV file without a header.

    Attributes
    ----------
    size
        Bytes of the file.
    position
        How many of them have been read, for a progress bar.
    ragged
        CSV rows so far that did not have a cell for each column, or were not UTF-8.
    columnar
        Whether it holds columns, of which `pieces` makes no records.
    labelled
        Whether a CSV file that is being read has the label's column.

    Raises
    ------
    ConfigError
        There is no such file, or its suffix is not one of these. While it is read: it has no
        header, lacks a column that `record` names, or is damaged.
    """

    def __init__(
        self,
        path: Path,
        now: int,
        record: RecordConfig | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        name = path.name.lower()
        suffix = Path(name.removesuffix(".gz")).suffix
        if suffix not in _SUFFIXES or name.endswith(".parquet.gz"):
            raise ConfigError(
                f"wanted a file that ends in {', '.join(_SUFFIXES)} (text with .gz too), "
                f"got {path.name}: convert it, or rename it for what it holds"
            )
        if columns is not None and suffix not in (".csv", ".tsv"):
            raise ConfigError(
                f"wanted columns for a CSV file only, got {path.name}: leave them out"
            )
        try:
            self.size = path.stat().st_size
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        self.columnar = suffix == ".parquet"
        self.position = 0
        self.ragged = 0
        self.labelled = True
        self._path = path
        self._suffix = suffix
        self._zipped = name.endswith(".gz")
        self._now = now
        self._record = record or RecordConfig()
        self._key, self._time = self._record.key, self._record.time
        self._columns = columns

    def __iter__(self) -> Generator[Message]:
        """Read the file from its start to its end."""
        with self._opened() as file:
            yield from self._messages(file)
        self.position = self.size

    def pieces(self) -> Iterator[Piece]:
        """Read the file from its start to its end, many records at a time.

        Those of Parquet are made only where somebody looks at one.
        """
        if self.columnar:
            with self._opened() as file:
                yield from map(self._piece, self._batches(file))
            return
        messages = iter(self)
        while part := list(itertools.islice(messages, _SAMPLE)):
            yield piece_of(part)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        """Open the file, and tell of what is wrong with it while it is read."""
        try:
            with self._path.open("rb") as file:
                yield file
        except (*_DAMAGED, pyarrow.ArrowException, csv.Error) as error:
            raise ConfigError(
                f"wanted a whole {self._suffix} file, got {self._path.name}, which is damaged "
                f"({error}): get it anew"
            ) from error
        except OSError as error:
            raise _unreadable(self._path, error) from error

    def _messages(self, file: IO[bytes]) -> Iterator[Message]:
        if self.columnar:
            return self._parquet(file)
        plain: Any = gzip.open(file) if self._zipped else file
        return (
            self._csv(plain, file) if self._suffix in (".csv", ".tsv") else self._lines(plain, file)
        )

    def _csv(self, plain: Any, file: IO[bytes]) -> Iterator[Message]:
        csv.field_size_limit(_LONGEST)
        with io.TextIOWrapper(plain, "utf-8-sig", errors="surrogateescape", newline="") as text:
            rows = csv.reader(text) if self._suffix == ".csv" else _tabbed(text)
            given = self._columns
            if given is None:
                names = header_of(next(rows, []), self._record, self._path.name)
            else:
                names = list(given)
                refuse_doubles(names, self._path.name)
                refuse_unknown(names, parts_of(self._record), self._path.name)
            self.labelled = self._record.label is None or self._record.label in names
            yield from self._typed(rows, names, file)

    def _typed(
        self, rows: Iterator[list[str]], names: list[str], file: IO[bytes]
    ) -> Iterator[Message]:
        width = len(names)
        converters: list[Converter] | None = None
        while chunk := list(itertools.islice(rows, _SAMPLE)):
            self.position = file.tell()
            table = [row for row in chunk if len(row) == width]
            if converters is None:
                converters = [converter(cells) for cells in zip(*table, strict=True)]
            columns = [
                convert(cells)
                for convert, cells in zip(converters, zip(*table, strict=True), strict=False)
            ]
            records = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
            if len(table) == len(chunk):
                yield from self._sent(chunk, records)
            else:
                yield from self._sent_around(chunk, records, width)
            converters = converters or None  # no row of the first chunk had a cell for each

    def _sent_around(
        self, chunk: list[list[str]], records: Iterator[dict[str, Any]], width: int
    ) -> Iterator[Message]:
        """Send the rows of a chunk in order, ragged ones as text; an empty line is no row."""
        for row in chunk:
            if len(row) == width:
                yield from self._sent([row], itertools.islice(records, 1))
            elif row:
                yield self._set_aside(row)

    def _sent(self, chunk: list[list[str]], records: Iterable[dict[str, Any]]) -> Iterator[Message]:
        key, time, now = self._key, self._time, self._now
        for row, record in zip(chunk, records, strict=True):
            try:
                value = _encode(record)
            except UnicodeEncodeError:
                yield self._set_aside(row)
                continue
            yield Message(
                None if key is None else _key_text(record[key]),
                value,
                now if time is None else _milliseconds(record[time], now),
            )

    def _set_aside(self, row: list[str]) -> Message:
        self.ragged += 1
        line = ("," if self._suffix == ".csv" else "\t").join(row)
        try:
            value = _encode(line)
        except UnicodeEncodeError:
            value = line.encode("utf-8", "surrogateescape")
        return Message(None, value, self._now)

    def _lines(self, plain: Any, file: IO[bytes]) -> Iterator[Message]:
        fields = self._key is not None or self._time is not None
        number = 0
        while line := plain.readline(_LONGEST):
            number += 1
            if number % _SAMPLE == 0:
                self.position = file.tell()
            if len(line) == _LONGEST:
                raise ConfigError(
                    f"wanted one JSON object on each line of {self._path.name}, got more than "
                    f"{_LONGEST} bytes in line {number}: break it into lines"
                )
            value = line.rstrip(b"\r\n")
            if number == 1:
                value = value.removeprefix(b"\xef\xbb\xbf")
            if value and not value.isspace():
                yield self._message(value) if fields else Message(None, value, self._now)

    def _message(self, value: bytes, record: Any = None) -> Message:
        if record is None:
            try:
                record = _decode(value)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                return Message(None, value, self._now)  # the consumer sets it aside
        key = None if self._key is None else _key_text(_at(record, self._key))
        time = None if self._time is None else _at(record, self._time)
        return Message(key, value, _milliseconds(time, self._now))

    def _parquet(self, file: IO[bytes]) -> Iterator[Message]:
        for batch in self._batches(file):
            for record in batch.records():
                yield self._message(encoded(record), record)

    def _batches(self, file: IO[bytes]) -> Iterator[Batch]:
        table = ParquetFile(file)
        names = table.names
        refuse_doubles(names, self._path.name)
        paths = [path for path in (self._key, self._time) if path]
        inside = [path for path in paths if path.split(".")[0] in names]
        refuse_unknown([*names, *inside], paths, self._path.name)
        rows = 0
        for batch in table:
            yield batch
            rows += len(batch)
            self.position = self.size * rows // table.rows

    def _piece(self, batch: Batch) -> Piece:
        """Return the records of a batch; only what they are filed by is looked at."""
        keys: list[bytes | None] = [None] * len(batch)
        times = [self._now] * len(batch)
        if self._key is not None:
            keys = list(map(_key_text, _values(batch, self._key)))
        if self._time is not None:
            times = [_milliseconds(value, self._now) for value in _values(batch, self._time)]
        return Piece(keys, times, batch)


def _unreadable(path: Path, error: Exception) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) else error
    return ConfigError(
        f"wanted a file of records, got {path}, which cannot be read ({reason}): check the path"
    )


def _tabbed(text: io.TextIOWrapper) -> Iterator[list[str]]:
    return csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)


def _at(record: Any, path: str) -> Any:
    """Return the value at a path of a decoded record, None if it has none."""
    if isinstance(record, dict) and path in record:
        return record[path]
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _values(batch: Batch, path: str) -> list[Any]:
    """Return the value at a path of each row."""
    if path in batch.table.schema.names:
        values: list[Any] = batch.table.column(path).to_pylist()
        return values
    top = path.split(".")[0]
    return [_at({top: value}, path) for value in batch.table.column(top).to_pylist()]


def _key_text(value: object) -> bytes | None:
    if isinstance(value, str) and value:
        return value.encode()
    return str(value).encode() if type(value) is int else None


def _milliseconds(value: object, now: int) -> int:
    if type(value) is int:
        return value if 0 <= value < LAST else now
    try:
        return parse_time(value)
    except UnitError:
        return now
