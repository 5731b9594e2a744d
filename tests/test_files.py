import gzip
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.cells import converter
from stream.errors import ConfigError
from stream.files import RecordFile
from stream.log import Message
from stream.sections import RecordConfig

NOW = 1_700_000_000_000


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def messages(path: Path, columns: list[str] | None = None, **record: Any) -> list[Message]:
    return list(RecordFile(path, NOW, RecordConfig(**record), columns))


def records(path: Path, columns: list[str] | None = None) -> list[Any]:
    return [json.loads(message.value or b"") for message in messages(path, columns)]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "A.CSV"])
def test_columns_are_typed_by_their_first_rows(tmp_path: Path, name: str) -> None:
    text = "n,x,flag,zip,text\n1,0.5,true,007,a\n2,3,false,10115,\n"
    assert records(written(tmp_path, name, text)) == [
        {"n": 1, "x": 0.5, "flag": True, "zip": "007", "text": "a"},
        {"n": 2, "x": 3.0, "flag": False, "zip": "10115", "text": None},
    ]


def test_a_cell_that_does_not_fit_its_column_is_what_it_is(tmp_path: Path) -> None:
    head = "n,x,flag\n" + "1,0.5,true\n" * 1_000
    rows = records(written(tmp_path, "a.csv", head + "2.5,many,maybe\n nan ,inf,\n1_000,1e999,\n"))
    assert rows[999] == {"n": 1, "x": 0.5, "flag": True}
    assert rows[1000] == {"n": 2.5, "x": "many", "flag": "maybe"}
    assert rows[1001] == {"n": " nan ", "x": "inf", "flag": None}
    assert rows[1002] == {"n": "1_000", "x": "1e999", "flag": None}


def test_a_mark_at_the_start_quotes_and_line_ends_are_read_as_written(tmp_path: Path) -> None:
    text = '\ufeffa,b\r\n"x, ""y""",1\r\n\r\n"two\nlines",2'
    assert records(written(tmp_path, "a.csv", text)) == [
        {"a": 'x, "y"', "b": 1},
        {"a": "two\nlines", "b": 2},
    ]


def test_tabs_know_no_quotes_and_columns_may_be_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.tsv", 'ham\tsay "hi\nspam\t"win, now\n')
    assert records(path, columns=["label", "text"]) == [
        {"label": "ham", "text": 'say "hi'},
        {"label": "spam", "text": '"win, now'},
    ]


def test_a_row_with_other_cells_is_sent_as_text_in_its_place(tmp_path: Path) -> None:
    file = RecordFile(written(tmp_path, "a.csv", "a,b\n1,2\n3\n4,5,6\n7,8\n"), NOW)
    values = [json.loads(message.value or b"") for message in file]
    assert values == [{"a": 1, "b": 2}, "3", "4,5,6", {"a": 7, "b": 8}]
    assert file.ragged == 2


def test_a_file_whose_first_rows_are_all_ragged_is_still_typed(tmp_path: Path) -> None:
    text = "a,b\n" + "1\n" * 1_000 + "2,3\n"
    assert records(written(tmp_path, "a.csv", text))[-1] == {"a": 2, "b": 3}


def test_a_row_that_is_not_utf8_is_sent_as_its_bytes(tmp_path: Path) -> None:
    file = RecordFile(written(tmp_path, "a.csv", b"a,b\ncaf\xe9,1\nok,2\n"), NOW)
    assert [message.value for message in file] == [b"caf\xe9,1", b'{"a":"ok","b":2}']
    assert file.ragged == 1


