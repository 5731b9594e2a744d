import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stream.block import DeadLetter
from stream.dead import DeadLetters
from stream.errors import StreamError


def letter(offset: int, partition: int = 0, reason: str = "why") -> DeadLetter:
    return DeadLetter("t", partition, offset, 5, None, b"\xff\x00", reason)


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[DeadLetters]:
    with closing(DeadLetters(tmp_path / "dead.db")) as dead:
        yield dead


def test_letters_come_back_in_the_order_of_their_positions(dead: DeadLetters) -> None:
    other = letter(9)._replace(key=b"", value=None, reason="é", error="raised", sequence=10)
    letters = [letter(7), other, letter(2, 1)]
    dead.add(letters[1:], 1)
    dead.add(letters[:1], 1)
    assert list(dead.letters()) == letters


def test_a_record_met_again_is_the_same_letter(dead: DeadLetters, tmp_path: Path) -> None:
    dead.add([letter(7), letter(8)], 1)
    with closing(DeadLetters(tmp_path / "dead.db")) as again:
        again.add([letter(7, reason="another"), letter(8), letter(9)], 1)
    assert list(dead.letters()) == [letter(7), letter(8), letter(9)]


def test_the_letters_are_those_of_the_newest_lineage(dead: DeadLetters) -> None:
    dead.add([letter(7), letter(8)], 1)
    dead.add([letter(8, reason="in another life")], 2)
    assert list(dead.letters()) == [letter(8, reason="in another life")]


def test_only_their_owner_can_read_them(dead: DeadLetters, tmp_path: Path) -> None:
    dead.add([letter(7)], 1)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) > 1
    assert set(modes.values()) == {0o600}


def test_letters_that_cannot_be_kept_are_said_and_none_is_half_kept(tmp_path: Path) -> None:
    path = tmp_path / "dead.db"
    with closing(DeadLetters(path)) as dead:
        dead.add([letter(7)], 1)
        with closing(sqlite3.connect(path)) as other:
            other.execute(
                'CREATE TRIGGER full BEFORE INSERT ON dead WHEN new."offset" = 9 '
                "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
            )
        with pytest.raises(StreamError, match=r"wanted to keep 2 dead letters at .*disk is full"):
            dead.add([letter(8), letter(9)], 1)
        assert list(dead.letters()) == [letter(7)]
        dead.add([letter(10)], 1)
        assert list(dead.letters()) == [letter(7), letter(10)]


def test_the_commonest_reason_is_of_the_newest_lineage_whatever_it_quotes(
    dead: DeadLetters,
) -> None:
    assert dead.commonest() is None
    dead.add([letter(i, reason="wanted sense, got none") for i in range(5)], 1)
    dead.add([letter(i, reason=f"wanted a number, got {i}") for i in range(2)], 2)
    dead.add([letter(i, reason=f"malformed (byte {i})") for i in range(4, 7)], 2)
    assert dead.commonest() == ("malformed (byte 4)", 3)
    dead.add([letter(i, 1, reason=f"wanted a number, got {i}") for i in range(2)], 2)
    found = dead.commonest()
    assert found is not None
    assert found[0].startswith("wanted a number, got ")
    assert found[1] == 4


@pytest.mark.parametrize("size", [100, 5_000, 9_000])
def test_a_file_that_was_cut_short_is_refused_with_the_remedy(tmp_path: Path, size: int) -> None:
    path = tmp_path / "dead.db"
    with closing(DeadLetters(path)) as dead:
        dead.add([letter(i, reason="why " * 50) for i in range(500)], 1)
    os.truncate(path, size)
    with pytest.raises(StreamError, match="move it away with its -wal file"):
        list(DeadLetters(path).letters())


def test_damage_met_while_reading_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "dead.db"
    with closing(DeadLetters(path)) as dead:
        dead.add([letter(i, reason="why " * 50) for i in range(500)], 1)
    data = bytearray(path.read_bytes())
    data[4_096:] = b"\xff" * (len(data) - 4_096)
    path.write_bytes(data)
    with closing(DeadLetters(path)) as dead:
        for ask in (lambda: list(dead.letters()), dead.commonest):
            with pytest.raises(StreamError, match=r"dead letters.*move it away"):
                ask()


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="wanted a file for dead letters at"):
        DeadLetters(tmp_path / "missing" / "dead.db")
    (tmp_path / "other.db").write_text("not a database " * 100)
    with pytest.raises(StreamError, match="wanted a file for dead letters at"):
        DeadLetters(tmp_path / "other.db")
