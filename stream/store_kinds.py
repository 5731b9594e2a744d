"""The kinds of store that a configuration may name."""

from __future__ import annotations

import contextlib
import importlib

from stream.config import Config
from stream.private import make_folder
from stream.store import Store
from stream.store_embedded import EmbeddedStore


def open_store(config: Config) -> Store:
    """Connect to the configured store."""
    store = config.store
    if store.kind == "redis":
        # Imported for those who name it: a service starts sooner without.
        redis = importlib.import_module("stream.store_redis")
        opened: Store = redis.RedisStore(
            store.url, config.name, store.ttl, store.options, config.partition
        )
        return opened
    with contextlib.suppress(OSError):  # told by the store, when it finds no folder
        make_folder(store.path.parent)
    return EmbeddedStore(store.path, config.name, store.ttl, config.partition)
