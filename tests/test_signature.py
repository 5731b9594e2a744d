"""With a key, nothing is gone on from that another hand wrote."""

from __future__ import annotations

import dataclasses
import json
import shutil
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stream import manifest
from stream.checkpoint import Checkpoints
from stream.config import load
from stream.errors import ConfigError, SignatureError
from stream.folder import Folder
from stream.journal import Entry, Mark, Skip, Taken
from stream.journal_file import FileJournal, last_mark
from stream.journal_segment import chain
from stream.manifests import name_of
from stream.signature import Signer
from tests.command import CONFIG, alluvia, records
from tests.states import MODEL, sequence_of, snapshot

KEY = "a secret of sixteen bytes or more"
OTHER = "another secret of sixteen bytes"
ENTRIES: list[Entry] = [Taken("t", 0, 0, 9, 10), Taken("t", 1, 0, 4, 5), Skip("t", 1, 5, "why")]


def signed(path: Path, key: str | None = KEY, name: str = "name", keep: int = 3) -> Checkpoints:
    signer = None if key is None else Signer(key, name)
    digest = json.dumps(MODEL, sort_keys=True)
    return Checkpoints(Folder(path), name, MODEL, digest, keep, signer)


def filled(path: Path, *sequences: int, key: str | None = KEY, name: str = "name") -> Checkpoints:
    owner = signed(path, key, name)
    owner.claim(snapshot())
    for sequence in sequences:
        owner.publish(snapshot(sequence))
    return owner


def newest_file(folder: Path) -> Path:
    return max(folder.glob("manifest-*.json"))


def test_what_is_signed_is_gone_on_from_with_the_same_key(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    second = signed(tmp_path)
    assert second.claim(snapshot()).sequence == sequence_of(second) == 5


@pytest.mark.parametrize(
    ("written", "read", "said"),
    [
        (None, KEY, "got one without a signature: bring"),
        (OTHER, KEY, "got one signed with another key"),
        (KEY, None, "got a signed one: set ALLUVIA_CHECKPOINT__KEY"),
    ],
)
def test_a_checkpoint_that_is_not_signed_as_it_should_be_is_refused(
    tmp_path: Path, written: str | None, read: str | None, said: str
) -> None:
    filled(tmp_path, 5, key=written)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SignatureError, match=said) as caught:
        signed(tmp_path, read).claim(snapshot())
    assert str(newest_file(tmp_path)) in str(caught.value)
    assert not any(key in str(caught.value) for key in (KEY, OTHER))
    assert sorted(tmp_path.rglob("*")) == before


def resigned(path: Path, key: str | None, **changed: Any) -> bytes:
    """The manifest in a file with some of it changed, whole, and signed with a key."""
    held = manifest.from_bytes(path.read_bytes(), Signer(KEY, "name"))
    signer = None if key is None else Signer(key, "name")
    return dataclasses.replace(held, **changed).to_bytes(signer)


@pytest.mark.parametrize("key", [None, OTHER])
def test_no_older_checkpoint_takes_the_place_of_one_that_is_refused(
    tmp_path: Path, key: str | None
) -> None:
    filled(tmp_path, 5, 10)
    path = newest_file(tmp_path)
    path.write_bytes(resigned(path, key, sequence=11))
    for _ in range(2):
        with pytest.raises(SignatureError):
            signed(tmp_path).newest()


