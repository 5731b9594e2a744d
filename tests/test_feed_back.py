"""Dead letters listed from where they are, mended, and fed back, each once."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.app import Service
from stream.block import DeadLetter
from stream.cli import invoke
from stream.config import load
from stream.dead_topic import LONGEST, letters_in, message_of
from stream.letters import parsed, printed
from stream.log import Message
from stream.log_kinds import open_appender, read_topic
from tests import command

GOOD = b'{"x": 1.5, "label": "a"}'
BAD = {
    "unfinished": Message(b"k1", b'{"x": 1.5, ', 1_001),
    "bytes": Message(b"\xff\x00", b"\xfe", 1_002),
    "keyless": Message(None, b"null", 1_003),
    "keyed": Message(b"k4", b'{"x": [], "label": "b"}', 1_004),
}
CONFIG = """
name = "demo"
task = "classification"
[log]
path = "log.db"
[record]
label = "label"
[model]
learner = "river.naive_bayes.GaussianNB"
[store]
path = "store.db"
"""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
datas = st.none() | st.binary(max_size=20)
letters = st.builds(
    DeadLetter, texts, st.integers(0, 9), st.integers(0, 2**60), st.integers(0, 2**50), datas,
    datas, texts, st.sampled_from(["malformed", "refused", "raised"]), st.integers(1, 2**40),
)  # fmt: skip


@pytest.fixture(params=["file", "topic"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A service that has met good records and bad ones, told of in a file or a topic."""
    path = tmp_path / "demo.toml"
    topic = '[dead]\ntopic = "demo-dead"\n' if request.param == "topic" else ""
    path.write_text(CONFIG + topic, "utf-8")
    command.put(path, *(Message(b"good", GOOD, i) for i in range(5)), *BAD.values())
    Service(load(path)).run(until_end=True)
    return path


@pytest.fixture
def listed(config: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    def lines(*arguments: str) -> list[dict[str, Any]]:
        assert invoke(["dead", str(config), *arguments]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return lines


Listed = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def fed(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[list[dict[str, Any]]], str]:
    def feed(lines: list[dict[str, Any]]) -> str:
        file = tmp_path / "mended.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        assert invoke(["dead", str(config), "--feed-back", str(file)]) == 0
        return capsys.readouterr().out.strip()

    return feed


Fed = Callable[[list[dict[str, Any]]], str]


def appended(config: Path) -> list[Message]:
    """What the topic holds behind the records that were there first."""
    of = load(config)
    return [message for _, _, message in read_topic(of, of.log.topic)][5 + len(BAD) :]


def test_letters_are_listed_alike_from_a_file_and_a_topic(listed: Listed) -> None:
    lines = listed()
    assert [(one["offset"], one["time"], one["error"]) for one in lines] == [
        (5 + i, bad.time, "malformed") for i, bad in enumerate(BAD.values())
    ]
    assert all("wanted" in one["reason"] or "malformed" in one["reason"] for one in lines[1:])
    assert lines[1] | {"key": "/wA=", "key_base64": True, "value": "/g=="} == lines[1]
    assert [one["key"] for one in lines if "key_base64" not in one] == ["k1", None, "k4"]
    assert listed("--limit", "2") == lines[:2]


def test_mended_letters_come_back_with_a_note_of_where_they_were(
    config: Path, listed: Listed, fed: Fed
) -> None:
    lines = listed("--full")
    lines[0]["value"] = '{"x": 1.5, "label": "b"}'
    lines[1] |= {"key": "k2", "key_base64": False}
    lines[1] |= {"value": base64.b64encode(GOOD).decode(), "value_base64": True}
    lines[2]["value"] = None
    lines[2]["key"] = "good"
    assert fed(lines[:3]) == "fed back into 'demo': 3; before: 0"
    assert appended(config) == [
        Message(b"k1", b'{"x": 1.5, "label": "b"}', 1_001, note(5)),
        Message(b"k2", GOOD, 1_002, note(6)),
        Message(b"good", None, 1_003, note(7)),
    ]
    shard = Service(load(config)).run(until_end=True)
    assert shard.counts["set_aside"] == len(BAD)
    assert shard.counts["learned"] == 5 + 2
    assert len(listed()) == len(BAD)


def note(offset: int) -> tuple[tuple[str, bytes]]:
    return (("alluvia.fed-back-from", b"demo/0/%d" % offset),)


def test_a_letter_is_fed_back_once_unless_its_bytes_changed(
    config: Path, listed: Listed, fed: Fed
) -> None:
    lines = listed("--full")[:2]
    for line in lines:
        line |= {"key": "k", "key_base64": False, "value": GOOD.decode(), "value_base64": False}
    fed(lines[:1])
    assert fed(lines) == "fed back into 'demo': 1; before: 1"
    assert fed(lines) == "fed back into 'demo': 0; before: 2"
    lines[0]["key"] = "another"
    assert fed([*lines, lines[0]]) == "fed back into 'demo': 1; before: 1"
    assert [message.key for message in appended(config)] == [b"k", b"k", b"another"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"value": '{"x": [], "label": "b"}'}, r"mended.jsonl line 3: .*wanted .*x"),
        ({"value": '{"x": "a word", "label": "b"}'}, r"line 3: wanted .*x"),
        ({"value": None, "key": None}, "line 3: wanted a key"),
        ({"value": "/w", "value_base64": True}, "line 3: wanted base64"),
        ({"value_bytes": 500}, r"line 3: .*cut .*--full"),
        ({"value": 7}, r"line 3: .*Expected `str \| null`"),
        ({"time": "now"}, "line 3: .*Expected `int`"),
        ({"offset": None}, "line 3: "),
        ({"offset": -1}, "line 3: .*>= 0"),
        ({"offset": 2**63}, "line 3: .*offset"),
        ({"time": 10**30}, "line 3: .*time"),
        ({"topic": "another"}, "line 3: wanted a letter of 'demo', got one of 'another'"),
    ],
)
def test_one_that_is_still_bad_is_named_and_nothing_is_fed_back(
    config: Path,
    listed: Listed,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    why: str,
) -> None:
    line = listed("--full")[0] | {"value": GOOD.decode()}
    file = tmp_path / "mended.jsonl"
    file.write_text(f"{json.dumps(line)}\n\n{json.dumps(line | change)}\n", "utf-8")
    sentence = command.refused(capsys, "dead", str(config), "--feed-back", str(file))
    assert re.search(why, sentence)
    assert sentence.endswith("nothing was fed back")
    assert appended(config) == []


