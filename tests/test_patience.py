"""What waits while a disk is full, and goes on by itself once there is room."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from stream.block import DeadLetter
from stream.dead import DeadLetters
from stream.errors import JournalError, StoreAwayError, StreamError, UnavailableError
from stream.folder import Folder
from stream.journal import Taken
from stream.journal_file import FileJournal
from stream.log import Message
from stream.log_embedded import EmbeddedAppender
from stream.patience import at_once, is_full, outlast
from stream.producer_embedded import EmbeddedProducer
from stream.store_embedded import EmbeddedStore
from stream.writer import Writer
from tests.faults.grounds import clear, fill, small_disk
from tests.test_store import entry
from tests.waiting import until

LARGE = bytes(100_000)
LETTERS = [DeadLetter("t", 0, i, 0, None, LARGE, "why") for i in range(3)]
RUNS = [Taken("t" * 5_000, 0, i, i, 1) for i in range(3)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with a small disk of its own."""
    if os.geteuid() and "CI" not in os.environ:
        pytest.skip("only root can have a small disk")
    with small_disk(tmp_path / "disk"):
        yield tmp_path / "disk"


@pytest.fixture
def outlasts(disk: Path, caplog: pytest.LogCaptureFixture) -> Callable[[Callable[[], None]], None]:
    """Return a function that carries an action out while the disk is full for a time."""

    def outlasts(action: Callable[[], None]) -> None:
        fill(disk)
        acting = threading.Thread(target=action)
        acting.start()
        until(lambda: "waiting for it" in caplog.text)
        acting.join(0.3)
        assert acting.is_alive()
        clear(disk)
        acting.join(20)
        assert not acting.is_alive()
        begun, over = [record.getMessage() for record in caplog.records]
        assert "takes no writes (" in begun
        assert over == f"{begun.partition(' takes no')[0]} takes writes again"

    return outlasts


Outlasts = Callable[[Callable[[], None]], None]


def never() -> bool:
    return False


def test_a_part_of_a_checkpoint_waits_for_room(disk: Path, outlasts: Outlasts) -> None:
    place = Folder(disk / "checkpoints", never)
    place.add_part(b"small")
    names: list[str] = []
    outlasts(lambda: names.append(place.add_part(LARGE)))
    assert place.read_part(names[0]) == LARGE
    assert not list(disk.rglob("*.tmp"))


def test_a_manifest_waits_for_room_and_is_the_only_one(disk: Path, outlasts: Outlasts) -> None:
    place = Folder(disk / "checkpoints", never)
    place.add_part(b"small")
    created: list[bool] = []
    outlasts(lambda: created.append(place.create("manifest", LARGE)))
    assert (created, place.read("manifest")) == ([True], LARGE)
    assert not place.create("manifest", b"another")


def test_the_journal_waits_for_room_and_no_line_of_it_is_broken(
    disk: Path, outlasts: Outlasts
) -> None:
    with closing(FileJournal(Folder(disk, never), 1)) as journal:
        journal.append(RUNS[0])
        outlasts(lambda: journal.append(RUNS[1]))
        journal.append(RUNS[2])
        end = journal.end
    with closing(FileJournal(Folder(disk), 2)) as journal:
        assert journal.tail() == RUNS
        assert journal.end == end


def test_dead_letters_wait_for_room(disk: Path, outlasts: Outlasts) -> None:
    with closing(DeadLetters(disk / "dead.db", never)) as dead:
        dead.add(LETTERS[:1], 1)

    def add() -> None:
        with closing(DeadLetters(disk / "dead.db", never)) as dead:
            ready.set()
            assert full.wait(20)
            dead.add(LETTERS[1:], 1)

    ready, full = threading.Event(), threading.Event()
    adding = threading.Thread(target=add)
    adding.start()
    assert ready.wait(20)

    def go_on() -> None:
        full.set()
        adding.join(20)

    outlasts(go_on)
    with closing(DeadLetters(disk / "dead.db")) as dead:
        assert list(dead.letters()) == LETTERS


