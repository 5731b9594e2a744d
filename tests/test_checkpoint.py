import dataclasses
import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from stream import manifest
from stream.checkpoint import Checkpoints
from stream.errors import CheckpointError, FencedError
from stream.folder import Folder
from stream.manifests import name_of
from tests.states import MODEL, checkpoints, filled, sequence_of, snapshot


def modes(path: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in path.rglob("*") if path.is_file()}


def test_what_is_published_is_what_is_newest(tmp_path: Path) -> None:
    owner = filled(tmp_path, 5, 10)
    assert sequence_of(owner) == sequence_of(checkpoints(tmp_path)) == 10


def test_the_first_claim_begins_a_lineage(tmp_path: Path) -> None:
    first = checkpoints(tmp_path / "a" / "b")
    assert first.newest() is None
    claimed = first.claim(snapshot())
    assert (claimed.lineage, claimed.number, claimed.epoch, claimed.parent) == (1, 1, 1, None)
    assert sequence_of(first) == 0


def test_a_claim_goes_on_from_the_newest_as_a_higher_epoch(tmp_path: Path) -> None:
    first = filled(tmp_path, 5)
    second = checkpoints(tmp_path)
    claimed = second.claim(snapshot())
    assert sequence_of(second) == claimed.sequence == 5
    assert (claimed.number, claimed.parent) == (3, 2)
    assert second.epoch > first.epoch
    assert second.publish(snapshot(6)).epoch == second.epoch


def test_an_owner_that_was_replaced_is_fenced(tmp_path: Path) -> None:
    old = filled(tmp_path, 5)
    new = checkpoints(tmp_path)
    new.claim(snapshot())
    with pytest.raises(FencedError, match="another owner"):
        old.publish(snapshot(9))
    assert new.publish(snapshot(7)).sequence == sequence_of(new) == 7


def test_an_owner_stays_fenced_after_the_numbers_it_lost_are_pruned(tmp_path: Path) -> None:
    old = filled(tmp_path, 5)
    new = checkpoints(tmp_path, keep=1)
    new.claim(snapshot())
    for sequence in (6, 7, 8):
        new.publish(snapshot(sequence))
    before = sorted(path.name for path in tmp_path.glob("manifest-*"))
    with pytest.raises(FencedError):
        old.publish(snapshot(9))
    assert sorted(path.name for path in tmp_path.glob("manifest-*")) == before
    assert new.publish(snapshot(10)).sequence == sequence_of(new) == 10


class Hasty(Folder):
    """A place in which another owner publishes just before a manifest is read."""

    other: Checkpoints | None = None

    def read(self, name: str) -> bytes:
        if self.other is not None:
            other, self.other = self.other, None
            other.publish(snapshot(8))
        return super().read(name)


def test_a_claim_takes_what_is_published_while_it_reads(tmp_path: Path) -> None:
    old = filled(tmp_path, 5, keep=1)
    hasty = Hasty(tmp_path)
    hasty.other = old
    new = Checkpoints(hasty, "name", MODEL, json.dumps(MODEL, sort_keys=True), 1)
    assert new.claim(snapshot()).sequence == 8
    assert sequence_of(new) == 8


class Overtaken(Folder):
    """A place in which another owner publishes until the number to be taken was pruned."""

    other: Checkpoints | None = None

    def create(self, name: str, data: bytes) -> bool:
        if self.other is not None:
            other, self.other = self.other, None
            for sequence in (8, 9, 10):
                other.publish(snapshot(sequence))
        return super().create(name, data)


def test_a_late_claim_of_a_number_that_was_pruned_is_made_again(tmp_path: Path) -> None:
    old = filled(tmp_path, 5, keep=1)
    overtaken = Overtaken(tmp_path)
    overtaken.other = old
    new = Checkpoints(overtaken, "name", MODEL, json.dumps(MODEL, sort_keys=True), 1)
    assert new.claim(snapshot()).sequence == 10
    assert new.number > old.number
    with pytest.raises(FencedError):
        old.publish(snapshot(11))
    new.publish(snapshot(12))
    assert sequence_of(new) == 12


def test_only_the_newest_are_kept_with_all_they_name(tmp_path: Path) -> None:
    owner = filled(tmp_path, *range(1, 9))
    names = sorted(path.name for path in tmp_path.glob("manifest-*"))
    assert names == [name_of(number) for number in (7, 8, 9)]
    named: set[str] = set()
    for name in names:
        named |= set(manifest.from_bytes((tmp_path / name).read_bytes()).parts.values())
    assert {path.name for path in (tmp_path / "parts").iterdir()} == named
    assert sequence_of(owner) == 8


