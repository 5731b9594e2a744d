import gc
import json
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import schema as schemas
from stream.schema import MANY_FIELDS, MANY_LEVELS, RefusedRecordError, Schema, take_out

NAMES = st.sampled_from(["a", "b", "c", "a.b"])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text()
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2)
)
ROWS = st.dictionaries(NAMES, VALUES, max_size=3)


def schema(
    declared: dict[str, str] | None = None,
    take: list[str] | None = None,
    leave_out: list[str] | None = None,
) -> Schema:
    return Schema(declared or {}, take, leave_out or [])


def refusal(of: Schema, row: dict[str, Any]) -> str:
    with pytest.raises(RefusedRecordError) as caught:
        of.features(row)
    return str(caught.value)


def test_the_first_value_of_a_field_says_its_kind() -> None:
    seen = schema()
    seen.features({"n": 1, "x": 0.5, "ok": True, "word": "w"})
    assert seen.kinds == {"n": "number", "x": "number", "ok": "bool", "word": "category"}


@pytest.mark.parametrize("first", [1, 0.5, True, "w"])
@pytest.mark.parametrize("then", [1, 0.5, True, "w"])
def test_a_later_value_has_to_be_of_that_kind(first: Any, then: Any) -> None:
    seen = schema()
    seen.features({"f": first})
    before = dict(seen.kinds)
    numbers = (int, float)
    alike = type(first) is type(then) or (type(first) in numbers and type(then) in numbers)
    if alike:
        assert seen.features({"f": then}) == {"f": then}
    else:
        assert "'f'" in refusal(seen, {"f": then, "new": 1})
    assert seen.kinds == before


def test_a_declared_kind_holds_from_the_first_record() -> None:
    seen = schema({"word": "text", "x": "number"})
    assert "wanted a number in the field 'x', got a string" in refusal(seen, {"x": "1"})
    assert "wanted a string in the field 'word', got a number" in refusal(seen, {"word": 1})
    assert seen.features({"x": 1, "word": "a b"}) == {"x": 1, "word": "a b"}


def test_nested_objects_become_dotted_names() -> None:
    seen = schema(leave_out=["a.secret"])
    row = {"a": {"b": {"c": 1}, "secret": "s", "none": None}, "x": 2.0}
    assert seen.features(row) == {"a.b.c": 1, "x": 2.0}
    assert seen.kinds == {"a.b.c": "number", "x": "number"}


def test_only_the_fields_to_take_are_taken() -> None:
    seen = schema(take=["x", "a.b"], leave_out=["y"])
    assert seen.features({"x": 1, "y": 2, "z": [1], "a": {"b": 3, "c": 4}}) == {"x": 1, "a.b": 3}
    assert seen.features({"x": 1, "y": 2, "z": []}) == {"x": 1}
    assert seen.features({"y": 2}) == {}
    assert set(seen.kinds) == {"x", "a.b"}


def test_a_missing_value_is_left_out_and_says_nothing_of_the_kind() -> None:
    seen = schema()
    assert seen.features({"x": None, "y": 1}) == {"y": 1}
    assert seen.features({"x": "w", "y": None}) == {"x": "w"}


@pytest.mark.parametrize("row", [{"x": [1]}, {"a": {"x": []}}])
def test_an_array_is_refused(row: dict[str, Any]) -> None:
    assert "got an array" in refusal(schema(), row)


@pytest.mark.parametrize("row", [{"x": 2**63}, {"x": -(2**63) - 1}, {"a": {"x": 2**64}}])
def test_an_integer_beyond_64_bits_is_refused_whenever_it_comes(row: dict[str, Any]) -> None:
    seen = schema()
    assert "64 bits" in refusal(seen, dict(row))
    assert not seen.kinds
    seen.features({"x": -(2**63), "a": {"x": 2**63 - 1}})
    seen.features({"x": 2**63 - 1})
    assert "64 bits" in refusal(seen, dict(row))


def test_fields_are_bounded() -> None:
    seen = schema()
    seen.features({f"f{i}": 1 for i in range(MANY_FIELDS)})
    assert f"at most {MANY_FIELDS} fields, got 'one'" in refusal(seen, {"one": 1})
    assert seen.features({"f7": 2}) == {"f7": 2}
    declared = schema({f"f{i}": "number" for i in range(MANY_FIELDS + 5)})
    assert declared.features({"f7": 2}) == {"f7": 2}


class Tracked(str):
    """A name of which can be told whether it is still held."""

    __slots__ = ("__weakref__",)


@pytest.mark.slow
def test_names_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "MANY_NAMES", 50)
    seen = schema(take=["x"])
    held: weakref.WeakSet[Tracked] = weakref.WeakSet()
    most = 0
    for i in range(30):
        row: dict[str, Any] = {Tracked(f"{i}.{j}"): 1 for j in range(9)}
        held.update(name for name in row if isinstance(name, Tracked))
        assert seen.features(row | {"x": 1}) == {"x": 1}
        del row
        gc.collect()
        most = max(most, len(held))
    assert 0 < most <= 50


def test_levels_are_bounded_whoever_calls() -> None:
    def nested(levels: int) -> dict[str, Any]:
        row: dict[str, Any] = {"x": 1}
        for _ in range(levels - 1):
            row = {"a": row}
        return row

    assert schema().features(nested(MANY_LEVELS)) == {"a." * (MANY_LEVELS - 1) + "x": 1}
    assert f"at most {MANY_LEVELS}" in refusal(schema(), nested(MANY_LEVELS + 1))


@given(st.lists(ROWS, max_size=12))
def test_what_is_refused_changes_nothing(rows: list[dict[str, Any]]) -> None:
    """A schema that never saw the refused rows is equal, and answers the same."""
    seen, spared = schema(), schema()
    for row in rows:
        copy = json.loads(json.dumps(row))
        try:
            features = seen.features(row)
        except RefusedRecordError:
            with pytest.raises(RefusedRecordError):
                spared.features(copy)
            spared = Schema(seen.kinds, None, [])
        else:
            assert repr(spared.features(copy)) == repr(features)
        assert seen.kinds == spared.kinds


@pytest.mark.parametrize(
    ("path", "value", "left"),
    [
        ("a", {"b": {"c": 1}, "d": 2}, {"a.b": 5, "e": 6}),
        ("a.b", 5, {"a": {"b": {"c": 1}, "d": 2}, "e": 6}),
        ("a.b.c", 1, {"a": {"b": {}, "d": 2}, "a.b": 5, "e": 6}),
        ("a.d.x", None, {"a": {"b": {"c": 1}, "d": 2}, "a.b": 5, "e": 6}),
        ("nothing.here", None, {"a": {"b": {"c": 1}, "d": 2}, "a.b": 5, "e": 6}),
    ],
)
def test_take_out_removes_what_lies_at_a_path(path: str, value: Any, left: dict[str, Any]) -> None:
    row = {"a": {"b": {"c": 1}, "d": 2}, "a.b": 5, "e": 6}
    assert take_out(row, path) == value
    assert row == left
