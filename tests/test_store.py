"""The contract of a store, run on Redis and on its embedded twin."""

import itertools
import json
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.errors import FencedError, StoreError
from stream.store import Entry, Store
from stream.store_embedded import EmbeddedStore
from stream.store_redis import RedisStore
from tests.waiting import until

Make = Callable[..., Store]
T = TypeVar("T")
REDIS = pytest.param("redis", marks=pytest.mark.services)


def entry(key: str, sequence: int, prediction: str = '"UP"', lineage: int = 1) -> Entry:
    return Entry(key, prediction, '{"UP":0.75}', lineage, sequence, "trades", 3, 7_000, 1_700)


def gone(store: Store, key: str) -> bool:
    return store.get([key]) == [None]


@pytest.fixture(params=["embedded", REDIS])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Return a function of (name, ttl_ms) that makes a store of the kind under test."""
    opened: list[Store] = []
    run = uuid.uuid4().hex
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""

    def make(name: str = "fraud", ttl_ms: int | None = None) -> Store:
        store: Store = (
            RedisStore(url, f"{run}-{name}", ttl_ms or 600_000)
            if url
            else EmbeddedStore(tmp_path / "store.db", name, ttl_ms)
        )
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(make: Make) -> Store:
    store = make()
    store.claim(1)
    return store


def test_what_is_put_is_what_is_got(store: Store) -> None:
    entries = [
        Entry("plain", '"UP"', '{"UP":0.1}', 1, 5, "trades", 0, 9, 1_700_000_000_123),
        Entry("clé/鍵 🔑\n\0", '"Ünï"', "", 2, 6, "thème", 31, 2**53 - 1, -1),
        Entry("", "null", "", 0, 0, "t", 0, 0, 0),
        entry("large", 2**53 - 1)._replace(
            probabilities=json.dumps({str(i): 0.001 for i in range(500)})
        ),
    ]
    assert store.put(entries) == 4
    assert store.get([e.key for e in entries]) == entries
    assert store.get(["absent", "plain"]) == [None, entries[0]]
    assert store.get([]) == []


def test_an_answer_without_probabilities_leaves_none_of_the_one_before(store: Store) -> None:
    bare = entry("a", 2)._replace(probabilities="")
    store.put([entry("a", 1)])
    store.put([bare])
    assert store.get(["a"]) == [bare]


def test_an_empty_batch_writes_nothing(store: Store) -> None:
    assert store.put([]) == 0


def test_a_batch_may_be_of_any_size(store: Store) -> None:
    entries = [entry(f"key-{i}", i) for i in range(1_003)]
    assert store.put(entries) == 1_003
    assert store.put(entries[:500] + [e._replace(sequence=5_000) for e in entries[500:]]) == 503
    assert [e and e.sequence for e in store.get([e.key for e in entries])] == [
        *range(500),
        *[5_000] * 503,
    ]


steps = st.lists(
    st.tuples(
        st.sampled_from(["claim", "put", "put", "put"]),
        st.integers(1, 3),
        st.lists(
            st.builds(
                Entry,
                key=st.sampled_from(["a", "b", "é"]),
                prediction=st.sampled_from(["", '"UP"', "1"]),
                probabilities=st.sampled_from(["", '{"UP":1}']),
                lineage=st.integers(1, 2),
                sequence=st.integers(0, 3) | st.integers(2**53 - 3, 2**53 - 1),
                topic=st.just("trades"),
                partition=st.integers(0, 9),
                offset=st.integers(0, 2**53 - 1),
                time=st.integers(-(2**53) + 1, 2**53 - 1),
            ),
            max_size=3,
            unique_by=lambda e: e.key,
        ),
    ),
    max_size=25,
)


class Model:
    """What a store is to do, said as briefly as can be."""

    def __init__(self) -> None:
        self.held = 0
        self.entries: dict[str, Entry] = {}

    def put(self, epoch: int, entries: list[Entry]) -> int | None:
        """Return how many entries were newer, None for a stale owner."""
        if epoch < self.held:
            return None
        self.held = epoch
        newer = [
            e for e in entries if e.key not in self.entries or e[3:5] > self.entries[e.key][3:5]
        ]
        self.entries.update((e.key, e) for e in newer)
        self.entries = {key: e for key, e in self.entries.items() if e.prediction}
        return len(newer)


def outcome(call: Callable[[T], int | None], argument: T) -> int | None:
    """Return what a call returns, 0 for nothing, or None if it is fenced."""
    try:
        return call(argument) or 0
    except FencedError:
        return None


numbers = itertools.count()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps)
def test_only_newer_entries_of_the_owner_land(
    make: Make, steps: list[tuple[str, int, list[Entry]]]
) -> None:
    name, model = f"model-{next(numbers)}", Model()
    owners = {epoch: make(name) for epoch in (1, 2, 3)}
    claimed: set[int] = set()
    for step, epoch, entries in steps:
        owner = owners[epoch]
        if step == "claim" or epoch not in claimed:
            claimed.add(epoch)
            assert outcome(owner.claim, epoch) == model.put(epoch, [])
        else:
            assert outcome(owner.put, entries) == model.put(epoch, entries)
        assert owner.get("abé") == [model.entries.get(key) for key in "abé"]
    for owner in owners.values():
        owner.close()


def test_a_stale_owner_can_neither_write_nor_claim(make: Make) -> None:
    old, new = make(), make()
    old.claim(7)
    old.put([entry("a", 1)])
    new.claim(8)
    with pytest.raises(FencedError, match=r"epoch 7, got epoch 8 .*stop this one"):
        old.put([entry("a", 2)])
    with pytest.raises(FencedError, match=r"epoch 7, got epoch 8 .*stop this one"):
        old.claim(7)
    assert new.get(["a"]) == [entry("a", 1)]
    new.claim(8)
    assert new.put([entry("a", 2)]) == 1


def test_a_store_that_was_not_claimed_takes_no_writes(make: Make) -> None:
    with pytest.raises(StoreError, match="call claim"):
        make().put([entry("a", 1)])


def test_names_are_separate(make: Make, store: Store) -> None:
    other = make("other")
    other.claim(5)
    other.put([entry("a", 9)])
    assert store.get(["a"]) == [None]
    assert store.put([entry("a", 1)]) == 1
    assert other.get(["a"]) == [entry("a", 9)]


def test_a_prediction_goes_away_after_its_ttl_and_its_guard_with_it(make: Make) -> None:
    brief = make("brief", 40)
    brief.claim(1)
    brief.put([entry("a", 9), entry("b", 9)])
    until(partial(gone, brief, "a"))
    until(partial(gone, brief, "b"))
    assert brief.put([entry("a", 1)]) == 1


def test_a_prediction_within_its_ttl_stays(make: Make) -> None:
    lasting = make("lasting", 600_000)
    lasting.claim(1)
    lasting.put([entry("a", 9)])
    assert lasting.put([entry("a", 1)]) == 0
    assert lasting.get(["a"]) == [entry("a", 9)]


def test_a_reader_sees_whole_entries_that_never_grow_older(store: Store) -> None:
    keys = [f"key-{i}" for i in range(100)]
    done = threading.Event()
    failures: list[str] = []

    def read() -> None:
        seen = [-1] * len(keys)
        while not done.is_set():
            for i, found in enumerate(store.get(keys)):
                if found is None:
                    continue
                if found.sequence < seen[i] or found.prediction != str(found.sequence):
                    failures.append(f"{found} after {seen[i]}")
                seen[i] = found.sequence

    reader = threading.Thread(target=read)
    reader.start()
    for sequence in range(60):
        store.put([entry(key, sequence, str(sequence)) for key in keys])
    done.set()
    reader.join()
    assert failures == []
    assert {e and e.sequence for e in store.get(keys)} == {59}


def test_the_embedded_store_is_read_by_another_process_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = EmbeddedStore(path, "fraud")
    store.claim(1)
    store.put([entry("a", 4)])
    script = (
        "import sys; from stream.store_embedded import EmbeddedStore; "
        "store = EmbeddedStore(sys.argv[1], 'fraud'); print(store.get(['a'])); store.close()"
    )
    run = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
    assert run.stdout.strip() == str([entry("a", 4)]), run.stderr
    store.close()


def test_the_embedded_store_prunes_what_has_expired(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = EmbeddedStore(path, "fraud", 1)
    store.claim(1)
    for round_ in range(20):
        store.put([entry(f"key-{round_}-{i}", 1) for i in range(50)])
        until(partial(gone, store, f"key-{round_}-0"))
    store.close()
    database = sqlite3.connect(path)
    (held,) = database.execute("SELECT count(*) FROM prediction").fetchone()
    database.close()
    assert held <= 100


def test_a_file_that_is_not_a_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(StoreError, match=r"not a database.*one of Alluvia's"):
        EmbeddedStore(path, "fraud")
