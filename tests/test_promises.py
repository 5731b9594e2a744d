"""Whatever bytes come, as records or as a configuration, what was promised holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.command import CONFIG
from tests.configuring import BASE
from tests.decoding import BAD, GOOD
from tests.faults import promises

pytestmark = pytest.mark.usefixtures("bare_environment")

TEXTS = st.text(st.characters(codec="utf-8"), max_size=3)
CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["UP", "no", "7"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
NAMES = st.sampled_from(["x", "y", "id", "t", "w", "k", "a", "of", "n", "b", "c", "s", "a.b"])
OBJECTS = st.dictionaries(NAMES, CELLS, max_size=5)
EDGES = [value for value, _ in BAD.values() if len(value) < 10_000]
PIECES = [*BASE.splitlines(), *CONFIG.splitlines(), "[label]", "[dead]", "[predictions]"]


@pytest.mark.slow
@settings(max_examples=300)
@given(
    st.integers(0, 255),
    st.lists(
        st.tuples(
            st.integers(0, 255),
            st.one_of(
                OBJECTS.map(lambda row: json.dumps(row).encode()),
                st.sampled_from([GOOD, *EDGES]),
                st.binary(max_size=20),
            ),
        ),
        max_size=8,
    ),
)
def test_records(way: int, lines: list[tuple[int, bytes]]) -> None:
    promises.decode(bytes([way]) + b"\n".join(bytes([key]) + value for key, value in lines))


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(PIECES)
        | st.tuples(st.sampled_from(PIECES), st.text(max_size=9)).map("= ".join)
        | st.tuples(TEXTS, st.sampled_from(["1", "[1]", "{a = 1}", "inf", "1979-05-27"])).map(
            " = ".join
        ),
        max_size=20,
    ).map("\n".join)
)
def test_configurations(tmp_path: Path, text: str) -> None:
    promises.config(text.encode("utf-8", "surrogatepass"), tmp_path)
