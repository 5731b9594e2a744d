"""Dead letters whose file was altered or cut: refused, or lost and told of; never another one."""

from __future__ import annotations

import logging
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stream.app import Service
from stream.block import DeadLetter
from stream.config import load
from stream.dead import DeadLetters
from stream.errors import LettersError, StreamError
from stream.log import Message
from tests.command import put, refused

KEPT = [DeadLetter("t", 0, i, 5, b"k", b"v%d" % i * 99, "why", "raised", i + 1) for i in range(60)]
BAD = [Message(None, b"oops", i) for i in range(3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed file of letters."""
    path = tmp_path / "dead.db"
    with closing(DeadLetters(path)) as dead:
        dead.add(KEPT, 1)
    return path


def alter(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(f'UPDATE dead SET {change} WHERE "offset" = 2')


@pytest.mark.parametrize(
    "change",
    [
        "lineage = 2", "topic = 'u'", "partition = 1", '"offset" = 99', "time = 6", "key = NULL",
        "key = 'k'", "value = x''", "reason = 'wh'", "reason = CAST(x'ff' AS TEXT)",
        "error = 'refused'", "sequence = 4", "digest = x''",
    ],
)  # fmt: skip
def test_a_letter_that_was_altered_is_refused_with_the_remedy(path: Path, change: str) -> None:
    alter(path, change)
    with closing(DeadLetters(path)) as dead:
        for ask in (dead.count, lambda: list(dead.letters())):
            with pytest.raises(LettersError, match=r"another letter of ./\d/\d+: bring it back"):
                ask()


def test_another_table_is_refused_with_the_remedy(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("ALTER TABLE dead DROP COLUMN digest")
    with pytest.raises(LettersError, match="another table than this release makes: bring it back"):
        DeadLetters(path)


def test_no_bit_that_is_flipped_makes_another_letter(path: Path) -> None:
    whole, draw, refusals = path.read_bytes(), random.Random(1), 0
    for i in range(300):
        data = bytearray(whole)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        damaged = path.with_name(f"{i}.db")
        damaged.write_bytes(data)
        try:
            with closing(DeadLetters(damaged)) as dead:
                assert dead.count() == len(KEPT)
                assert list(dead.letters()) == KEPT
        except StreamError as error:
            assert "bring it back" in str(error) or "check its" in str(error)
            refusals += 1
    assert refusals > 100


def test_a_log_that_is_cut_or_altered_loses_the_last_letters_and_no_other(tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.mkdir()
    with closing(DeadLetters(held / "dead.db")) as dead:
        for one in KEPT:
            dead.add([one], 1)
        shutil.copytree(held, tmp_path / "killed")
    draw, counts = random.Random(2), set()
    for i in range(60):
        folder = tmp_path / f"damaged-{i}"
        shutil.copytree(tmp_path / "killed", folder)
        data = bytearray((folder / "dead.db-wal").read_bytes())
        at = draw.randrange(len(data))
        data[at] ^= 1 << draw.randrange(8)
        (folder / "dead.db-wal").write_bytes(data if i % 2 else data[:at])
        with closing(DeadLetters(folder / "dead.db")) as dead:
            counts.add(dead.count())
            assert list(dead.letters()) == KEPT[: dead.count()]
    assert len(counts) > 20


def test_a_service_refuses_letters_that_were_altered_until_they_are_brought_back(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config, *BAD)
    Service(load(config)).run(until_end=True)
    path = load(config).checkpoint.path / "dead.db"
    whole = path.read_bytes()
    alter(path, "value = x'6f'")
    for command in (["run", str(config), "--until-end"], ["dead", str(config)]):
        assert "/0/2: bring it back from a copy, or move it away" in refused(capsys, *command)
    path.write_bytes(whole)
    assert Service(load(config)).run(until_end=True).counts["set_aside"] == 3


@pytest.mark.parametrize("cut", [None, 0])
def test_letters_that_were_lost_are_told_of_at_each_start_and_the_service_goes_on(
    config: Path, caplog: pytest.LogCaptureFixture, cut: int | None
) -> None:
    put(config, *BAD)
    Service(load(config)).run(until_end=True)
    path = load(config).checkpoint.path / "dead.db"
    path.unlink()
    if cut is not None:
        path.write_bytes(b"")
    put(config, *BAD[:1])
    for held in (0, 1):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            shard = Service(load(config)).run(until_end=True)
        assert shard.counts["set_aside"] == 4
        of = 3 + held
        assert f"of {of} dead letters that were set aside {path} has {held}" in caplog.text