def test_a_line_of_any_depth_is_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mended.jsonl"
    file.write_text('{"note": ' + "[" * 100_000, "utf-8")
    sentence = command.refused(capsys, "dead", str(config), "--feed-back", str(file))
    assert "line 1: wanted a line as" in sentence
    assert sentence.endswith("nothing was fed back")


def test_features_of_before_1970_are_fed_back(config: Path, listed: Listed, fed: Fed) -> None:
    line = listed("--full")[0] | {"value": GOOD.decode(), "time": -5}
    assert fed([line]) == "fed back into 'demo': 1; before: 0"
    assert appended(config) == [Message(b"k1", GOOD, 0, note(5))]


def test_a_file_that_is_not_there_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = command.refused(capsys, "dead", str(config), "--feed-back", "missing.jsonl")
    assert "missing.jsonl" in sentence


@given(letters)
def test_a_printed_letter_is_read_as_it_was(letter: DeadLetter) -> None:
    read = parsed(printed(letter, None).encode())
    assert read[:6] == letter[:6]


@given(letters, st.integers(1, 99))
def test_a_letter_comes_back_from_its_message(letter: DeadLetter, lineage: int) -> None:
    sent = [message_of(one, "mine", lineage) for one in (letter, letter._replace(offset=7))]
    other = message_of(letter, "another's", lineage + 1)
    earlier = message_of(letter, "mine", lineage - 1)
    foreign = Message(b"k", b"v", 0, (("alluvia.else", b"\xff"),))
    posing = [
        Message(b"k", b"v", 0, (("alluvia.service", b"mine"), *more))
        for more in ((), (("alluvia.version", b"\xff"),), (("alluvia.version", b"new@1"),))
    ]
    topic = [(0, i, m) for i, m in enumerate([earlier, foreign, *posing, *sent, other])]
    assert list(letters_in(lambda: topic, "mine")) == [letter, letter._replace(offset=7)]
    assert all(message.key is not None or message.value is not None for message in sent)


def test_a_reason_of_any_length_fits_a_message() -> None:
    letter = DeadLetter("t", 0, 1, 2, b"k", b"v", "é" * LONGEST)
    reason = dict(message_of(letter, "mine", 1).headers)["alluvia.reason"]
    assert len(reason) <= LONGEST
    assert set(reason.decode()) == {"é"}


def test_labels_of_a_topic_of_their_own_go_back_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "demo.toml"
    path.write_text(CONFIG.replace("[record]", '[record]\nid = "id"') + '[label]\ntopic = "late"\n')
    of = load(path)
    for topic in ("demo", "late"):
        with contextlib.closing(open_appender(of, topic)) as appender:
            appender.create(1)
    features, label = b'{"id": "a", "x": 1}', b'{"id": "a", "label": "b"}'
    mended = (DeadLetter("demo", 0, 3, 9, None, features, ""),
              DeadLetter("late", 0, 3, 9, None, label, ""))  # fmt: skip
    file = tmp_path / "mended.jsonl"
    file.write_text("".join(printed(one, None) + "\n" for one in mended), "utf-8")
    assert invoke(["dead", str(path), "--feed-back", str(file)]) == 0
    assert capsys.readouterr().out == "fed back into 'demo', 'late': 2; before: 0\n"
    [(_, _, first)], [(_, _, second)] = (list(read_topic(of, topic)) for topic in ("demo", "late"))
    assert (first.value, second.value) == (features, label)
    assert dict(second.headers) == {"alluvia.fed-back-from": b"late/0/3"}
