"""Predictions as they were served, kept beside the features that wait for their label."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from learners.base import Features, Predictions

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[dict[str, Any], bytes]).decode


def as_served(answers: Predictions) -> list[bytes]:
    """Return each row's answer as bytes: value and probabilities, b"" if it was refused.

    Trailing probabilities of 0 are left out: how many there are depends on the rows that follow.
    """
    table = answers.value[:, None]
    if answers.proba is not None:
        table = np.column_stack([table, answers.proba])
    width = table.shape[1]
    used = width - np.argmax(table[:, ::-1] != 0.0, axis=1)
    used[~table.any(axis=1)] = 1
    data = np.ascontiguousarray(table).tobytes()
    served = [
        data[8 * width * row : 8 * (width * row + length)]
        for row, length in enumerate(used.tolist())
    ]
    for row in answers.refused:
        served[row] = b""
    return served


def put(answers: Predictions, row: int, served: bytes) -> None:
    """Make the answer to a row what was served; one that was refused was not answered."""
    cells = np.frombuffer(served)
    answers.value[row] = cells[0] if len(cells) else math.nan
    if answers.proba is not None:
        answers.proba[row] = 0.0
        answers.proba[row, : len(cells) - 1] = cells[1:]


def pack(features: Features, served: bytes) -> bytes:
    """Return features and what was served for them as bytes; types and order are kept."""
    return _encode((features, served))


def unpack(content: bytes) -> tuple[Features, bytes]:
    """Return what was packed."""
    return _decode(content)
