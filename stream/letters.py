"""Dead letters as lines of JSON: what `alluvia dead` prints, and reads again."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated

import msgspec

from stream.block import DeadLetter
from stream.errors import StreamError

# What a log takes.
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Time = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Line(msgspec.Struct):
    """A dead letter as it is printed, and perhaps mended; what else is there does not count.

    Bytes that are no UTF-8 are in base64; what was cut short has the number of all its bytes.
    """

    topic: str
    partition: Number
    offset: Number
    time: Time
    key: str | None
    value: str | None
    key_base64: bool = False
    value_base64: bool = False
    key_bytes: int | None = None
    value_bytes: int | None = None

    @property
    def letter(self) -> DeadLetter:
        """The letter, without a reason.

        Raises
        ------
        StreamError
            It was cut short, or is no base64.
        """
        if self.key_bytes is not None or self.value_bytes is not None:
            raise StreamError("wanted all bytes, got a cut line: print it with --full")
        key = _bytes(self.key, self.key_base64)
        value = _bytes(self.value, self.value_base64)
        return DeadLetter(self.topic, self.partition, self.offset, self.time, key, value, "")


_decode = msgspec.json.Decoder(Line).decode


def printed(letter: DeadLetter, longest: int | None) -> str:
    """Return the line of a letter, with up to `longest` bytes of its key and value."""
    told = {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time": letter.time,
        "reason": letter.reason,
        "error": letter.error,
    }
    for name, data in (("key", letter.key), ("value", letter.value)):
        told |= _shown(name, data, longest)
    return json.dumps(told)


def parsed(line: bytes) -> DeadLetter:
    """Return the letter of a line, without a reason.

    Raises
    ------
    StreamError
        It is no such line, or was cut short.
    """
    try:
        return _decode(line).letter
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StreamError(
            f"wanted a line as `alluvia dead --full` prints it, got: {error}: mend the line"
        ) from error


def _shown(name: str, data: bytes | None, longest: int | None) -> dict[str, str | int | None]:
    if data is None:
        return {name: None}
    shown = data[:longest]
    told: dict[str, str | int | None]
    try:
        data.decode()
        told = {name: shown.decode("utf-8", "ignore")}  # the cut may have split a character
    except UnicodeDecodeError:
        told = {name: base64.b64encode(shown).decode(), f"{name}_base64": True}
    if len(shown) < len(data):
        told[f"{name}_bytes"] = len(data)
    return told


def _bytes(text: str | None, is_base64: bool) -> bytes | None:
    if text is None or not is_base64:
        return None if text is None else text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise StreamError(f"wanted base64, got: {error}: mend the line") from error
