"""What a log in a process of its own and its owner say to each other: frames over a socket."""

from __future__ import annotations

import socket
import struct
from typing import Any, Literal

import msgspec

from stream import errors
from stream.confluent_options import Client

Question = Literal["connect", "bounds", "offsets_at", "committed", "acquire", "seek", "lag"]

CHUNK = 5_000
"""Records in a run at most."""
AHEAD_RECORDS, AHEAD_BYTES = 100_000, 32 * 1024 * 1024
"""What is sent and not taken yet, beyond which no further run is sent."""

_LENGTH = struct.Struct("!Q")
_ENCODER = msgspec.msgpack.Encoder()
_ERRORS = {
    error.__name__: error
    for error in (
        errors.LogError,
        errors.MissingTopicError,
        errors.UnavailableError,
        errors.OffsetsExpiredError,
        errors.PartitionsRevokedError,
    )
}


class Open(msgspec.Struct, tag=0, array_like=True):
    """The first order: what to consume, and the level of what is worth logging."""

    servers: str
    topic: str
    group: str | None
    options: dict[str, Any]
    silence: float
    level: int
    shared: bool
    client: Client


class Ask(msgspec.Struct, tag=1, array_like=True):
    """A call of the log, to be answered with the same number."""

    number: int
    question: Question
    arguments: tuple[Any, ...]


class Commit(msgspec.Struct, tag=2, array_like=True):
    """Offsets to tell the group, without an answer."""

    positions: dict[int, int]
    metadata: str


class Taken(msgspec.Struct, tag=3, array_like=True):
    """How many records the owner has taken since the last seek."""

    records: int


class Beat(msgspec.Struct, tag=4, array_like=True):
    """A sign of life of the owner."""


class Reply(msgspec.Struct, tag=10, array_like=True):
    """What a call returned."""

    number: int
    question: Question
    value: Any


class Refusal(msgspec.Struct, tag=11, array_like=True):
    """The error a call raised."""

    number: int
    error: str
    text: str


class Failure(msgspec.Struct, tag=12, array_like=True):
    """The error `poll` raised."""

    error: str
    text: str


class Fetched(msgspec.Struct, tag=13, array_like=True):
    """A run of records."""

    partition: int
    offsets: list[int]
    times: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]


class Logged(msgspec.Struct, tag=14, array_like=True):
    """A line to log."""

    name: str
    level: int
    text: str


Order = Ask | Commit | Taken | Beat
News = Reply | Refusal | Failure | Fetched | Logged

opening = msgspec.msgpack.Decoder(Open)
orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
news: msgspec.msgpack.Decoder[News] = msgspec.msgpack.Decoder(News)


def pack(frame: Open | Order | News) -> bytearray:
    """Return a frame as it is sent.

    Raises
    ------
    TypeError
        It holds what has no form in msgpack.
    """
    data = bytearray(_LENGTH.size)
    _ENCODER.encode_into(frame, data, _LENGTH.size)
    _LENGTH.pack_into(data, 0, len(data) - _LENGTH.size)
    return data


def receive(end: socket.socket) -> bytes | None:
    """Wait for the next frame and return what it holds; None once the other side is gone."""
    head = _exactly(end, _LENGTH.size)
    return None if head is None else _exactly(end, _LENGTH.unpack(head)[0])


def error_of(frame: Refusal | Failure) -> errors.LogError:
    """Return the error as it was on the other side."""
    return _ERRORS[frame.error](frame.text)


def _exactly(end: socket.socket, size: int) -> bytes | None:
    parts = []
    try:
        while size:
            # One call for the whole frame: each gives up the interpreter and must win it back.
            part = end.recv(size, socket.MSG_WAITALL)
            if not part:
                return None
            parts.append(part)
            size -= len(part)
    except ConnectionError:
        return None
    return parts[0] if len(parts) == 1 else b"".join(parts)
