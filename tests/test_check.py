"""The check: what it tries, what it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.cli import invoke
from stream.log import Message
from tests.command import CONFIG, alluvia, put, records, refused

pytestmark = pytest.mark.usefixtures("handlers")

PIPELINE = 'pipeline = ["river.preprocessing.StandardScaler", "river.naive_bayes.GaussianNB"]'
FOREST = 'learner = "sklearn.tree.DecisionTreeClassifier"\nwindow = {records = 5_000}'
LINEAR = 'learner = "sklearn.linear_model.SGDClassifier"'
KEPT_NOWHERE = """
from river import compose, naive_bayes


def make():
    return compose.FuncTransformer(lambda x: x) | naive_bayes.GaussianNB()
"""


def fill(config: Path, lines: str) -> None:
    put(config, *(Message(None, line.encode(), 1) for line in lines.splitlines()))


def change(config: Path, old: str, new: str) -> None:
    """Write the configuration with another part in the place of one."""
    assert old in CONFIG
    config.write_text(CONFIG.replace(old, new), "utf-8")


def words(count: int) -> str:
    """Lines of JSON with a word where numbers are expected."""
    rows = [{"id": f"k{i}", "colour": "red", "label": "ab"[i % 2]} for i in range(count)]
    return "".join(json.dumps(row) + "\n" for row in rows)


def shown(capsys: pytest.CaptureFixture[str], config: Path) -> str:
    capsys.readouterr()
    assert invoke(["check", str(config)]) == 0
    return capsys.readouterr().out


def files(folder: Path) -> dict[Path, bytes | None]:
    return {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.mark.slow
def test_a_learner_that_fails_on_the_records_is_refused_in_its_own_words(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(config, records(20) + words(15))
    sentence = refused(capsys, "check", str(config))
    assert "raised TypeError on a row" in sentence
    assert "in demo/0 between offsets 0 and 34: mend the learner" in sentence
    assert "[record] leave_out" in sentence
    alluvia(config.parent, "run", config.name, "--until-end", code=2)
    change(config, "[model]", 'leave_out = ["colour"]\n[model]')
    assert "35 read, 35 would be learned" in shown(capsys, config)


def test_rows_that_the_learner_refuses_are_counted_with_its_reason(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(
        CONFIG.replace(PIPELINE, LINEAR).replace("[model]", 'classes = ["a", "b"]\n[model]'),
        "utf-8",
    )
    odd = {"id": "k", "x": 1, "z": 1, "odd": 1, "label": "a"}
    fill(config, json.dumps(odd) + "\n" + records(9))
    out = shown(capsys, config)
    assert "10 read, 1 would be learned, 9 set aside" in out
    assert "offset 1: the field 'odd' is missing, was there when SGDClassifier began" in out


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (words, "a window of these records would be skipped: DecisionTreeClassifier raised"),
        (words, "could not convert string to float: 'red'"),
        (records, None),
    ],
)
def test_a_window_that_no_model_could_be_fitted_to_is_told_before_it_is_full(
    config: Path, capsys: pytest.CaptureFixture[str], lines: Callable[[int], str], told: str | None
) -> None:
    change(config, PIPELINE, FOREST)
    fill(config, lines(30))
    out = shown(capsys, config)
    assert told in out if told else "skipped" not in out


def test_a_learner_that_no_checkpoint_could_keep_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.with_name("mine.py").write_text(KEPT_NOWHERE, "utf-8")
    change(config, PIPELINE, 'learner = "mine.py:make"')
    fill(config, records(5))
    assert "wanted an estimator that can be pickled" in refused(capsys, "check", str(config))


def test_metrics_are_built_and_tried(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    score = '[score]\nmetrics = ["river.metrics.%s"]\n'
    config.write_text(CONFIG + score % "MAE", "utf-8")
    assert "[score] metrics: wanted a metric for" in refused(capsys, "check", str(config))
    config.write_text(CONFIG + score % "ROCAUC", "utf-8")
    fill(config, records(30))
    assert "metric river.metrics.ROCAUC would count 29" in shown(capsys, config)


@pytest.mark.slow
def test_the_file_to_warm_up_with_must_be_there_until_it_was_learned(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    past = config.with_name("past.jsonl")
    change(config, "[model]", f'warm_up = "{past.name}"\n[model]')
    fill(config, records(10))
    assert "past.jsonl, which cannot be read (No such file" in refused(capsys, "check", str(config))
    past.write_text(words(3), "utf-8")
    assert "raised TypeError" in refused(capsys, "check", str(config))
    past.write_text(records(7), "utf-8")
    assert "warm-up\n  7 read, 7 would be learned" in shown(capsys, config)
    alluvia(config.parent, "run", config.name, "--until-end")
    past.unlink()
    assert "the model 1@17 would go on at offset 10" in shown(capsys, config)


@pytest.mark.parametrize("place", ["file/below", "file"])
def test_a_checkpoint_folder_that_cannot_be_written_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    config.with_name("file").write_text("", "utf-8")
    config.write_text(CONFIG + f'[checkpoint]\npath = "{place}"\n', "utf-8")
    sentence = refused(capsys, "check", str(config))
    assert "wanted a folder with hard links for checkpoints" in sentence
    assert "set [checkpoint] path" in sentence


@pytest.mark.slow
def test_nothing_is_left_of_a_check_in_the_checkpoint_folder(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = config.parent / ".alluvia"
    fill(config, records(30))
    shown(capsys, config)
    assert not place.exists()
    alluvia(config.parent, "run", config.name, "--until-end")
    before = files(place)
    assert before
    shown(capsys, config)
    assert files(place) == before


@pytest.mark.slow
def test_a_model_that_has_taken_nothing_is_not_bound_to_its_configuration(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(config)
    alluvia(config.parent, "run", config.name, "--until-end")
    change(config, PIPELINE, 'learner = "river.tree.HoeffdingTreeClassifier"')
    assert "the model 1@0 would go on at offset 0" in shown(capsys, config)
    assert json.loads(alluvia(config.parent, "state", config.name))["version"] == "1@0"
    fill(config, words(40))
    alluvia(config.parent, "run", config.name, "--until-end")
    assert json.loads(alluvia(config.parent, "state", config.name))["version"] == "1@40"
    config.write_text(CONFIG, "utf-8")
    assert "made with another configuration" in refused(capsys, "check", str(config))


@pytest.mark.slow
def test_a_start_that_was_changed_holds_where_nothing_was_taken(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(config, records(20))
    change(config, "[model]", 'start = "latest"\n[model]')
    alluvia(config.parent, "run", config.name, "--until-end")
    assert "the model 1@0 would go on at offset 20" in shown(capsys, config)
    change(config, "[model]", 'start = "earliest"\n[model]')
    assert "a new model would begin at offset 0" in shown(capsys, config)
    alluvia(config.parent, "run", config.name, "--until-end")
    assert json.loads(alluvia(config.parent, "state", config.name))["version"] == "1@20"
