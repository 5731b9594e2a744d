"""What becomes of a record: features and a label, or a letter with the reason."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.base import LEARN, PREDICT, Classes, Task
from stream.block import Block, DeadLetter
from stream.decode import Decoder
from stream.sections import RecordConfig
from tests.decoding import BAD, GOOD, decode, decoder_of, one, reason, run_of

BOTH = PREDICT | LEARN
CLASSES, NUMBERS, ANOMALIES = Task.CLASSIFICATION, Task.REGRESSION, Task.ANOMALY


@pytest.mark.parametrize(
    ("positive", "labels", "kept"),
    [
        ("1", [1, 0, 1], []),
        ("1", ["1", 0, "0"], ["1", "0"]),
        (1, ["1", "0"], []),
        (1, [0, "1", 1], [0, 1]),
        (True, [True, False], [True, False]),
        (True, [1, 0], [1, 0]),
    ],
)
def test_labels_of_another_type_than_the_positive_one_are_told_apart_from_it(
    positive: Any, labels: list[Any], kept: list[Any]
) -> None:
    decoder = decoder_of(positive=positive)
    block = decode([json.dumps({"x": 1, "y": label}).encode() for label in labels], decoder)
    assert decoder.classes.labels == kept
    assert len(block.dead) == len(labels) - len(kept)
    for letter in block.dead:
        assert f"like {positive!r}, which [record] positive names, in 'y', got" in letter.reason


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_set_aside_once_and_leaves_no_trace(name: str) -> None:
    bad, why = BAD[name]
    decoder = decoder_of()
    before = decode([GOOD], decoder)
    state = json.dumps(decoder.state())
    block = decoder.decode(run_of([GOOD, bad, GOOD], first=40), 7)
    (letter,) = block.dead
    assert letter == DeadLetter("t", 3, 41, 1_041, b"k", bad, letter.reason, sequence=9)
    assert why in letter.reason
    assert "\n" not in letter.reason
    assert len(letter.reason) < 300
    assert json.dumps(decoder.state()) == state
    assert block.places == [0, 2]
    assert list(block.examples.rows) == [before.examples.rows[0]] * 2
    assert block.examples.y.tolist() == [0.0, 0.0]
    assert (block.start, block.end) == (7, 10)


def test_bad_records_before_any_good_one_leave_no_trace() -> None:
    decoder = decoder_of()
    bad = [value for value, why in BAD.values() if not why.startswith("wanted a")]
    block = decode([*bad, b'{"new": [1], "y": "NEW"}', b'{"new": 1, "y": {}}'], decoder)
    assert len(block.dead) == len(bad) + 2
    assert decoder.state() == {"kinds": {}, "classes": []}


def test_values_come_back_as_the_python_values_they_are() -> None:
    row = {"i": 3, "f": 3.0, "neg": -0.0, "tiny": 5e-324, "t": True, "s": "é\u0000", "n": None}
    (features,) = one(row | {"y": "UP"}).examples.rows
    del row["n"]
    assert repr(features) == repr(row)
    (again,) = one({"i": 2**53 + 1, "y": "UP"}).examples.rows
    assert again["i"] == 2**53 + 1


def test_a_class_that_comes_later_gets_the_next_code() -> None:
    decoder = decoder_of()
    block = decode([b'{"y": "UP"}', b'{"y": "DOWN"}', b'{"y": "UP"}'], decoder)
    assert block.examples.y.tolist() == [0.0, 1.0, 0.0]
    assert decode([b'{"y": "FLAT"}'], decoder).examples.y.tolist() == [2.0]
    assert decoder.classes.labels == ["UP", "DOWN", "FLAT"]


def test_a_field_that_comes_later_joins() -> None:
    decoder = decoder_of()
    block = decode([b'{"x": 1, "y": "UP"}', b'{"x": 1, "z": "w", "y": "UP"}'], decoder)
    assert list(block.examples.rows) == [{"x": 1}, {"x": 1, "z": "w"}]
    assert decoder.schema.kinds == {"x": "number", "z": "category"}


def test_classes_are_bounded_and_one_too_many_leaves_no_trace() -> None:
    decoder = decoder_of(classes=Classes(["UP"], limit=1))
    assert "at most 1 classes, got 'DOWN'" in reason({"x": 1, "y": "DOWN"}, decoder)
    assert decoder.state() == {"kinds": {}, "classes": ["UP"]}
    assert len(one({"x": 1, "y": "UP"}, decoder).examples) == 1


def test_true_and_false_join_together_for_a_learner_of_two_classes() -> None:
    decoder = Decoder(RecordConfig(label="y"), CLASSES, Classes(), pairs=True)
    assert one({"y": 1}, decoder).examples.y.tolist() == [1.0]
    assert decoder.classes.labels == [0, 1]


@pytest.mark.parametrize("label", [1, 1.0, True])
def test_labels_that_python_takes_for_one_key_are_one_class(label: Any) -> None:
    decoder = decoder_of(classes=Classes([False, True]))
    assert one({"y": label}, decoder).examples.y.tolist() == [1.0]
    assert decoder.classes.labels == [False, True]


@pytest.mark.parametrize(
    ("task", "op"), [(CLASSES, PREDICT), (NUMBERS, PREDICT), (ANOMALIES, BOTH)]
)
@pytest.mark.parametrize("record", [{"x": 1}, {"x": 1, "y": None}])
def test_without_a_label_a_row_is_predicted_only(task: Task, op: int, record: Any) -> None:
    examples = one(record, decoder_of(task)).examples
    assert examples.op.tolist() == [op]
    assert math.isnan(examples.y[0])


@pytest.mark.parametrize("label", [3, -2.5, 1e299])
def test_a_number_is_a_target(label: Any) -> None:
    examples = one({"y": label}, decoder_of(NUMBERS)).examples
    assert (examples.y.tolist(), examples.op.tolist()) == ([float(label)], [BOTH])


@pytest.mark.parametrize("label", ["3", True, [], {}, 10**400, 1e305])
def test_what_is_no_number_is_no_target(label: Any) -> None:
    assert "wanted a number as label in 'y'" in reason({"x": 1, "y": label}, decoder_of(NUMBERS))


@pytest.mark.parametrize("label", [0, 1, True, False, 1.0])
def test_an_anomaly_is_labelled_1_or_0(label: Any) -> None:
    assert one({"y": label}, decoder_of(ANOMALIES)).examples.y.tolist() == [float(label)]


@pytest.mark.parametrize("label", [2, "1", [], 0.5])
def test_other_labels_of_anomalies_are_refused(label: Any) -> None:
    assert "wanted 1 or 0 as label in 'y'" in reason({"y": label}, decoder_of(ANOMALIES))


def test_a_decoder_goes_on_from_its_state() -> None:
    decoder, other = decoder_of(), decoder_of()
    decode([GOOD, b'{"x": 1, "y": "DOWN"}'], decoder)
    other.restore(json.loads(json.dumps(decoder.state())))
    assert other.state() == decoder.state()
    assert "wanted a string" in reason({"c": 1, "y": "UP"}, other)
    assert one({"y": "FLAT"}, other).examples.y.tolist() == [2.0]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**66), 2**66),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "UP", "DOWN", "é", "2023-11-14T22:13:20Z"]),
)
RECORDS = st.dictionaries(
    st.sampled_from(["x", "c", "y", "w", "at", "u", "n"]),
    SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from("xy"), SCALARS),
    max_size=6,
)
BYTES = st.one_of(
    st.none(),
    RECORDS.map(lambda record: json.dumps(record).encode()),
    st.binary(max_size=12),
    st.sampled_from([bad for bad, _ in BAD.values() if len(bad) < 2_000]),
)
CONFIGS = st.sampled_from(
    [{}, {"key": "u"}, {"time": "at", "weight": "w"}, {"take": ["x", "n.x"]}, {"id": "u.x"}]
)


def seen(block: Block) -> list[Any]:
    """Everything a block says, row by row, in a form in which NaN equals NaN."""
    rows = block.examples
    columns = (rows.op.tolist(), rows.y.tolist(), rows.weight.tolist(), rows.time.tolist())
    return [
        *zip(
            [block.run.offsets[place] for place in block.places],
            map(repr, rows.rows),
            block.keys,
            *(map(repr, column) for column in columns),
            strict=True,
        ),
        *((stone.key, block.run.offsets[stone.place]) for stone in block.removed),
        *block.dead,
    ]


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from([b"a", b"", b"\xff", None]), BYTES), max_size=30),
    st.lists(st.integers(1, 10), min_size=30, max_size=30),
    CONFIGS,
    st.sampled_from(list(Task)),
)
def test_where_runs_are_cut_changes_nothing(
    messages: list[tuple[bytes | None, bytes | None]],
    cuts: list[int],
    record: dict[str, Any],
    task: Task,
) -> None:
    """And whatever the bytes are, nothing is raised and every record is accounted for."""
    keys, values = [list(column) for column in zip(*messages, strict=True)] or ([], [])
    whole, parts = decoder_of(task, **record), decoder_of(task, **record)
    at_once = whole.decode(run_of(values, keys), 0)
    assert len(at_once.places) + len(at_once.removed) + len(at_once.dead) == len(messages)
    pieces: list[Any] = []
    start = 0
    for cut in cuts:
        if start < len(values):
            end = start + cut
            block = parts.decode(run_of(values[start:end], keys[start:end], start), start)
            pieces += seen(block)
            start = block.end
    assert sorted(map(repr, pieces)) == sorted(map(repr, seen(at_once)))
    assert json.dumps(parts.state()) == json.dumps(whole.state())


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_arbitrary_bytes_never_raise(values: list[bytes]) -> None:
    block = decode(list(values))
    assert len(block.dead) + len(block.places) == len(values)


def test_a_label_that_no_array_holds_is_refused_and_joins_nothing() -> None:
    decoder = decoder_of()
    assert reason({"y": 5 * 10**19, "x": 1}, decoder) == "wanted a label of 64 bits in 'y'"
    assert decoder.classes.labels == []
