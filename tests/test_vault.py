"""The places for checkpoints: what a folder promises, an object store does as well."""

import contextlib
import functools
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from stream import bucket, folder
from stream.bucket import Bucket
from stream.checkpoint import Checkpoints
from stream.errors import CheckpointError, FencedError, StreamError, VaultAwayError
from stream.folder import Folder
from stream.journal import Entry, Skip, Taken, Tick
from stream.journal_carried import CarriedJournal
from stream.journal_segment import chain
from stream.manifests import Manifests
from stream.vault import Vault
from tests import object_store
from tests.states import MODEL, snapshot
from tests.waiting import until

ENTRIES: list[Entry] = [Taken("t", 0, 0, 99, 100), Tick(1_000), Skip("t", 1, 10, "it raised")]


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, Any]]:
    with object_store.serving() as options:
        yield options


@pytest.fixture(params=["folder", "bucket"])
def vault(request: pytest.FixtureRequest, tmp_path: Path, options: dict[str, Any]) -> Vault:
    if request.param == "folder":
        return Folder(tmp_path / "checkpoints")
    return in_bucket(options)


def in_bucket(options: dict[str, Any]) -> Bucket:
    return Bucket(f"s3://{object_store.BUCKET}/{uuid.uuid4().hex}", options)


def test_nothing_is_there_at_first(vault: Vault) -> None:
    assert vault.names("*") == []
    with pytest.raises(FileNotFoundError):
        vault.read("manifest-1")
    assert not vault.holds("0" * 64, 5)
    with pytest.raises(CheckpointError, match="cannot be read"):
        vault.read_part("0" * 64)


def test_a_file_is_created_once(vault: Vault) -> None:
    assert vault.create("manifest-1", b"mine")
    assert not vault.create("manifest-1", b"theirs")
    assert vault.read("manifest-1") == b"mine"
    vault.remove("manifest-1")
    vault.remove("manifest-1")
    assert vault.create("manifest-1", b"theirs")


def test_of_many_at_once_one_creates_it(vault: Vault) -> None:
    vault.create("first", b"")  # so that all are ready
    begin = threading.Barrier(8)

    def attempt(number: int) -> bool:
        begin.wait()
        return vault.create("manifest-2", b"%d" % number)

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(attempt, range(8)))
    assert created.count(True) == 1
    assert vault.read("manifest-2") == b"%d" % created.index(True)


def test_names_are_those_that_match_in_order(vault: Vault) -> None:
    for name in ("b-2", "a-1", "b-1", "b-10"):
        vault.create(name, b"x")
    vault.add_part(b"a part is no file")
    assert vault.names("b-[0-9]") == ["b-1", "b-2"]


def test_a_part_is_what_was_written(vault: Vault) -> None:
    part = vault.add_part(b"data")
    assert vault.add_part(b"data") == part
    vault.sync_parts()
    assert vault.read_part(part) == b"data"
    assert vault.holds(part, 4)
    assert not vault.holds(part, 5)
    vault.remove_part(part)
    assert not vault.holds(part, 4)


def test_a_sweep_takes_what_nobody_names_and_is_old(vault: Vault) -> None:
    named, other = vault.add_part(b"named"), vault.add_part(b"other")
    vault.sweep(set())
    assert vault.holds(other, 5), "it is younger than a minute"
    later = -60.0  # what was written just now is old then
    with (
        mock.patch.object(folder, "SWEEP_AGE", later),
        mock.patch.object(bucket, "SWEEP_AGE", later),
    ):
        vault.sweep({named})
    assert vault.holds(named, 5)
    assert not vault.holds(other, 5)


def test_a_trial_leaves_nothing(vault: Vault) -> None:
    vault.try_out()
    assert vault.names("*") == []


def test_an_answer_that_was_lost_is_no_other_owner(options: dict[str, Any]) -> None:
    vault = in_bucket(options)
    assert vault.create("manifest-1", b"mine")
    assert vault.create("manifest-1", b"mine")


def test_a_store_that_lets_two_create_is_refused(options: dict[str, Any]) -> None:
    vault = in_bucket(options)
    with (
        mock.patch.object(vault, "_create", lambda name, data: True),
        pytest.raises(CheckpointError, match="two owners could both believe"),
    ):
        vault.create("manifest-1", b"mine")


@pytest.mark.parametrize(
    ("url", "changed", "got"),
    [
        ("s3://nowhere/x", {}, "bucket does not exist"),
        ("s3://models/x", {"endpoint_url": "http://127.0.0.1:1"}, "Could not connect"),
    ],
)
def test_a_store_that_cannot_be_written_is_told(
    options: dict[str, Any], url: str, changed: dict[str, Any], got: str
) -> None:
    with pytest.raises(CheckpointError, match=f"wanted an object store.*{got}"):
        Bucket(url, options | changed | {"config_kwargs": {"retries": {"max_attempts": 0}}}).create(
            "x", b""
        )


