"""The newest checkpoint that a service left behind, as JSON."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from learners.digests import digest
from stream.app import new_shard
from stream.config import Config, differences, load
from stream.errors import CheckpointError
from stream.manifest import Manifest, check_versions
from stream.report import model_of
from stream.shard import Shard
from stream.vault_kinds import checkpoints_of, open_vault, shards_of


def state(path: Path) -> None:
    """Print the newest checkpoint.

    Raises
    ------
    CheckpointError
        There is none, or it is torn, or of another configuration.
    """
    config = load(path)
    if config.scope == "topic":
        print(json.dumps(_told(config), indent=2))
        return
    shards = {one.partition: _told(one) for one in shards_of(config)}
    if not shards:
        raise _missing(config)
    digests = json.dumps({partition: told["digest"] for partition, told in shards.items()})
    whole = hashlib.sha256(digests.encode()).hexdigest()
    print(json.dumps({"name": config.name, "partitions": shards, "digest": whole}, indent=2))


def _told(config: Config) -> dict[str, Any]:
    """Return what the newest checkpoint of one model holds, as JSON values."""
    saved, shard = restored(config)
    return {
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


def newest(config: Config) -> Manifest | None:
    """Return the newest checkpoint of a service without a trace, None if there is none.

    Raises
    ------
    CheckpointError
        It is torn, or made with another configuration or library version.
    """
    found = checkpoints_of(config).newest()
    if found is not None:
        check_versions(found.versions)
        if found.sequence and found.model_digest != config.model_digest():
            now = json.loads(config.model_fields_json())
            raise CheckpointError(
                f"the model of {config.name!r} was made with another configuration "
                f"({'; '.join(differences(found.model, now))}): set it back, or choose another "
                "name to start another model"
            )
    return found


def restored(config: Config, attempts: int = 5) -> tuple[Manifest, Shard]:
    """Return the newest checkpoint and the shard it holds.

    Raises
    ------
    CheckpointError
        There is none, or it is torn, or of another configuration.
    """
    saved = newest(config)
    if saved is None:
        raise _missing(config)
    shard = new_shard(config)
    if saved.model_digest != config.model_digest():  # an empty model, bound to no configuration
        shard.lineage = saved.lineage
        return saved, shard
    try:
        shard.restore(saved, checkpoints_of(config).state)
    except CheckpointError:
        # The running service may have dropped it for a newer one since it was found.
        if attempts == 1:
            raise
        return restored(config, attempts - 1)
    return saved, shard


def _missing(config: Config) -> CheckpointError:
    return CheckpointError(
        f"wanted a checkpoint in {open_vault(config).place}, got none: "
        "start the service first with `alluvia run`"
    )
