from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from stream.cli import invoke
from stream.log import Message
from tests.command import CONFIG, alluvia, put, records, refused

pytestmark = pytest.mark.usefixtures("handlers")


def test_a_key_without_a_prediction_exits_1(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["lookup", str(config), "nobody"]) == 1
    assert "'nobody'" in capsys.readouterr().err


def test_a_key_that_is_not_utf8_is_looked_up_and_not_found(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["lookup", str(config), os.fsdecode(b"\xff")]) == 1
    assert "no prediction for the key '\\udcff'" in capsys.readouterr().err


def test_a_wrong_configuration_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no file" in refused(capsys, "run", str(config.with_name("none.toml")))
    config.write_text(CONFIG.replace("label =", "lable ="), "utf-8")
    assert 'did you mean "label"?' in refused(capsys, "run", str(config))


def test_a_missing_topic_is_refused_and_check_says_what_to_do(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "`alluvia feed` does" in refused(capsys, "run", str(config), "--until-end")
    assert invoke(["check", str(config)]) == 0
    assert "`alluvia feed` does" in capsys.readouterr().out


def test_check_counts_what_would_be_set_aside(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config)
    assert invoke(["check", str(config)]) == 0
    assert "empty" in capsys.readouterr().out
    lines = [line.encode() for line in records(10).splitlines()]
    put(config, *(Message(None, value, 1) for value in [*lines, b"oops"]))
    assert invoke(["check", str(config)]) == 0
    out = capsys.readouterr().out
    assert "11 read, 10 would be learned, 1 set aside" in out
    assert "offset 10: JSON is malformed" in out
    assert "a new model would begin at offset 0" in out


@pytest.mark.slow
def test_a_lost_broker_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        servers = f"127.0.0.1:{closed.getsockname()[1]}"
        log = f'kind = "kafka"\nservers = "{servers}"'
        config.write_text(CONFIG.replace('path = "log.db"', log), "utf-8")
        assert servers in refused(capsys, "run", str(config))


@pytest.mark.slow
def test_what_is_no_checkpoint_of_this_configuration_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "alluvia run" in refused(capsys, "state", str(config))
    put(config, *(Message(None, line.encode(), 1) for line in records(50).splitlines()))
    alluvia(config.parent, "run", config.name, "--until-end")
    config.write_text(CONFIG.replace("GaussianNB", "BernoulliNB"), "utf-8")
    for command in ("state", "check", "run"):
        assert "BernoulliNB" in refused(capsys, command, str(config))
    config.write_text(CONFIG, "utf-8")
    for part in (config.parent / ".alluvia" / "demo" / "parts").iterdir():
        part.write_bytes(b"torn")
    for command in ("state", "check", "run"):
        assert "torn or altered" in refused(capsys, command, str(config))


@pytest.mark.slow
def test_replay_refuses_a_name_that_holds_something_else(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(
        config, *(Message(None, line.encode(), i) for i, line in enumerate(records(50).split("\n")))
    )
    alluvia(config.parent, "run", config.name, "--until-end")
    log = ["replay", str(config), "--log", "--as"]
    assert "another name" in refused(capsys, *log, "demo")
    assert "wanted a name" in refused(capsys, *log, "a b")
    assert "ends after it begins" in refused(capsys, *log, "x", "--from", "9", "--to", "3")
    assert "RFC 3339" in refused(capsys, *log, "x", "--to", "soon")
    assert invoke([*log, "part", "--from", "10", "--to", "1970-01-01T00:00:00.030Z"]) == 0
    assert "model 1@20" in capsys.readouterr().out
    assert "from" in refused(capsys, *log, "part", "--from", "11")
    assert invoke([*log, "part", "--from", "10"]) == 0
    told = capsys.readouterr()
    assert "goes on from its checkpoint, model 1@20" in told.err
    assert "model 1@41" in told.out


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (["--from", "99999999999999999999999"], "from 0 to 9223372036854775807, got 99999999999"),
        (["--from", "9" * 5_000], "wanted an offset from 0 to 9223372036854775807"),
        (["--to", str(2**63)], "wanted an offset from 0 to 9223372036854775807"),
        (["--from", "-3"], "wanted an offset from 0 to 9223372036854775807, got -3"),
        (["--from", "20", "--to", "20"], "no record from offset 20"),
        (["--from", "50"], "no record from offset 50"),
        (["--from", str(2**63 - 1)], "record"),
        (["--to", "0"], "no record from offset 0"),
    ],
)
@pytest.mark.parametrize("history", ["--log", "--file"])
def test_a_replay_of_nothing_is_refused_and_leaves_nothing(
    config: Path,
    capsys: pytest.CaptureFixture[str],
    history: str,
    bounds: list[str],
    expected: str,
) -> None:
    file = config.with_name("h.jsonl")
    file.write_text(records(50), "utf-8")
    put(config, *(Message(None, line.encode(), 0) for line in records(50).splitlines()))
    source = [history] if history == "--log" else [history, str(file)]
    sentence = refused(capsys, "replay", str(config), *source, "--as", "again", *bounds)
    assert expected in sentence.replace("got none in file h.jsonl", "no record")
    assert not (config.parent / ".alluvia").exists()


