"""On a Redis where all that is stored is known, whole blocks are written without a look at each."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stream.store import Entries, Entry
from stream.store_redis import RedisStore
from tests.test_store_redis import Server

pytestmark = pytest.mark.services

KEYS = 6
MARK = "alluvia:{fraud}:newest"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "redis")
    yield started
    started.client.close()
    started.kill()


def key_of(sequence: int) -> str:
    return f"k{random.Random(sequence).randrange(KEYS)}"


def block(start: int, end: int, lineage: int = 1) -> Entries:
    """Return the last prediction of each key of the records behind `start`, up to `end`."""
    last = {key_of(sequence): sequence for sequence in range(start + 1, end + 1)}
    count, sequences = len(last), list(last.values())
    texts = [str(sequence) for sequence in sequences]
    numbers = (sequences, sequences, sequences)
    return Entries(lineage, "t", 0, list(last), texts, [""] * count, *numbers, end)


def looks(server: Server) -> int:
    found = server.client.info("commandstats").get("cmdstat_hmget", {"calls": 0})
    return int(found["calls"])


def test_a_fresh_server_is_written_without_a_look(server: Server) -> None:
    with closing(RedisStore(server.url, "fraud")) as store:
        store.claim(1)
        for start in range(0, 500, 50):
            store.put(block(start, start + 50))
        assert looks(server) == 0
        assert server.client.get(MARK) == "1@500"
        # What says of itself that it is old is looked at.
        assert store.put(block(100, 150)) == 0
        assert store.put([Entry("k0", "9", "", 1, 9, "t", 0, 9, 9)]) == 0
        assert looks(server) > 0
        assert server.client.get(MARK) == "1@500"


def test_a_server_that_held_something_is_looked_at(server: Server) -> None:
    server.client.set("of somebody else", 1)
    with closing(RedisStore(server.url, "fraud")) as store:
        store.claim(1)
        store.put(block(0, 50))
        assert looks(server) == len(block(0, 50))
        assert server.client.get(MARK) is None


def test_shards_leave_no_mark(server: Server) -> None:
    with closing(RedisStore(server.url, "fraud")) as store:
        store.claim(1)
    with closing(RedisStore(server.url, "fraud", partition=0)) as shard:
        shard.claim(1)
        shard.put(block(0, 50))
        assert server.client.get(MARK) is None


@pytest.mark.parametrize("seed", range(20))
def test_owners_that_go_back_and_cut_otherwise_never_put_an_older_one(
    server: Server, seed: int
) -> None:
    chance = random.Random(seed)
    newest: dict[str, tuple[int, int]] = {}
    at, lineage = 0, 1
    for epoch in range(1, 8):
        with closing(RedisStore(server.url, "fraud")) as store:
            store.claim(epoch)
            for _ in range(chance.randrange(1, 8)):
                end = at + chance.randrange(1, 20)
                entries = block(at, end, lineage)
                half = len(entries) if chance.random() < 0.7 else len(entries) // 2
                store.put(entries[:half])
                for one in entries[:half]:
                    version = (lineage, one.sequence)
                    newest[one.key] = max(newest.get(one.key, version), version)
                at = end
                for key, found in zip(newest, store.get(list(newest)), strict=True):
                    assert found is not None
                    assert (found.lineage, found.sequence) == newest[key]
                if chance.random() < 0.05:
                    server.client.delete(MARK)
                if half < len(entries):
                    break
        at = chance.randrange(at + 1)
        lineage += chance.random() < 0.2