def test_a_claim_sweeps_what_a_crash_left(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    place, folder = Folder(tmp_path), tmp_path / "parts"
    orphan, reused = place.add_part(b"never named"), place.add_part(b"to be named soon")
    (folder / "0123.tmp").write_bytes(b"half")
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    (folder / "4567.tmp").write_bytes(b"of an owner at work")
    place.add_part(b"to be named soon")
    second = checkpoints(tmp_path)
    second.claim(snapshot())
    left = {path.name for path in folder.iterdir()}
    assert not left & {orphan, "0123.tmp"}
    assert left >= {reused, "4567.tmp"}
    assert sequence_of(second) == 5


def test_another_configuration_is_refused_with_what_changed(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    with pytest.raises(CheckpointError, match=r"\(seed: 1 -> 2\)"):
        checkpoints(tmp_path, model=MODEL | {"seed": 2}).claim(snapshot())


@pytest.mark.parametrize("record", ["same", "other"])
def test_a_model_that_has_taken_nothing_is_bound_to_no_configuration(
    tmp_path: Path, record: str
) -> None:
    model = MODEL | {"record": {"label": "same"}}
    first = checkpoints(tmp_path, model=model)
    first.claim(snapshot())
    first.publish(snapshot())
    second = checkpoints(tmp_path, model=model | {"seed": 2, "record": {"label": record}})
    fresh = snapshot()
    fresh.positions = ()
    fresh.states["learner"].meta["of"] = "another learner"
    claimed = second.claim(fresh)
    assert (claimed.lineage, claimed.sequence, claimed.parent) == (1, 0, 2)
    assert claimed.epoch == claimed.number == 3
    assert claimed.positions == (snapshot().positions if record == "same" else ())
    assert second.state(claimed, "learner").meta["of"] == "another learner"
    second.publish(snapshot(4))
    with pytest.raises(CheckpointError, match="another configuration"):
        checkpoints(tmp_path, model=model).claim(snapshot())


@pytest.mark.parametrize(("old", "served"), [("1.0.0", False), ("", False), ("patch", True)])
def test_other_library_versions_are_refused(tmp_path: Path, old: str, served: bool) -> None:
    filled(tmp_path)
    path = tmp_path / name_of(1)
    held = manifest.from_bytes(path.read_bytes())
    now = held.versions["river"]
    then = ".".join([*now.split(".")[:2], "999"]) if old == "patch" else old
    versions = held.versions | {"river": then}
    path.write_bytes(dataclasses.replace(held, versions=versions).to_bytes())
    if served:
        assert checkpoints(tmp_path).claim(snapshot()).sequence == 0
    else:
        with pytest.raises(CheckpointError, match=f"river {then}.*got {now}.*alluvia replay"):
            checkpoints(tmp_path).claim(snapshot())


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(manifest, "FORMAT", 2)
    filled(tmp_path)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="format 1, got 2: update"):
        manifest.from_bytes((tmp_path / name_of(1)).read_bytes())


def test_only_the_owner_can_read_a_place(tmp_path: Path) -> None:
    path = tmp_path / "place"
    filled(path, 5)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((path / "parts").stat().st_mode) == 0o700
    assert modes(path) == {0o600}


def test_a_folder_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    path.mkdir()
    path.chmod(0o755)
    filled(path, 5)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert stat.S_IMODE((path / "parts").stat().st_mode) == 0o700


def test_looking_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "place"
    assert checkpoints(path).newest() is None
    assert not path.exists()
    filled(path, 5)
    before = path.stat().st_mtime_ns, (path / "parts").stat().st_mtime_ns
    assert sequence_of(checkpoints(path)) == 5
    assert (path.stat().st_mtime_ns, (path / "parts").stat().st_mtime_ns) == before


def test_a_place_that_cannot_be_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        CheckpointError, match=r"wanted a folder with hard links.*set \[checkpoint\] path"
    ):
        checkpoints(tmp_path / "file" / "below").claim(snapshot())


class Full(Folder):
    """A place whose disk is full."""

    def add_part(self, data: bytes) -> str:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    owner = Checkpoints(Full(tmp_path), "name", MODEL, json.dumps(MODEL, sort_keys=True))
    owner.claim(snapshot())
    with pytest.raises(CheckpointError, match="No space left on device: make room"):
        owner.publish(snapshot(6))
    with pytest.raises(CheckpointError, match="No space left on device: make room"):
        Checkpoints(Full(tmp_path / "new"), "name", MODEL, "").claim(snapshot())
    assert sequence_of(owner) == 5


class Fixed(Folder):
    """A place in which nothing can be removed."""

    def remove(self, name: str) -> None:
        raise OSError(30, "Read-only file system")


def test_what_cannot_be_dropped_is_said_in_a_sentence(tmp_path: Path) -> None:
    filled(tmp_path, 5, keep=1)
    owner = Checkpoints(Fixed(tmp_path), "name", MODEL, json.dumps(MODEL, sort_keys=True), 1)
    owner.claim(snapshot())
    with pytest.raises(CheckpointError, match="Read-only file system: make room"):
        owner.publish(snapshot(6))
    assert sequence_of(checkpoints(tmp_path)) == 6


def test_publishing_wants_a_claim(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="call claim first"):
        checkpoints(tmp_path).publish(snapshot())


def test_a_part_that_was_cut_short_is_written_again(tmp_path: Path) -> None:
    owner = filled(tmp_path, 5)
    for path in (tmp_path / "parts").iterdir():
        os.truncate(path, path.stat().st_size // 2)
    owner.publish(snapshot(6))
    assert sequence_of(checkpoints(tmp_path)) == 6


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    owner = filled(tmp_path, 5)
    shutil.copy(tmp_path / name_of(2), tmp_path / "manifest-000000000002 (copy).json")
    assert sequence_of(owner) == 5
    assert checkpoints(tmp_path).claim(snapshot()).number == 3