def test_key_and_time_come_from_the_record(tmp_path: Path) -> None:
    text = "id,at,x\nc1,1970-01-01T00:00:01Z,1\n,never,2\n"
    found = messages(written(tmp_path, "a.csv", text), key="id", time="at")
    assert [(m.key, m.time) for m in found] == [(b"c1", 1_000), (None, NOW)]
    lines = b'{"c":{"id":5},"at":12}\nnot json\n{"c":{"id":true}}\n'
    found = messages(written(tmp_path, "a.jsonl", lines), key="c.id", time="at")
    assert [(m.key, m.time) for m in found] == [(b"5", 12), (None, NOW), (None, NOW)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson.gz"])
def test_lines_are_passed_through_byte_for_byte(tmp_path: Path, name: str) -> None:
    content = b'\xef\xbb\xbf{"a": 1.50}\r\n\n  {"b":\t2}  \nnot json\n\xff\xfe\n{"c":3}'
    values = [message.value for message in messages(written(tmp_path, name, content))]
    assert values == [b'{"a": 1.50}', b'  {"b":\t2}  ', b"not json", b"\xff\xfe", b'{"c":3}']


def test_parquet_keeps_types_and_nesting(tmp_path: Path) -> None:
    moment = pa.scalar(1_500, pa.timestamp("ms", tz="UTC"))
    table = pa.table(
        {
            "n": pa.array([1, None], pa.int32()),
            "x": [0.5, math.inf],
            "flag": [True, False],
            "at": pa.array([moment.as_py(), None]),
            "who": [{"id": "a"}, {"id": "b"}],
        }
    )
    path = tmp_path / "a.parquet"
    pa.parquet.write_table(table, path)
    found = messages(path, key="who.id", time="at")
    assert [(m.key, m.time) for m in found] == [(b"a", 1_500), (b"b", NOW)]
    first, second = (json.loads(m.value or b"") for m in found)
    assert first == {
        "n": 1, "x": 0.5, "flag": True, "at": "1970-01-01T00:00:01.500000Z", "who": {"id": "a"},
    }  # fmt: skip
    assert second == {"n": None, "x": "inf", "flag": False, "at": None, "who": {"id": "b"}}


def test_the_position_reaches_the_size(tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{i},{i * 7919 % 1000}\n" for i in range(50_000))
    for name in ("a.csv", "a.csv.gz"):
        file = RecordFile(written(tmp_path, name, text), NOW)
        positions = [file.position for _ in file]
        assert positions == sorted(positions)
        assert 0 < positions[0] < file.size == file.position
    assert len(list(file)) == 50_000, "a file can be read again"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "a\n1\n", "wanted a file that ends in .csv"),
        ("a.csv", "", "wanted names of columns"),
        ("a.csv", "5.1,3.5,setosa\n", "got numbers: give the columns by name"),
        ("a.csv", "5,6,setosa\n", "feed --columns"),
        ("a.csv", "a,a\n1,2\n", "got 'a' twice"),
        ("a.csv", b"caf\xe9\n1\n", "save the file as UTF-8"),
        ("a.parquet", "no parquet", "damaged"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, content: str | bytes, expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        messages(written(tmp_path, name, content))


def test_a_missing_file_column_and_a_cut_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        RecordFile(tmp_path / "none.csv", NOW)
    with pytest.raises(ConfigError, match='did you mean "customer"'):
        messages(written(tmp_path, "a.csv", "customer\nx\n"), key="custmer")
    cut = written(tmp_path, "a.csv.gz", "a,b\n" + "1,2\n" * 10_000)
    cut.write_bytes(cut.read_bytes()[:-20])
    with pytest.raises(ConfigError, match="damaged"):
        messages(cut)


@pytest.mark.parametrize(
    ("record", "missing"),
    [
        ({"label": "label"}, "'label'"),
        ({"key": "id"}, "'id'"),
        ({"id": "id", "label": "label"}, "'id', 'label'"),
        ({"time": "at", "weight": "w"}, "'at', 'w'"),
    ],
)
def test_a_first_line_that_is_a_record_is_no_header(
    tmp_path: Path, record: dict[str, Any], missing: str
) -> None:
    path = written(tmp_path, "a.tsv", "ham\tsay hi\nspam\twin\n")
    with pytest.raises(ConfigError, match=rf"wanted {missing} of \[record\]") as caught:
        messages(path, **record)
    assert "got 'ham', 'say hi': if that is a record" in str(caught.value)
    assert "--columns" in str(caught.value)


def test_records_to_be_predicted_only_need_no_column_of_labels(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "id,x\n7,1\n")
    file = RecordFile(path, NOW, RecordConfig(key="id", label="y"))
    assert [message.key for message in file] == [b"7"]
    assert not file.labelled
    named = written(tmp_path, "b.csv", "7,1\n")
    file = RecordFile(named, NOW, RecordConfig(label="y"), ["x", "y"])
    assert len(list(file)) == 1
    assert file.labelled


def test_columns_that_are_named_must_have_the_records_parts(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "7,1\n")
    with pytest.raises(ConfigError, match=r"wanted the column 'id' of \[record\] in a"):
        messages(path, ["x", "y"], id="id")


@given(st.lists(st.text(), min_size=1), st.lists(st.text()))
def test_any_cells_become_finite_json(sample: list[str], cells: list[str]) -> None:
    values = converter(sample)(cells)
    assert len(values) == len(cells)
    for cell, value in zip(cells, values, strict=True):
        assert isinstance(value, str | int | float | bool | None)
        assert value == cell if isinstance(value, str) else True
        assert not isinstance(value, float) or math.isfinite(value)


@given(
    st.lists(st.integers(-(10**18) + 1, 10**18 - 1), min_size=1),
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1),
)
def test_numbers_survive_as_written(whole: list[int], fractions: list[float]) -> None:
    texts = [str(number) for number in whole]
    assert converter(texts)(texts) == whole
    floats = [number for number in fractions if abs(number) < 1e290]
    texts = [repr(number) for number in floats]
    read = converter(texts)(texts)
    assert read == floats


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(), min_size=3), min_size=1))
def test_any_text_survives_a_csv_file(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    quoted = ['"a","b","c"'] + [
        ",".join('"' + row[name].replace('"', '""') + '"' for name in "abc") for row in rows
    ]
    path = tmp_path / "any.csv"
    path.write_bytes("\n".join([*quoted, ""]).encode())
    file = RecordFile(path, NOW)
    values = [msgspec.json.decode(message.value or b"") for message in file]
    assert file.ragged == 0
    assert len(values) == len(rows)
    for value, row in zip(values, rows, strict=True):
        for name, cell in value.items():
            assert not isinstance(cell, str) or cell == row[name]