def test_a_store_on_a_full_disk_is_waited_for(disk: Path, outlasts: Outlasts) -> None:
    many = [entry(f"{i}", 1, f'"{"x" * 2_000}"') for i in range(500)]
    with closing(EmbeddedStore(disk / "store.db", "name")) as store:
        store.claim(1)
        with closing(Writer(store, never)) as writer:

            def write() -> None:
                writer.put(many)
                writer.drain()

            outlasts(write)
        assert store.get([one.key for one in many]) == many


def test_a_log_on_a_full_disk_is_unavailable_for_now(disk: Path) -> None:
    path = disk / "log.db"
    with closing(EmbeddedAppender(path, "t")) as appender:
        appender.create(1)
    with closing(EmbeddedProducer(path, "name", "group")) as producer:
        producer.begin([("t", 0)])
        fill(disk)
        messages = [("t", Message(b"k", LARGE, 0))] * 3
        with pytest.raises(UnavailableError, match="with room"):
            producer.send(messages, {("t", 0): 1}, "1:1:1")
        clear(disk)
        producer.begin([("t", 0)])
        producer.send(messages, {("t", 0): 1}, "1:1:1")


def test_who_is_to_stop_waits_no_longer(disk: Path) -> None:
    stopping = threading.Event()
    with closing(FileJournal(Folder(disk, stopping.is_set), 1)) as journal:
        journal.append(RUNS[0])
        fill(disk)
        raised: list[BaseException] = []

        def append() -> None:
            try:
                journal.append(RUNS[1])
            except JournalError as error:
                raised.append(error)

        appending = threading.Thread(target=append)
        appending.start()
        appending.join(0.3)
        assert appending.is_alive()
        stopping.set()
        appending.join(20)
        assert "No space left on device: make room" in str(raised[0])
        clear(disk)
    with closing(FileJournal(Folder(disk), 2)) as journal:
        assert journal.tail() == RUNS[:1]


def test_by_default_nothing_is_waited_for(disk: Path) -> None:
    with ExitStack() as stack:
        dead = stack.enter_context(closing(DeadLetters(disk / "dead.db")))
        journal = stack.enter_context(closing(FileJournal(Folder(disk), 1)))
        store = stack.enter_context(closing(EmbeddedStore(disk / "store.db", "name")))
        store.claim(1)
        fill(disk)
        with pytest.raises(StreamError, match="wanted to keep 3 dead letters"):
            dead.add(LETTERS, 1)
        with pytest.raises(JournalError, match="make room"):
            journal.append(RUNS[0])
        with pytest.raises(StoreAwayError, match="its disk has room"):
            store.put([entry(f"{i}", 1, f'"{"x" * 2_000}"') for i in range(500)])
        clear(disk)


def test_what_does_not_pass_is_raised_at_once() -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(PermissionError):
        outlast(refuse, is_full, never, "the folder")
    with pytest.raises(OSError, match="No space"):
        outlast(_full, is_full, at_once, "the folder")


def _full() -> None:
    raise OSError(28, "No space left on device")


def test_a_file_of_letters_that_another_process_holds_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "dead.db"
    with closing(DeadLetters(path)):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")

        def add() -> None:
            with closing(DeadLetters(path, lambda: False)) as letters:
                letters.add(LETTERS, 1)

        adding = threading.Thread(target=add)
        adding.start()
        until(lambda: "takes no writes (database is locked); waiting" in caplog.text)
        held.execute("ROLLBACK")
    adding.join(20)
    assert not adding.is_alive()
    with closing(DeadLetters(path)) as letters:
        assert letters.count() == len(LETTERS)


def test_who_is_to_stop_is_told_that_another_process_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "dead.db"
    with closing(DeadLetters(path)) as letters, closing(sqlite3.connect(path)) as held:
        held.execute("BEGIN IMMEDIATE")
        with pytest.raises(StreamError, match="database is locked: make room, or end who holds it"):
            letters.add(LETTERS, 1)
