"""The kinds of store that a configuration may name."""

from __future__ import annotations

import contextlib

from stream.config import Config
from stream.private import make_folder
from stream.store import Store
from stream.store_embedded import EmbeddedStore
from stream.store_redis import RedisStore


def open_store(config: Config) -> Store:
    """Connect to the configured store."""
    store = config.store
    if store.kind == "redis":
        return RedisStore(store.url, config.name, store.ttl, store.options, config.partition)
    with contextlib.suppress(OSError):  # told by the store, when it finds no folder
        make_folder(store.path.parent)
    return EmbeddedStore(store.path, config.name, store.ttl, config.partition)
