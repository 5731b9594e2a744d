import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from stream import writer
from stream.errors import FencedError, StoreError
from stream.store import Entry
from stream.store_embedded import EmbeddedStore
from stream.writer import WAITING, Writer
from tests.waiting import until


def entry(key: str, sequence: int) -> Entry:
    return Entry(key, '"UP"', "", 1, sequence, "t", 0, sequence, 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with closing(EmbeddedStore(tmp_path / "store.db", "name")) as store:
        store.claim(1)
        yield store


class Hanging(EmbeddedStore):
    """A store that does not answer until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "name")
        self.hung = threading.Event()
        self.let_go = threading.Event()

    def put(self, entries: Sequence[Entry]) -> int:
        self.hung.set()
        assert self.let_go.wait(60)
        return super().put(entries)


@contextmanager
def hanging(path: Path) -> Iterator[Hanging]:
    with closing(Hanging(path / "store.db")) as store:
        store.claim(1)
        try:
            yield store
        finally:
            store.let_go.set()
            until(lambda: all(t.name != "store-writer" for t in threading.enumerate()))


def test_what_was_drained_is_in_the_store(store: EmbeddedStore) -> None:
    with closing(Writer(store, lambda: False)) as thread:
        for sequence in range(1, 50):
            thread.put([entry("a", sequence), entry(f"k{sequence}", sequence)])
        thread.drain()
        assert store.get(["a", "k1"]) == [entry("a", 49), entry("k1", 1)]


class Recording(EmbeddedStore):
    """A store that fails on a block after it was told to."""

    fails = False

    def __init__(self, path: Path) -> None:
        super().__init__(path, "name")
        self.blocks: list[Sequence[Entry]] = []

    def put(self, entries: Sequence[Entry]) -> int:
        if self.fails:
            raise StoreError("wanted room, got none: make some")
        self.blocks.append(entries)
        return super().put(entries)


def test_blocks_are_written_whole_and_in_order_and_empty_ones_not(tmp_path: Path) -> None:
    with closing(Recording(tmp_path / "store.db")) as store:
        store.claim(1)
        blocks = [[entry("a", i), entry("b", i)] if i % 3 else [] for i in range(1, 40)]
        with closing(Writer(store, lambda: False)) as thread:
            for block in blocks:
                thread.put(block)
            thread.drain()
        assert store.blocks == [block for block in blocks if block]


def test_an_error_of_the_store_comes_out_at_the_next_call(tmp_path: Path) -> None:
    with closing(Recording(tmp_path / "store.db")) as store:
        store.claim(1)
        with closing(Writer(store, lambda: False)) as thread:
            thread.put([entry("a", 1)])
            thread.drain()
            store.fails = True
            thread.put([entry("a", 2)])
            for _ in range(2):
                with pytest.raises(StoreError, match="wanted room"):
                    thread.drain()
            store.fails = False
            with pytest.raises(StoreError, match="wanted room"):
                thread.put([entry("a", 3)])
        assert store.get(["a"]) == [entry("a", 1)]


def test_a_fenced_owner_hears_of_it(store: EmbeddedStore, tmp_path: Path) -> None:
    with closing(EmbeddedStore(tmp_path / "store.db", "name")) as other:
        other.claim(2)
    with closing(Writer(store, lambda: False)) as thread:
        thread.put([entry("a", 1)])
        with pytest.raises(FencedError):
            thread.drain()


def test_the_loop_is_at_most_some_blocks_ahead(tmp_path: Path) -> None:
    with hanging(tmp_path) as store, closing(Writer(store, lambda: False)) as thread:
        ahead: list[int] = []

        def feed() -> None:
            for sequence in range(1, 10):
                thread.put([entry("a", sequence)])
                ahead.append(sequence)

        feeder = threading.Thread(target=feed)
        feeder.start()
        until(lambda: len(ahead) == WAITING)
        assert store.hung.wait(20)
        feeder.join(0.3)
        assert len(ahead) == WAITING
        store.let_go.set()
        feeder.join()
        thread.drain()
        assert store.get(["a"]) == [entry("a", 9)]


def test_a_store_that_hangs_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GRACE", 0.1)
    monkeypatch.setattr(writer, "SLICE", 0.02)
    stopping = threading.Event()
    with hanging(tmp_path) as store:
        thread = Writer(store, stopping.is_set)
        thread.put([entry("a", 1)])
        raised: list[Exception] = []

        def drain() -> None:
            try:
                thread.drain()
            except StoreError as error:
                raised.append(error)

        draining = threading.Thread(target=drain)
        draining.start()
        assert store.hung.wait(20)
        draining.join(0.3)
        assert draining.is_alive(), "nobody asked to stop: it waits"
        stopping.set()
        draining.join(20)
        assert "wanted to stop, got no answer from the store" in str(raised[0])
        monkeypatch.setattr(writer, "GRACE", 3_600.0)
        thread.close()
