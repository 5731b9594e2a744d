import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import ConfigError
from stream.units import (
    UnitError,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    parse_time,
)

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("2h", 7_200_000), ("1.5 d", 129_600_000)],
)
def test_durations_are_milliseconds(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "size"), [("64MB", 64_000_000), ("1KiB", 1024), ("7B", 7), ("0.5GiB", 2**29)]
)
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@given(st.integers(0, 2**53))
def test_what_is_written_parses_to_the_same(amount: int) -> None:
    assert parse_duration(format_duration(amount)) == amount
    assert parse_size(format_size(amount)) == amount


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans()))
def test_anything_else_is_refused_in_one_type(value: object) -> None:
    for parse in (parse_duration, parse_size, parse_time):
        try:
            assert parse(value) <= 2**53
        except UnitError as error:
            assert "wanted" in str(error) and ": " in str(error)


@pytest.mark.parametrize(
    "text", ["10", "s", "-1s", "0.0001ms", "1e3s", "10 S", "\u0661s", "9" * 400]
)
def test_what_is_no_duration_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError, match="wanted a duration"):
        parse_duration(text)


@given(
    st.datetimes(
        min_value=datetime.datetime(1971, 1, 1),
        max_value=datetime.datetime(2200, 1, 1),
        timezones=st.sampled_from([datetime.UTC, datetime.timezone(datetime.timedelta(hours=-7))]),
    )
)
def test_times_round_down_to_the_millisecond(moment: datetime.datetime) -> None:
    expected = (moment - EPOCH) // datetime.timedelta(milliseconds=1)
    assert parse_time(moment.isoformat()) == parse_time(moment) == expected


@pytest.mark.parametrize(
    "text", ["2026-01-31", "2026-01-31T12:00:00", "2026-02-31T12:00:00Z", "yesterday", ""]
)
def test_a_time_needs_its_offset(text: str) -> None:
    with pytest.raises(UnitError, match="RFC 3339"):
        parse_time(text)
