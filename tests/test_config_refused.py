"""What a configuration cannot say, and how it is told."""

from pathlib import Path

import pytest

from stream.config import load
from stream.errors import ConfigError
from tests.configuring import BASE, read, refusal

pytestmark = pytest.mark.usefixtures("bare_environment")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("classes = [0]", "wanted two classes or more, got only 0"),
        ('classes = ["a"]', "wanted two classes or more, got only 'a'"),
        ('classes = [0, "a"]', "wanted classes of one kind, got 0, 'a', a number and a string"),
        ("classes = [true, 2]", "wanted classes of one kind, got true, 2, a bool and a number"),
        ("classes = [nan, 1]", "wanted a label, got nan"),
        ("classes = [0, inf]", "wanted a label, got inf"),
        ("classes = [0.5, 1]", "wanted a label, got 0.5"),
        (f"classes = [0, {2**63}]", "wanted a label, got 92233"),
        ("classes = [0, 1, 1]", "wanted each class once, got 0, 1, 1"),
        ("classes = [0, 1]\npositive = 2", "wanted positive among classes, got 2, a number"),
        ('classes = [0, 1]\npositive = "1"', "wanted positive among classes, got '1', a string"),
        ("positive = nan", "wanted a label, got nan"),
        ('key = "class"', 'key and label in fields of their own, got "class" for both'),
        ('time = "t"\nweight = "t"', 'time and weight in fields of their own, got "t" for both'),
        ("take = []", "wanted fields to take, got none"),
        ('leave_out = ["x"]\ntypes = {x = "text"}', 'got "x" in types and in leave_out'),
    ],
)
def test_records_that_no_stream_can_hold_are_refused(
    tmp_path: Path, record: str, expected: str
) -> None:
    assert expected in refusal(tmp_path, BASE.replace("[model]", record + "\n[model]"))


@pytest.mark.parametrize(
    "record",
    [
        "classes = [0, 1]\npositive = true",
        "classes = [false, true]",
        "classes = [0.0, 1, 2]",
        'classes = ["a", "b"]\npositive = "b"',
        'positive = "b"',
        'take = ["x"]\ntypes = {x = "text"}\nleave_out = ["y"]',
    ],
)
def test_records_that_a_stream_can_hold_are_taken(tmp_path: Path, record: str) -> None:
    assert read(tmp_path, BASE.replace("[model]", record + "\n[model]")).record.label == "class"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BASE + '[log]\nclient = "confluent"', 'wanted no client for the embedded log, got "conf'),
        (BASE + '[log]\nkind = "kafka"\nclient = "librdkafka"', "client"),
        ("nmae = 1\n" + BASE, "elec2.toml: unknown key or table 'nmae'; did you mean \"name\"?"),
        (BASE + "[model.window]\nkep = 1", 'unknown key [model.window] kep; did you mean "keep"?'),
        (BASE.replace("label", "labl"), 'unknown key [record] labl; did you mean "label"?'),
        ("a = [\n" + BASE, "wanted TOML"),
        (BASE + "[log]\nservers = 5", "[log] servers: wanted a string, got 5"),
        (BASE + '[log]\nkind = "kafak"', "wanted 'embedded' or 'kafka', got 'kafak'"),
        (BASE + "[score]\nwindow = true", "wanted a whole number, got true"),
        (BASE + "[store]\nttl = 5", 'wanted a duration such as "10s"'),
        (BASE + "[store]\nttl = 0", '"none" to keep predictions for ever'),
        (BASE + '[store]\nttl = "0s"', '"none" to keep predictions for ever'),
        (BASE + "[log]\npath = 5", "[log] path: wanted a path, got 5"),
        (BASE + '[log]\npath = "a\\u0000b"', "[log] path: wanted a path"),
        (BASE + '[store]\npath = "a\\u0000b"', "[store] path: wanted a path"),
        (BASE + '[checkpoint]\npath = "a\\u0000b"', "[checkpoint] path: wanted a path"),
        (BASE + f'[checkpoint]\npath = "{"a" * 300}"', "wanted a path with short names"),
        (f"seed = 0x{'f' * 5_000}\n" + BASE, "seed: wanted"),
        (BASE + f"[model.window]\nrecords = {2**63}", "[model.window] records: wanted less than"),
        (BASE + "[model.window]\nkeep = 10_001", "[model.window] keep: wanted less than or equal"),
        (BASE + "[checkpoint]\nkeep = 10_001", "[checkpoint] keep: wanted less than or equal"),
        (BASE + f"[checkpoint]\nrecords = {2**63}", "[checkpoint] records: wanted less than"),
        (BASE + f"gather = {2**63}", "[model] gather: wanted less than"),
        (BASE + '[checkpoint]\nevery = "0s"', "[checkpoint] every: wanted greater than"),
        (BASE + "[log.options]\nacks = 1", 'set kind = "kafka" or remove [log.options]'),
        (BASE + '[log]\ntopic = "a/b"', "[log] topic: wanted a short name"),
        (BASE.replace("classification", "regresion"), "wanted 'classification', 'regression'"),
        (BASE.replace('label = "class"', ""), "[record] label for a classification, got none"),
        (BASE.replace('label = "class"', 'label = "a"\ntake = ["a"]'), 'got "a" in take'),
        (BASE.replace('"elec2"', '"../x"'), "name: wanted a short name, got '../x'"),
        (BASE + 'pipeline = ["a.B"]', "wanted learner or pipeline, got both"),
        (BASE.replace("learner =", "trust = []\n#"), "wanted learner or pipeline, got neither"),
        (BASE.replace("[model]", 'classes = ["a"]\npositive = "b"\n[model]'), "positive among"),
        (
            BASE.replace("classification", "regression").replace("[mod", 'positive = "b"\n[mod'),
            "with a classification only",
        ),
        (BASE.replace("classification", "anomaly") + "[model.window]", "remove [model.window]"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_remedy(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert expected in refusal(tmp_path, text)


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    assert "line 3" in refusal(tmp_path, 'name = "a"\ntask = "regression"\nseed = = 1\n')


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes('name = "caf\u00e9"'.encode("latin-1"))
    for path in (tmp_path / "none.toml", tmp_path, latin, Path("nul\0")):
        with pytest.raises(ConfigError, match="wanted"):
            load(path)
