from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stream.cli import invoke
from stream.feed import paced
from stream.log import Message
from tests.command import CONFIG, ROOT, alluvia, put, records, start

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("handlers")]

RECORDS = 3_000


def test_a_first_session_from_feed_to_replay(config: Path) -> None:
    folder = config.parent
    (folder / "history.jsonl").write_text(records(RECORDS), "utf-8")
    fed = alluvia(folder, "feed", config.name, "history.jsonl")
    assert fed.startswith("3,000 records in ")
    assert "made with 1 partition(s)" in fed
    summary = alluvia(folder, "run", config.name, "--until-end")
    state = json.loads(alluvia(folder, "state", config.name))
    assert summary.splitlines()[-1].split() == ["digest", state["digest"]]
    assert "repeat last" in summary
    assert state["version"] == f"1@{RECORDS}"
    assert state["offsets"] == [{"topic": "demo", "partition": 0, "offset": RECORDS}]
    assert state["scores"]["overall"]["accuracy"] > 0.9
    assert state["classes"] == ["a", "b"]
    found = json.loads(alluvia(folder, "lookup", config.name, "k7"))
    assert found["offset"] == RECORDS - 50 + 7
    assert found["prediction"] in ("a", "b")
    assert found["score"] == found["probabilities"][found["prediction"]]
    assert alluvia(folder, "dead", config.name) == ""
    files = alluvia(folder, "replay", config.name, "--file", "history.jsonl", "--as", "again")
    log = alluvia(folder, "replay", config.name, "--log", "--as", "once-more")
    assert files.splitlines()[-1] == log.splitlines()[-1] == summary.splitlines()[-1]
    checked = alluvia(folder, "check", config.name)
    assert f"the model 1@{RECORDS} would go on at offset 3,000" in checked
    assert "field x: number" in checked


