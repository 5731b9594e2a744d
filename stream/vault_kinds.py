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


def open_journal(
    config: Config, epoch: int, mark: Mark | None, stop: Callable[[], bool]
) -> Journal:
    """Return the journal of an owner who goes on from a mark; see `FileJournal`, `open_vault`."""
    vault, signer = open_vault(config, stop), config.signer()
    if isinstance(vault, Folder):
        return FileJournal(vault, epoch, mark, signer)
    return CarriedJournal(vault, mark, signer)


def journal_end(config: Config) -> Mark | None:
    """Return how far a service journalled, None where it journalled nothing."""
    vault = open_vault(config)
    if isinstance(vault, Folder):
        return last_mark(vault, config.signer())
    saved = checkpoints_of(config).newest()
    return None if saved is None or saved.journal is None else Mark(**saved.journal)
