"""Dead letters told as lines of JSON."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
from pathlib import Path
from typing import Any

from stream.block import DeadLetter
from stream.config import load
from stream.dead import has_dead, open_dead

SHOWN_BYTES = 200


def dead(path: Path, limit: int | None, full: bool) -> None:
    """Print the dead letters of the newest lineage.

    Raises
    ------
    AlluviaError
        The configuration or the file of letters cannot be read.
    """
    config = load(path)
    if not has_dead(config):
        return
    with contextlib.closing(open_dead(config)) as letters:
        for letter in itertools.islice(letters.letters(), limit):
            print(json.dumps(_told(letter, None if full else SHOWN_BYTES)))


def _told(letter: DeadLetter, longest: int | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time": letter.time,
        "reason": letter.reason,
    }
    for name, data in (("key", letter.key), ("value", letter.value)):
        told |= _shown(name, data, longest)
    return told


def _shown(name: str, data: bytes | None, longest: int | None) -> dict[str, Any]:
    if data is None:
        return {name: None}
    shown = data[:longest]
    told: dict[str, Any]
    try:
        data.decode()
        told = {name: shown.decode("utf-8", "ignore")}  # the cut may have split a character
    except UnicodeDecodeError:
        told = {name: base64.b64encode(shown).decode(), f"{name}_base64": True}
    if len(shown) < len(data):
        told[f"{name}_bytes"] = len(data)
    return told