def test_sigterm_saves_and_the_next_run_goes_on(config: Path) -> None:
    folder = config.parent
    (folder / "history.jsonl").write_text(records(100_000), "utf-8")
    put(config, Message(None, records(1).encode(), 0))
    feeder = start(folder, "feed", config.name, "history.jsonl", "--rate", "2000/s")
    service = start(folder, "run", config.name)
    assert service.stdout is not None
    line = next(line for line in service.stdout if "@0:" not in line)
    assert "lag" in line
    service.send_signal(signal.SIGTERM)
    out, err = service.communicate(timeout=10)
    feeder.terminate()
    feeder.communicate(timeout=60)
    assert (service.returncode, err) == (0, "")
    assert "digest" in out
    saved = json.loads(alluvia(folder, "state", config.name))["sequence"]
    assert saved > 0
    summary = alluvia(folder, "run", config.name, "--until-end")
    state = json.loads(alluvia(folder, "state", config.name))
    assert state["lineage"] == 1
    assert state["sequence"] >= saved
    whole = alluvia(folder, "replay", config.name, "--log", "--as", "whole")
    assert whole.splitlines()[-1] == summary.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(number: signal.Signals) -> None:
    program = """
from stream.process import Interruption
stop = Interruption()
stop.listen()
print("ready", flush=True)
while not stop():
    pass
print("stopping", flush=True)
while True:
    pass
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with process:
        assert process.stdout is not None
        for expected in ("ready\n", "stopping\n"):
            assert process.stdout.readline() == expected
            process.send_signal(number)
    assert process.returncode == 128 + number


def test_each_bad_record_is_set_aside_once_and_the_others_are_learned(config: Path) -> None:
    pipeline = '"river.preprocessing.StandardScaler", "river.naive_bayes.GaussianNB"'
    text = CONFIG.replace('key = "id"\n', "").replace(
        pipeline, '"river.tree.HoeffdingTreeClassifier"'
    )
    config.write_text(text, "utf-8")

    def good(i: int) -> Message:
        row = {"x": i % 10, "c": "red", "label": "ab"[i % 10 > 4]}
        return Message(b"k", json.dumps(row).encode(), 1_000 + i)

    bad: dict[str, tuple[bytes | None, bytes]] = {
        "malformed": (None, b"{not json"),
        "UTF-8": (None, b'{"x": 1, "c": "\xff", "label": "a"}'),
        "wanted a JSON object, got an array": (None, b"[1, 2]"),
        "wanted a number in the field 'x'": (None, b'{"x": "one", "c": "red", "label": "a"}'),
        "as label in 'label', got an array": (None, b'{"x": 1, "c": "red", "label": ["a"]}'),
        "out of range": (None, b'{"x": 1e999, "c": "red", "label": "a"}'),
        "depth": (None, b'{"x": ' + b"[" * 2_000 + b"]" * 2_000 + b"}"),
        "at most 1000000 bytes": (None, b'{"c": "' + b"x" * 5_000_000 + b'"}'),
        "got an empty one": (b"", b'{"x": 1, "c": "red", "label": "a"}'),
        "wanted a string in the field 'c'": (None, b'{"x": 1, "c": 3, "label": "a"}'),
    }
    put(config, *(good(i) for i in range(20)))
    put(config, *(Message(key, value, 5_000) for key, value in bad.values()))
    put(config, *(good(i) for i in range(20)))
    folder = config.parent
    alluvia(folder, "run", config.name, "--until-end")
    alluvia(folder, "run", config.name, "--until-end")
    letters = [json.loads(line) for line in alluvia(folder, "dead", config.name).splitlines()]
    assert [letter["offset"] for letter in letters] == list(range(20, 20 + len(bad)))
    for letter, reason in zip(letters, bad, strict=True):
        assert reason in letter["reason"]
        assert letter["time"] == 5_000
    counts = json.loads(alluvia(folder, "state", config.name))["counts"]
    assert (counts["learned"], counts["set_aside"]) == (40, len(bad))


def test_dead_shows_text_bytes_and_long_values(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config, Message(b"\xff", b"x" * 500, 7), Message(None, b"\xfe", 8))
    alluvia(config.parent, "run", config.name, "--until-end")
    assert invoke(["dead", str(config)]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["key"], first["key_base64"]) == ("/w==", True)
    assert (first["value"], first["value_bytes"]) == ("x" * 200, 500)
    assert (second["key"], second["value"]) == (None, "/g==")
    assert invoke(["dead", str(config), "--full", "--limit", "1"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["value"] == "x" * 500


def test_json_lines_end_in_a_summary(config: Path) -> None:
    config.write_text(config.read_text("utf-8") + 'log = "json"\n', "utf-8")
    put(config, *(Message(None, line.encode(), 1) for line in records(200).splitlines()))
    lines = alluvia(config.parent, "run", config.name, "--until-end").splitlines()
    summary = json.loads(lines[-1])
    assert (summary["event"], summary["version"]) == ("summary", "1@200")
    assert len(summary["digest"]) == 64


class Clock:
    """Time that passes by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_pacing_does_not_make_up_for_a_delay() -> None:
    clock = Clock()
    messages = iter([Message(None, b"{}", 0)] * 12)
    for i, part in enumerate(paced(messages, 2, 4, clock, clock.sleep)):
        assert len(part) == 2
        clock.now += 60.0 if i == 1 else 0.0
    # Half a second to a slice; after a minute's delay one slice comes without a pause.
    assert clock.slept == [0.5, 0.5, 0.5, 0.5]


def test_a_slice_ends_where_it_weighs_much() -> None:
    messages = iter([Message(None, bytes(5_000_000), 0)] * 15)
    assert [len(part) for part in paced(messages, 20_000, None)] == [7, 7, 1]


def test_version_and_help_do_not_load_the_learners() -> None:
    program = (
        "import sys; from stream.cli import invoke; assert invoke(['--help']) == 0; "
        "assert invoke(['--version']) == 0; assert 'numpy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "replay" in done.stdout
    assert "alluvia 0." in done.stdout


@pytest.mark.parametrize("module", ["lookup", "letters", "feed"])
def test_what_needs_no_learner_does_not_load_them(module: str) -> None:
    program = (
        f"import sys, stream.{module}; heavy = {{'river', 'sklearn', 'pandas', 'scipy'}}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
