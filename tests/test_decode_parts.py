"""The parts of a record beside its label: key, time, weight, position, and none at all."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.base import LEARN, PREDICT
from stream.units import LAST
from tests.decoding import GOOD, decoder_of, one, reason, run_of

BOTH = PREDICT | LEARN


def test_the_key_is_the_messages_own() -> None:
    block = decoder_of().decode(run_of([GOOD] * 3, ["é".encode(), b"", None]), 0)
    assert block.keys == ["é", None]
    assert [letter.reason for letter in block.dead] == ["wanted a key, got an empty one"]
    assert "wanted a key in UTF-8" in reason(GOOD, key=b"\xff")


@pytest.mark.parametrize(("key", "text"), [("u1", "u1"), (7, "7"), (-(2**70), str(-(2**70)))])
def test_the_key_is_a_field_of_the_record(key: Any, text: str) -> None:
    block = one({"user": {"id": key}, "x": 1, "y": "UP"}, decoder_of(key="user.id"), b"other")
    assert block.keys == [text]
    assert list(block.examples.rows) == [{"x": 1}]


@pytest.mark.parametrize("key", ["", None, True, 1.5, [], {}])
def test_a_field_that_is_no_key_is_refused(key: Any) -> None:
    assert "wanted a string or an integer as key in 'u'" in reason({"u": key}, decoder_of(key="u"))


@pytest.mark.parametrize(
    ("time", "milliseconds"),
    [
        (1_700_000_000_123, 1_700_000_000_123),
        (-5, -5),
        ("2023-11-14T22:13:20.123Z", 1_700_000_000_123),
        ("2023-11-14T23:13:20.123+01:00", 1_700_000_000_123),
        ("2023-11-14 22:13:20.123", 1_700_000_000_123),
        ("0001-01-01T00:00:00+14:00", -62_135_647_200_000),
    ],
)
def test_the_time_is_a_field_of_the_record(time: Any, milliseconds: int) -> None:
    block = one({"at": time, "x": 1}, decoder_of(time="at"))
    assert block.examples.time.tolist() == [milliseconds]
    assert list(block.examples.rows) == [{"x": 1}]


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_every_millisecond_written_out_is_that_millisecond(moment: int) -> None:
    days, rest = divmod(moment, 86_400_000)
    text = f"{_date(days)}T{rest // 3_600_000:02}:{rest // 60_000 % 60:02}"
    text += f":{rest // 1000 % 60:02}.{rest % 1000:03}Z"
    assert one({"at": text}, decoder_of(time="at")).examples.time.tolist() == [moment]


def _date(days: int) -> str:
    return datetime.date.fromordinal(days + 719_163).isoformat()


def test_without_a_time_it_is_the_messages_own() -> None:
    assert decoder_of().decode(run_of([GOOD], first=9), 0).examples.time.tolist() == [1_009]


@pytest.mark.parametrize("time", [None, True, 1.5, "soon", "", LAST, [], "2023-99-01T00:00:00Z"])
def test_what_is_no_time_is_refused(time: Any) -> None:
    assert "wanted milliseconds or an RFC 3339 time in 'at'" in reason(
        {"at": time}, decoder_of(time="at")
    )


@pytest.mark.parametrize("weight", [0, 2, 0.25])
def test_the_weight_is_a_field_of_the_record(weight: Any) -> None:
    block = one({"w": weight, "x": 1}, decoder_of(weight="w"))
    assert block.examples.weight.tolist() == [float(weight)]
    assert one({"w": weight, "y": "UP"}, decoder_of(weight="w")).examples.op.tolist() == [
        BOTH if weight else PREDICT
    ]
    assert list(block.examples.rows) == [{"x": 1}]


@pytest.mark.parametrize("weight", [-1, None, True, "1", 10**400, [[]]])
def test_what_is_no_weight_is_refused(weight: Any) -> None:
    assert "wanted a weight of 0 or more in 'w'" in reason({"w": weight}, decoder_of(weight="w"))


def test_the_id_is_no_feature() -> None:
    assert list(one({"i": 7, "x": 1, "y": "UP"}, decoder_of(id="i")).examples.rows) == [{"x": 1}]


def test_a_record_without_a_value_removes_its_key() -> None:
    block = decoder_of(key="u").decode(run_of([None, None, None], [b"a", b"", None]), 5)
    assert [(stone.key, stone.place) for stone in block.removed] == [("a", 0)]
    assert [letter.offset for letter in block.dead] == [1, 2]
    assert not len(block.examples)