def test_a_signature_is_of_all_that_the_manifest_says(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    path = newest_file(tmp_path)
    genuine = json.loads(path.read_bytes())["hmac"]
    held = manifest.from_bytes(path.read_bytes(), Signer(KEY, "name"))
    changes: dict[str, Any] = {
        "sequence": 6, "lineage": 2, "epoch": 9, "owner": "x", "counts": {}, "positions": (),
        "parts": {part: "0" * 64 for part in held.parts}, "journal": {"segment": 1, "at": 0},
        "outbox": {"number": 2}, "model": {}, "model_digest": "", "versions": {}, "parent": None,
    }  # fmt: skip
    for name, value in changes.items():
        forged = json.loads(resigned(path, None, **{name: value}))
        with pytest.raises(SignatureError, match="another key"):
            manifest.from_bytes(
                json.dumps(forged | {"hmac": genuine}).encode(), Signer(KEY, "name")
            )


def test_a_part_that_was_replaced_is_not_loaded(tmp_path: Path) -> None:
    owner = filled(tmp_path, 5)
    held = owner.newest()
    assert held is not None
    part = tmp_path / "parts" / held.parts["learner.model.pickle"]
    part.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    other = signed(tmp_path)
    found = other.newest()
    assert found is not None
    assert found.sequence == 0  # as after a torn disk: the one before, which is signed as well


def test_an_old_checkpoint_under_a_higher_number_is_not_used(tmp_path: Path) -> None:
    filled(tmp_path, 5, 10)
    shutil.copy(tmp_path / name_of(2), tmp_path / name_of(9))
    assert sequence_of(signed(tmp_path)) == 10


def test_another_service_s_checkpoints_are_refused_under_the_same_key(tmp_path: Path) -> None:
    filled(tmp_path, 5, name="other")
    with pytest.raises(SignatureError, match="for another service"):
        signed(tmp_path).newest()


def journalled(folder: Path, *added: Entry, epoch: int = 1, key: str | None = KEY) -> Mark | None:
    signer = None if key is None else Signer(key, "name")
    with closing(FileJournal(Folder(folder), epoch, None, signer)) as journal:
        for entry in added:
            journal.append(entry)
        return journal.end


def followed(folder: Path, key: str | None = KEY) -> list[Entry]:
    signer = None if key is None else Signer(key, "name")
    return list(chain(Folder(folder), None, last_mark(Folder(folder), signer), signer))


def segment(folder: Path, epoch: int = 1) -> Path:
    return folder / f"journal-{epoch:012}.log"


def test_a_signed_journal_is_followed_through_its_owners(tmp_path: Path) -> None:
    journalled(tmp_path, *ENTRIES)
    journalled(tmp_path, *ENTRIES[:1], epoch=4)
    assert followed(tmp_path) == [*ENTRIES, ENTRIES[0]]


@pytest.mark.parametrize(
    ("written", "read", "said"),
    [
        (None, KEY, "without a signature"),
        (OTHER, KEY, "another key"),
        (KEY, None, "got a signed one"),
    ],
)
def test_a_journal_that_is_not_signed_as_it_should_be_is_refused(
    tmp_path: Path, written: str | None, read: str | None, said: str
) -> None:
    journalled(tmp_path, *ENTRIES, key=written)
    with pytest.raises(SignatureError, match=f"journal-0+1.log line 1: .*{said}"):
        followed(tmp_path, read)


def forgeries(lines: list[bytes]) -> Iterator[list[bytes]]:
    """Journals of genuine lines, each with its checksum, that were never written so."""
    first, *rest = lines
    yield [first, *rest[1:]]
    yield [first, rest[1], rest[0], rest[2]]
    yield [first, *rest, rest[0]]
    text = b'["skip","t",0,3,"wanted gone",false]'
    yield [*lines, b"%08x %s\n" % (zlib.crc32(text), text)]
    made_up = b"0" * 64 + b" " + text
    yield [*lines, b"%08x %s\n" % (zlib.crc32(made_up), made_up)]


def test_lines_are_neither_left_out_nor_moved_nor_added(tmp_path: Path) -> None:
    journalled(tmp_path, *ENTRIES)
    lines = segment(tmp_path).read_bytes().splitlines(keepends=True)
    tried = list(forgeries(lines))
    for forged in tried:
        segment(tmp_path).write_bytes(b"".join(forged))
        with pytest.raises(SignatureError):
            followed(tmp_path)
    assert len(tried) == 5


def test_a_segment_stands_for_no_other_owner(tmp_path: Path) -> None:
    journalled(tmp_path, *ENTRIES)
    shutil.copy(segment(tmp_path), segment(tmp_path, 2))
    with pytest.raises(SignatureError):
        followed(tmp_path)


def test_what_a_crash_cut_off_a_signed_journal_never_counted(tmp_path: Path) -> None:
    journalled(tmp_path, *ENTRIES)
    data = segment(tmp_path).read_bytes()
    segment(tmp_path).write_bytes(data[:-7])
    assert followed(tmp_path) == ENTRIES[:-1]


def test_the_key_is_a_secret_and_no_part_of_the_model(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsigned = load(config)
    monkeypatch.setenv("ALLUVIA_CHECKPOINT__KEY", "12345678901234567890")
    held = load(config)
    assert unsigned.signer() is None
    assert held.signer() is not None
    assert held.model_digest() == unsigned.model_digest()
    for text in (held.describe(), repr(held), str(held), repr(held.checkpoint), held.model_dump()):
        assert "1234567890" not in str(text)
    assert 'checkpoint.key = "****"' in held.describe()


@pytest.mark.parametrize("value", ['"too-short"', "1234567890123456789", '["too-short"]', '""'])
@pytest.mark.usefixtures("bare_environment")
def test_a_key_that_cannot_be_used_is_refused_without_being_told(
    tmp_path: Path, value: str
) -> None:
    path = tmp_path / "alluvia.toml"
    path.write_text(CONFIG + f"[checkpoint]\nkey = {value}\n", "utf-8")
    with pytest.raises(ConfigError, match=r"\[checkpoint\] key: wanted") as caught:
        load(path)
    assert not any(part in str(caught.value) for part in ("too-short", "1234"))


@pytest.mark.slow
def test_a_service_goes_on_under_its_key_only(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = config.parent
    rows = folder / "rows.jsonl"
    rows.write_text(records(300), "utf-8")
    monkeypatch.setenv("ALLUVIA_CHECKPOINT__KEY", KEY)
    alluvia(folder, "feed", config.name, rows.name)
    alluvia(folder, "run", config.name, "--until-end")
    told = json.loads(alluvia(folder, "state", config.name))
    assert told["counts"]["records"] == 300
    alluvia(folder, "replay", config.name, "--log", "--as", "trial")
    monkeypatch.setenv("ALLUVIA_CHECKPOINT__KEY", OTHER)
    alluvia(folder, "run", config.name, "--until-end", code=2)
    monkeypatch.delenv("ALLUVIA_CHECKPOINT__KEY")
    alluvia(folder, "run", config.name, "--until-end", code=2)