def test_a_replay_of_an_empty_history_is_refused_and_leaves_nothing(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config)
    file = config.with_name("h.jsonl")
    file.write_text("\n", "utf-8")
    for source in (["--log"], ["--file", str(file)]):
        assert "record" in refused(capsys, "replay", str(config), *source, "--as", "again")
    assert not (config.parent / ".alluvia").exists()


def test_a_replay_that_has_ended_may_be_asked_for_again(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config, *(Message(None, line.encode(), 0) for line in records(50).splitlines()))
    again = ["replay", str(config), "--log", "--as", "again", "--from", "40"]
    for _ in range(2):
        assert invoke(again) == 0
        assert "model 1@10" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    ["import sys\nsys.exit(3)\n", "import sys\ndef make():\n    sys.exit('no')\n"],
)
def test_a_model_that_calls_exit_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    config.with_name("mine.py").write_text(text, "utf-8")
    pipeline = CONFIG[CONFIG.index("pipeline") : CONFIG.index("[store]")]
    config.write_text(CONFIG.replace(pipeline, 'learner = "mine.py:make"\n'), "utf-8")
    put(config)
    sentence = refused(capsys, "run", str(config), "--until-end")
    assert "a call of sys.exit in mine.py, line " in sentence
    sys.modules.pop("alluvia_user_mine", None)


def test_what_was_not_foreseen_is_a_sentence_too(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise ZeroDivisionError("no\nluck")

    monkeypatch.setattr("stream.inspection.state", broken)
    assert invoke(["state", str(config)]) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError: no luck" in err
    assert "--debug" in err
    with pytest.raises(ZeroDivisionError):
        invoke(["state", str(config), "--debug"])


def test_the_missing_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "stream.commands", raising=False)
    monkeypatch.setitem(sys.modules, "typer", None)
    assert invoke(["run", "x.toml"]) == 2
    assert "pip install 'alluvia[service]'" in capsys.readouterr().err


def test_feed_takes_a_rate_and_counts_ragged_rows(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = config.with_name("h.csv")
    history.write_text("1,2,a\n3,4,b\n5,6\n", "utf-8")
    feeding = ["feed", str(config), str(history), "--columns", "id,x,label", "--rate", "20/s"]
    assert invoke(feeding) == 0
    out = capsys.readouterr().out
    assert out.startswith("3 records")
    assert "1 rows did not have" in out
    assert "500/s" in refused(capsys, *feeding[:-1], "fast")


def test_feed_refuses_a_file_without_a_header_and_appends_nothing(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = config.with_name("h.jsonl"), config.with_name("sms.tsv")
    good.write_text(records(10), "utf-8")
    bad.write_text("ham\tsay hi\nspam\twin\n", "utf-8")
    sentence = refused(capsys, "feed", str(config), str(good), str(bad))
    assert "'id', 'label' of [record]" in sentence
    assert "--columns" in sentence
    assert not config.with_name("log.db").exists()


def test_feed_tells_of_records_that_no_label_comes_with(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = config.with_name("h.csv")
    history.write_text("id,x\n1,2\n", "utf-8")
    assert invoke(["feed", str(config), str(history)]) == 0
    assert "h.csv has no column 'label'" in capsys.readouterr().out


def test_feed_refuses_another_number_of_partitions_than_the_topic_has(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = config.with_name("h.jsonl")
    history.write_text(records(10), "utf-8")
    feeding = ["feed", str(config), str(history)]
    assert invoke([*feeding, "--partitions", "2"]) == 0
    sentence = refused(capsys, *feeding, "--partitions", "3")
    assert "with 3 partition(s), got it with 2" in sentence
    for more in (["--partitions", "2"], []):
        assert invoke([*feeding, *more]) == 0
        assert "made with" not in capsys.readouterr().out
