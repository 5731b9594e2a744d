"""Parquet as records: batches of columns, each row JSON where somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, overload

import msgspec
import pyarrow
import pyarrow.parquet

MANY_ROWS = 65_536
MANY_BYTES = 32 * 2**20
_CHUNK = 64
_MANY = 1_000
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Batch(Sequence[bytes | None]):
    """Rows of a Parquet file as the values of records.

    Parameters
    ----------
    table
        A `pyarrow.RecordBatch`.
    """

    def __init__(self, table: Any) -> None:
        self.table = table
        self._chunk, self._lines = -1, list[bytes]()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @overload
    def __getitem__(self, at: int) -> bytes: ...

    @overload
    def __getitem__(self, at: slice) -> Batch: ...

    def __getitem__(self, at: int | slice) -> bytes | Batch:
        """Return the JSON of a row, or a slice without copying anything."""
        if isinstance(at, slice):
            start, stop, _ = at.indices(len(self))
            return Batch(self.table.slice(start, max(0, stop - start)))
        chunk, place = divmod(range(len(self))[at], _CHUNK)
        if chunk != self._chunk:
            rows = self.table.slice(chunk * _CHUNK, _CHUNK).to_pylist()
            self._chunk, self._lines = chunk, [encoded(row) for row in rows]
        return self._lines[place]

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as Python values."""
        for start in range(0, len(self), _MANY):
            yield from self.table.slice(start, _MANY).to_pylist()


def encoded(record: dict[str, Any]) -> bytes:
    """Return a row as JSON."""
    return _encode(_finite(record))


class ParquetFile:
    """A file of rows in batches of bounded weight.

    Attributes
    ----------
    names
        Of the columns.
    rows
        How many there are.
    """

    def __init__(self, file: IO[bytes] | Path) -> None:
        # Left to itself it keeps all that was read of the file in memory.
        self._file = pyarrow.parquet.ParquetFile(file, pre_buffer=False)
        self.names: list[str] = self._file.schema_arrow.names
        self.rows: int = self._file.metadata.num_rows

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches in order."""
        meta = self._file.metadata
        size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        weight = max(1, size // max(1, self.rows))
        for table in self._file.iter_batches(max(1, min(MANY_ROWS, MANY_BYTES // weight))):
            if table.num_rows:
                yield Batch(table)


def _finite(value: Any) -> Any:
    """Return a value with infinities as words: JSON has none, and a null would hide them."""
    if isinstance(value, float):
        return str(value) if value in (float("inf"), float("-inf")) else value
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list) else value
