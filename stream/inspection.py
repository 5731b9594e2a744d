"""What a service left behind, as JSON: predictions, the newest checkpoint, dead letters."""

from __future__ import annotations

import base64
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from learners.digests import digest
from stream.app import checkpoints_of, new_shard, open_dead
from stream.block import DeadLetter
from stream.client import Client
from stream.config import Config, differences, load
from stream.errors import CheckpointError
from stream.manifest import Manifest, check_versions
from stream.report import model_of
from stream.shard import Shard

SHOWN_BYTES = 200


def lookup(path: Path, keys: Sequence[str]) -> bool:
    """Print the prediction of each key; return whether all had one."""
    with Client.from_file(path) as client:
        found = client.lookup(*keys)
    for key, prediction in zip(keys, found, strict=True):
        if prediction is None:
            print(f"no prediction for the key {key!r}", file=sys.stderr)
        else:
            print(json.dumps(prediction.to_json()))
    return None not in found


def state(path: Path) -> None:
    """Print the newest checkpoint.

    Raises
    ------
    CheckpointError
        There is none, or it is torn, or of another configuration.
    """
    config = load(path)
    saved, shard = _newest(config)
    told = {
        "name": saved.name,
        **model_of(shard),
        "number": saved.number,
        "offsets": [
            {"topic": p.topic, "partition": p.partition, "offset": p.offset}
            for p in saved.positions
        ],
        "fields": dict(shard.decoder.schema.kinds),
        "classes": list(shard.decoder.classes.labels),
        "versions": saved.versions,
        "digest": digest(shard.learner.estimator),
    }
    print(json.dumps(told, indent=2))


def dead(path: Path, limit: int | None, full: bool) -> None:
    """Print the dead letters of the newest lineage."""
    config = load(path)
    if not (config.checkpoint.path / "dead.db").exists():
        return
    letters = open_dead(config)
    try:
        for letter in itertools.islice(letters.letters(), limit):
            print(json.dumps(_told(letter, None if full else SHOWN_BYTES)))
    finally:
        letters.close()


def newest(config: Config) -> Manifest | None:
    """Return the newest checkpoint of a service without a trace, None if there is none.

    Raises
    ------
    CheckpointError
        It is torn, or made with another configuration or library version.
    """
    if not config.checkpoint.path.is_dir():
        return None
    found = checkpoints_of(config).newest()
    if found is not None:
        check_versions(found.versions)
        if found.model_digest != config.model_digest():
            now = json.loads(config.model_fields_json())
            raise CheckpointError(
                f"the model of {config.name!r} was made with another configuration "
                f"({'; '.join(differences(found.model, now))}): set it back, or choose another "
                "name to start another model"
            )
    return found


def _newest(config: Config, attempts: int = 5) -> tuple[Manifest, Shard]:
    """Return the newest checkpoint and the shard it holds."""
    saved = newest(config)
    if saved is None:
        raise CheckpointError(
            f"wanted a checkpoint in {config.checkpoint.path}, got none: "
            "start the service first with `alluvia run`"
        )
    shard = new_shard(config)
    try:
        shard.restore(saved, checkpoints_of(config).state)
    except CheckpointError:
        # The running service may have dropped it for a newer one since it was found.
        if attempts == 1:
            raise
        return _newest(config, attempts - 1)
    return saved, shard


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
