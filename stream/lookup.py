"""Stored predictions told as lines of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from stream.client import Client


def lookup(path: Path, keys: Sequence[str]) -> bool:
    """Print the prediction of each key; return whether all had one.

    Raises
    ------
    AlluviaError
        The configuration or the store cannot be used.
    """
    with Client.from_file(path) as client:
        found = client.lookup(*keys)
    for key, prediction in zip(keys, found, strict=True):
        if prediction is None:
            print(f"no prediction for the key {key!r}", file=sys.stderr)
        else:
            print(json.dumps(prediction.to_json()))
    return None not in found