@contextlib.contextmanager
def away(options: dict[str, Any], stop: Callable[[], bool]) -> Iterator[tuple[Bucket, int]]:
    """A store that was there and is not any more, and its port."""
    server = object_store.start()
    _, port = server.get_host_and_port()
    there: dict[str, Any] = {"endpoint_url": f"http://127.0.0.1:{port}"}
    there |= {"config_kwargs": {"retries": {"max_attempts": 0}}}
    place = f"s3://{object_store.BUCKET}/{uuid.uuid4().hex}"
    vault = Bucket(place, options | there, stop)
    vault.create("before", b"1")
    server.stop()
    yield vault, port


@pytest.mark.slow
def test_a_store_that_goes_away_is_waited_for(
    options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it is asked: a checkpoint that cannot be read now is not a torn one."""
    with away(options, lambda: False) as (vault, port), ThreadPoolExecutor(4) as pool:
        created = pool.submit(vault.create, "meanwhile", b"2")
        read = pool.submit(vault.read, "before")
        names = pool.submit(vault.names, "b*")
        held = pool.submit(vault.holds, "0" * 64, 5)
        until(lambda: caplog.text.count("takes no writes") == 4)
        second = object_store.start(port)
        assert created.result(30)
        assert read.result(30) == b"1"
        assert names.result(30) == ["before"]
        assert not held.result(30)
    second.stop()
    assert "takes writes again" in caplog.text


@pytest.mark.slow
def test_a_store_that_is_away_is_not_taken_for_one_without_checkpoints(
    options: dict[str, Any],
) -> None:
    server = object_store.start()
    _, port = server.get_host_and_port()
    there: dict[str, Any] = {"endpoint_url": f"http://127.0.0.1:{port}"}
    there |= {"config_kwargs": {"retries": {"max_attempts": 0}}}
    vault = Bucket(f"s3://{object_store.BUCKET}/{uuid.uuid4().hex}", options | there)
    vault.create("manifest-000000000001.json", b"torn")
    server.stop()
    for ask in (Manifests(vault).newest, Manifests(vault).highest, vault.try_out):
        with pytest.raises(StreamError, match=r"object store.*Could not connect.*check"):
            ask()
    with pytest.raises(VaultAwayError):
        vault.read("manifest-000000000001.json")


@pytest.mark.slow
@pytest.mark.parametrize(
    "ask",
    [
        lambda owner: owner.newest(),
        lambda owner: owner.publish(snapshot(6)),
        lambda owner: owner.owned(),
        lambda owner: owner.vault.remove("before"),
        lambda owner: owner.vault.sweep(set()),
    ],
)
def test_who_is_to_stop_is_told_that_the_store_is_away(
    options: dict[str, Any], ask: Callable[[Checkpoints], object]
) -> None:
    gone = [False]
    with away(options, lambda: gone[0]) as (vault, port):
        server = object_store.start(port)
        owner = Checkpoints(vault, "name", MODEL, "")
        owner.claim(snapshot())
        server.stop()
        gone[0] = True
        with pytest.raises(VaultAwayError, match=r"object store.*Could not connect"):
            ask(owner)


def test_names_come_in_pages_and_folders_are_among_them(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = in_bucket(options)
    ask = functools.partial(vault._objects.call_s3, MaxKeys=2)
    monkeypatch.setattr(vault._objects, "call_s3", ask)
    for name in ("shard-1/manifest", "a", "journal-1", "journal-2", "journal-3", "z"):
        vault.create(name, b"")
    assert vault.names("journal-[0-9]") == ["journal-1", "journal-2", "journal-3"]
    assert vault.names("shard-*") == vault.names("shard-1") == ["shard-1"]
    assert len(vault.names("*")) == 6


def test_a_carried_journal_is_as_long_as_its_checkpoints(vault: Vault) -> None:
    journal = CarriedJournal(vault, 1, None, None)
    assert journal.cut(2) is None
    journal.append(ENTRIES[0])
    journal.took()
    journal.append(ENTRIES[1])
    first = journal.cut(3)
    assert journal.cut(4) == first, "what is being taken belongs to the next"
    lost = CarriedJournal(vault, 5, 4, first)
    journal.append(ENTRIES[2])
    journal.took()
    last = journal.cut(5)
    assert lost.lost
    assert lost.tail() == []
    assert list(chain(vault, None, last)) == ENTRIES
    assert list(chain(vault, first, last)) == ENTRIES[1:]


def test_a_segment_of_another_owner_fences(vault: Vault) -> None:
    mine, theirs = (CarriedJournal(vault, 1, None, None) for _ in range(2))
    for journal, entry in ((mine, ENTRIES[0]), (theirs, ENTRIES[1])):
        journal.append(entry)
        journal.took()
    theirs.cut(3)
    with pytest.raises(FencedError, match="segment 3"):
        mine.cut(3)


def test_who_leaves_with_the_newest_checkpoint_lost_nothing(vault: Vault) -> None:
    CarriedJournal(vault, 1, None, None).leave(2)
    assert not CarriedJournal(vault, 3, 2, None).lost
    assert CarriedJournal(vault, 4, 3, None).lost
    # The manifest that came behind it is torn, and what was taken behind that is not known.
    assert CarriedJournal(vault, 4, 2, None).lost
