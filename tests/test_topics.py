"""A service that sends its dead letters and predictions to topics of the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stream import loop as loop_module
from stream.app import Service
from stream.config import Config
from stream.errors import ConfigError
from stream.log import Message
from stream.log_kinds import read_topic
from stream.outbox import Outbox
from stream.replay import renamed
from stream.store import Entry
from tests import runner, streams
from tests.streams import LABEL

pytestmark = pytest.mark.slow

RECORDS = 600
ROUGH = streams.rough(RECORDS, seed=5)
TABLES: dict[str, Any] = {
    "task": "classification",
    "record": {"label": LABEL, "types": {"b": "number"}},
    "model": {"learner": "river.naive_bayes.GaussianNB"},
    "checkpoint": {"records": 100},
}


def with_topics(config: Config) -> Config:
    dead = config.dead.model_copy(update={"topic": f"{config.name}-dead"})
    predictions = config.predictions.model_copy(update={"topic": f"{config.name}-predictions"})
    return config.model_copy(update={"dead": dead, "predictions": predictions})


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.services)])
def config(request: pytest.FixtureRequest, tmp_path: Path, topic_name: str) -> Config:
    if request.param == "embedded":
        made = runner.embedded(tmp_path, topic_name, **TABLES)
    else:
        servers, redis = (request.getfixturevalue(f"{n}") for n in ("kafka_servers", "redis_url"))
        made = runner.on_services(tmp_path, topic_name, servers, redis, **TABLES)
    runner.feed(made, ROUGH)
    return with_topics(made)


def told(config: Config, kind: str) -> list[Message]:
    return [message for _, _, message in read_topic(config, f"{config.name}-{kind}")]


def test_dead_letters_come_with_their_bytes_and_the_reason(config: Config, tmp_path: Path) -> None:
    service = Service(config).run(until_end=True)
    plain = runner.embedded(tmp_path / "plain", config.name, **TABLES)
    runner.feed(plain, ROUGH)
    letters = runner.run(plain).dead
    assert len(letters) == service.counts["set_aside"] > 10
    assert not (config.checkpoint.path / "dead.db").exists()
    messages = told(config, "dead")
    assert [(m.key, m.value, m.time) for m in messages] == [
        (letter.key, letter.value, letter.time) for letter in letters
    ]
    for message, letter in zip(messages, letters, strict=True):
        assert dict(message.headers) == {
            "alluvia.service": config.name.encode(),
            "alluvia.version": b"1@%d" % (letter.offset + 1),
            "alluvia.topic": config.log.topic.encode(),
            "alluvia.partition": b"0",
            "alluvia.offset": b"%d" % letter.offset,
            "alluvia.timestamp": b"%d" % letter.time,
            "alluvia.reason": letter.reason.encode(),
            "alluvia.error": b"malformed",
        }


def test_every_prediction_is_told_of_and_the_last_of_a_key_is_what_is_stored(
    config: Config,
) -> None:
    shard = Service(config).run(until_end=True)
    messages = told(config, "predictions")
    keyed = [m for m in ROUGH if m.key is not None]
    dead = {m.time for m in told(config, "dead")}
    assert [(m.key, m.time) for m in messages] == [
        (m.key, m.time) for m in keyed if m.time not in dead
    ]
    gone = [m for m in messages if m.value is None]
    assert len(gone) == shard.counts["removed"] > 0
    last = {m.key: m for m in messages}
    keys = [key.decode() for key in last if key is not None]
    for message, entry in zip(last.values(), runner.stored(config, keys), strict=True):
        assert (message.value is None) == (entry is None)
        if message.value is not None and entry is not None:
            assert json.loads(message.value) == notice(entry)


def notice(entry: Entry) -> dict[str, Any]:
    chances = json.loads(entry.probabilities) if entry.probabilities else None
    return entry._asdict() | {
        "version": f"{entry.lineage}@{entry.sequence}",
        "prediction": json.loads(entry.prediction),
        "probabilities": chances,
    }


@pytest.mark.parametrize("largest", [1, 7, 64])
def test_cuts_of_blocks_change_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    topics = []
    for name, size in (("one", largest), ("other", 5_000)):
        monkeypatch.setattr(loop_module, "USUAL", size)
        monkeypatch.setattr(loop_module, "LARGEST", size)
        made = with_topics(runner.embedded(tmp_path / name, "cuts", **TABLES))
        runner.feed(made, ROUGH)
        Service(made).run(until_end=True)
        topics.append((told(made, "dead"), told(made, "predictions")))
    assert topics[0] == topics[1]


def test_a_run_that_goes_on_tells_only_what_is_new(config: Config) -> None:
    for until in (250, 251, RECORDS):
        Service(config).run(until={(config.log.topic, 0): until})
    again = told(config, "predictions"), told(config, "dead")
    assert len(set(again[0])) == len(again[0])
    assert len(set(again[1])) == len(again[1])
    Service(config).run(until_end=True)
    assert (told(config, "predictions"), told(config, "dead")) == again
    sequences = [json.loads(m.value)["sequence"] for m in again[0] if m.value]
    assert sequences == sorted(sequences)
    assert sequences[-1] > 250


def test_a_warm_up_is_told_of_too_and_sent_once(tmp_path: Path) -> None:
    rows = [{"a": float(i), LABEL: "ab"[i % 2]} for i in range(50)]
    lines = "".join(json.dumps(row | {"id": f"w{i}"}) + "\n" for i, row in enumerate(rows))
    (tmp_path / "old.jsonl").write_text(lines + "oops\n")
    tables = TABLES | {"record": {"key": "id", "label": LABEL, "warm_up": "old.jsonl"}}
    made = with_topics(runner.embedded(tmp_path, "warm", **tables))
    runner.feed(made, [Message(None, json.dumps(r | {"id": "x"}).encode(), 1) for r in rows])
    stops = iter([False] * 4)
    Service(made).run(stop=lambda: next(stops, True))
    Service(made).run(until_end=True)
    Service(made).run(until_end=True)
    values = [json.loads(m.value or b"") for m in told(made, "predictions")]
    assert [value["sequence"] for value in values] == [*range(1, 51), *range(52, 102)]
    assert {value["topic"] for value in values} == {"warm-up old.jsonl", "warm"}
    assert [m.value for m in told(made, "dead")] == [b"oops"]


def test_a_record_that_makes_the_learner_raise_is_told_of_once(tmp_path: Path) -> None:
    tables = {
        "task": "regression",
        "record": {"label": "y"},
        "model": {"learner": "learner.py:Thirteen"},
        "checkpoint": {"records": 30},
    }
    (tmp_path / "learner.py").write_text(THIRTEEN)
    made = with_topics(runner.embedded(tmp_path, "raises", **tables))
    runner.feed(made, [Message(b"k", json.dumps({"y": i}).encode(), i) for i in range(40)])
    Service(made).run(until_end=True)
    [letter] = told(made, "dead")
    said = dict(letter.headers)
    assert (letter.value, said["alluvia.error"]) == (b'{"y": 13}', b"raised")
    assert b"thirteen" in said["alluvia.reason"]
    sequences = [json.loads(m.value or b"")["sequence"] for m in told(made, "predictions")]
    assert sequences == [i for i in range(1, 41) if i != 14]


THIRTEEN = """
from river import dummy, stats

