"""A watchman: looks at every key in Redis all the while, and notes those that go backwards."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

Version = tuple[int, int]
"""Lineage and sequence."""

PAUSE = 0.05


class Watchman:
    """Reads the version of every stored prediction again and again; a context manager.

    Attributes
    ----------
    looks
        How often it read all of them.
    backwards
        A key, what was seen of it, and what came after that and was older.
    """

    def __init__(self, url: str, name: str) -> None:
        self.looks = 0
        self.backwards: list[tuple[str, Version, Version]] = []
        self._seen: dict[str, Version] = {}
        self._pattern = f"alluvia:{{{name}}}:prediction:*"
        self._redis: Any = Redis.from_url(url, decode_responses=True, protocol=2)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchman")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._redis.close()

    def _run(self) -> None:
        while not self._over.wait(PAUSE):
            with contextlib.suppress(RedisError):  # it is killed now and then
                self._look()

    def _look(self) -> None:
        keys = list(self._redis.scan_iter(self._pattern, count=1_000))
        pipeline = self._redis.pipeline(transaction=False)
        for key in keys:
            pipeline.hmget(key, "lineage", "sequence")
        for key, (lineage, sequence) in zip(keys, pipeline.execute(), strict=True):
            if lineage is None:
                continue  # removed since the keys were listed
            found = int(lineage), int(sequence)
            if found < self._seen.get(key, found):
                self.backwards.append((key, self._seen[key], found))
            self._seen[key] = found
        self.looks += 1
