"""The kinds of store that a configuration may name."""

from __future__ import annotations

import contextlib

from stream.config import Config
from stream.store import Store
from stream.store_embedded import EmbeddedStore
from stream.store_redis import RedisStore


def open_store(config: Config) -> Store:
    """Connect to the configured store."""
    store = config.store
    if store.kind == "redis":
        return RedisStore(store.url, config.name, store.ttl, store.options)
    with contextlib.suppress(OSError):  # told by the store, when it finds no folder
        store.path.parent.mkdir(parents=True, exist_ok=True)
    return EmbeddedStore(store.path, config.name, store.ttl)