class Regressor(dummy.StatisticRegressor):
    def learn_one(self, x, y):
        if y == 13:
            raise ZeroDivisionError("thirteen")
        super().learn_one(x, y)

def Thirteen():
    return Regressor(stats.Mean())
"""


def test_a_replay_sends_nothing_to_the_services_topics(tmp_path: Path) -> None:
    made = with_topics(runner.embedded(tmp_path, "replayed", **TABLES))
    replayed = renamed(made, "trial")
    assert replayed.dead.topic is replayed.predictions.topic is None
    assert replayed.dead == made.dead.model_copy(update={"topic": None})


def test_so_much_that_is_owed_is_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.outbox.FULL", 10_000)
    sizes: list[int] = []
    clear = Outbox.clear

    def noted(outbox: Outbox) -> None:
        sizes.append(outbox.size)
        clear(outbox)

    monkeypatch.setattr(Outbox, "clear", noted)
    monkeypatch.setattr(loop_module, "LARGEST", 10)
    monkeypatch.setattr(loop_module, "USUAL", 10)
    tables = TABLES | {"checkpoint": {"every": "1h"}}
    made = with_topics(runner.embedded(tmp_path, "full", **tables))
    runner.feed(made, ROUGH)
    Service(made).run(until_end=True)
    assert len([size for size in sizes if size > 10_000]) > 5
    assert max(sizes) < 20_000
    assert len(told(made, "predictions")) > 500


def test_what_is_left_of_a_time_with_topics_is_still_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = with_topics(runner.embedded(tmp_path, "left", **TABLES))
    runner.feed(made, ROUGH)
    with monkeypatch.context() as patched:
        patched.setattr("stream.courier.Courier.deliver", lambda courier: None)
        Service(made).run(until={(made.log.topic, 0): 100})
    assert told(made, "predictions") == []
    without = runner.embedded(tmp_path, "left", **TABLES)
    Service(without).run(until={(without.log.topic, 0): 200})
    sequences = [json.loads(m.value)["sequence"] for m in told(made, "predictions") if m.value]
    assert sequences and max(sequences) <= 100


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"dead": {"topic": "t"}}, r'in \[dead\], got "t", which \[log\] has'),
        ({"predictions": {"topic": "t"}}, r'in \[predictions\], got "t", which \[log\] has'),
        (
            {"dead": {"topic": "x"}, "predictions": {"topic": "x"}},
            r'in \[predictions\], got "x", which \[dead\] has',
        ),
        ({"dead": {"topic": "a/b"}}, "short name"),
    ],
)
def test_a_topic_for_two_things_is_refused(
    tmp_path: Path, tables: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        runner.embedded(tmp_path, "t", **TABLES, **tables)
