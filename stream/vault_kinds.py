"""The places where checkpoints and the journal may be kept, as a configuration names them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from stream.bucket import Bucket
from stream.checkpoint import Checkpoints
from stream.config import SHARD, Config
from stream.folder import Folder
from stream.journal import Journal, Mark
from stream.journal_carried import CarriedJournal
from stream.journal_file import FileJournal, last_mark
from stream.patience import at_once
from stream.vault import Vault

_NUMBERED = re.compile(f"{SHARD}(0|[1-9][0-9]{{0,9}})", re.ASCII)


def open_vault(config: Config, stop: Callable[[], bool] = at_once) -> Vault:
    """Return the place of a service's checkpoints; nothing is made before something is written.

    A disk that is full, or an object store that is away, is waited for until `stop` says so; by
    default not at all.
    """
    place = config.checkpoint
    if place.url is None:
        return Folder(place.path, stop)
    return Bucket(place.url, place.options, stop)


def checkpoints_of(config: Config, stop: Callable[[], bool] = at_once) -> Checkpoints:
    """Return the checkpoints of a service; see `open_vault`."""
    model = json.loads(config.model_fields_json())
    keep, signer = config.checkpoint.keep, config.signer()
    vault, digest = open_vault(config, stop), config.model_digest()
    return Checkpoints(vault, config.name, model, digest, keep, signer)


def shards_of(config: Config) -> list[Config]:
    """Return the configurations of the shards that were begun; a service without is its own."""
    if config.scope == "topic":
        return [config]
    names = open_vault(config).names(f"{SHARD}*")
    # A copy that somebody keeps beside them is none of them.
    numbers = (n.removeprefix(SHARD) for n in names if _NUMBERED.fullmatch(n))
    return [config.of_partition(p) for p in sorted(map(int, numbers))]


def open_journal(config: Config, checkpoints: Checkpoints) -> Journal:
    """Return the journal beside checkpoints, for the owner who has just claimed them."""
    claim, vault, signer = checkpoints.held, checkpoints.vault, config.signer()
    mark = None if claim.journal is None else Mark(**claim.journal)
    if isinstance(vault, Folder):
        return FileJournal(vault, claim.number, mark, signer)
    return CarriedJournal(vault, claim.number, claim.parent, mark, signer)


def journal_end(config: Config) -> Mark | None:
    """Return how far a service journalled, None where it journalled nothing."""
    checkpoints = checkpoints_of(config)
    if isinstance(checkpoints.vault, Folder):
        return last_mark(checkpoints.vault, config.signer())
    saved = checkpoints.newest()
    return None if saved is None or saved.journal is None else Mark(**saved.journal)
