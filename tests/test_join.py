"""What becomes of labels that come later, and of features without one."""

from __future__ import annotations

import itertools
import json
import math
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from river import naive_bayes

from learners.digests import digest
from stream.answers import entries_of
from stream.app import Service
from stream.dead import open_dead
from stream.journal import Tick
from stream.log import Message
from stream.log_kinds import open_appender
from tests.delayed import (
    LABELS,
    LINEAR,
    NAIVE_BAYES,
    TOPIC,
    WITHIN,
    Taken,
    configured,
    run_of,
)

TREES = {"learner": "river.anomaly.HalfSpaceTrees"}


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Returns a shard of a stream that waits `WITHIN` ms for labels."""
    made = itertools.count()

    def make(task: str = "classification", model: Any = NAIVE_BAYES, **given: Any) -> Taken:
        apart = given.pop("apart", False)
        return Taken(configured(tmp_path / str(next(made)), task, model, apart, **given))

    return make


X = {"id": "a", "x": 1.0}
Y = {"id": "a", "y": "UP"}


def test_a_label_is_learned_where_it_comes_and_scored_as_it_was_served(make: Any) -> None:
    done = make()
    done.take(run_of(X))
    block = done.take(run_of({"id": "b", "x": 5.0, "y": "DOWN"}, Y, times=[3, 9]))
    assert [(row.features, row.op, row.place) for row in block.rows()] == [
        ({"x": 5.0}, 3, 0),
        ({"x": 1.0}, 2, 1),
    ]
    # Served before any class was known, though by now DOWN is.
    report = done.shard.scores.report()
    assert (report["count"], report["unanswered"]) == (2, 2)
    assert done.labels["lag"] == {"last": 9, "recent": 9.0, "overall": 9.0}
    assert done.labels["share_matched"] == 1.0


def test_only_predictions_are_stored(make: Any) -> None:
    done = make()
    block, answers = done.shard.take(run_of(X, Y))
    (entry,) = entries_of(block, answers, done.shard.learner.task, 1)
    assert (entry.key, entry.offset) == ("k", 0)
    assert done.shard.counts["predicted"] == done.shard.counts["learned"] == 1
    assert done.shard.counts["unkeyed"] == 0


def test_classes_that_came_since_had_no_probability_when_it_was_served(make: Any) -> None:
    done = make()
    done.take(run_of({"id": 1, "x": 1.0, "y": "UP"}, {"id": 2, "x": 1.1}))
    done.take(run_of({"id": 3, "x": 7.0, "y": "FLAT"}, {"id": 4, "x": 8.0, "y": "DOWN"}))
    before = done.shard.scores.report()["overall"]["log_loss"]
    done.take(run_of({"id": 2, "y": "DOWN"}))
    after = done.shard.scores.report()["overall"]["log_loss"]
    assert 4 * after - 3 * before == pytest.approx(-math.log(1e-15))


def test_time_is_the_latest_event_time_and_a_label_may_come_at_the_last_moment(make: Any) -> None:
    done = make()
    done.take(run_of(X, {"id": "b", "x": 2.0}, times=[1_000, 400]))
    # Both came at 1,000, whatever their own times are.
    done.take(run_of(Y, {"id": "b", "y": "UP"}, times=[1_000 + WITHIN, 1_001 + WITHIN]))
    assert (done.labels["matched"], done.labels["expired"], done.labels["unmatched"]) == (1, 1, 1)


def test_time_does_not_go_back(make: Any) -> None:
    done = make()
    done.take(run_of(X, {"id": "b", "x": 2.0}, Y, times=[1_000, 400, 1_001]))
    done.take(run_of({"id": "b", "y": "UP"}, times=[1_000 + WITHIN]))
    assert (done.labels["matched"], done.labels["expired"]) == (2, 0)


def test_what_waited_in_vain_is_learned_with_the_default_before_the_record(make: Any) -> None:
    done = make(default="DOWN")
    done.take(run_of(X))
    block = done.take(run_of({"id": "b", "x": 2.0}, times=[99]))
    assert [(row.features, row.op, row.time) for row in block.rows()] == [
        ({"x": 1.0}, 2, 99),
        ({"x": 2.0}, 1, 99),
    ]
    assert list(done.shard.learner.estimator.class_counts.items()) == [("DOWN", 1)]
    assert done.shard.scores.report()["count"] == 1
    assert (done.labels["expired"], done.labels["defaulted"]) == (1, 1)
    # Too late: the features are not learned twice.
    done.take(run_of(Y, times=[100]))
    assert done.shard.counts["learned"] == 1
    assert done.labels["unmatched"] == 1


def test_the_class_of_the_default_is_known_from_the_start(make: Any) -> None:
    assert make(default=False).shard.decoder.classes.labels == [False]
    done = make(default=False, model={"learner": "river.linear_model.LogisticRegression"})
    assert done.shard.decoder.classes.labels == [False, True]


def test_time_may_go_on_without_a_record(make: Any) -> None:
    done = make(default="DOWN")
    done.take(run_of(X))
    sequence = done.shard.sequence
    assert not done.take(Tick(WITHIN)).rows()
    (row,) = done.take(Tick(WITHIN + 1)).rows()
    assert (row.features, row.y) == ({"x": 1.0}, 0.0)
    assert not done.take(Tick(5)).rows()
    assert done.shard.sequence == sequence
    assert make(task="anomaly", model=TREES).take(Tick(9)).rows() == []


def test_the_oldest_gives_way(make: Any) -> None:
    done = make(keep=2, default="DOWN")
    done.take(run_of(*({"id": i, "x": float(i)} for i in range(3))))
    assert (done.labels["evicted"], done.labels["defaulted"], done.labels["waiting"]) == (1, 1, 2)
    done.take(run_of({"id": 0, "y": "UP"}, {"id": 1, "y": "UP"}, {"id": 9, "y": "UP"}))
    assert (done.labels["unmatched"], done.labels["matched"], done.labels["waiting"]) == (1, 1, 2)
    done.take(run_of({"id": 8, "y": "UP"}, {"id": 7, "y": "UP"}))
    assert (done.labels["evicted"], done.labels["unmatched"], done.labels["waiting"]) == (2, 2, 2)


def test_labels_of_a_topic_of_their_own(make: Any) -> None:
    record = {"label": None, "key": "user"}
    done = make(apart=True, id="order.id", label="outcome", time="at", record=record)
    done.take(run_of({"id": 7, "user": 3, "x": 1.0, "outcome": 4.0}))
    label = {"order": {"id": "7"}, "outcome": "UP", "at": "1970-01-01T00:00:00.012Z", "by": "me"}
    block = done.take(run_of(label, topic=LABELS))
    (row,) = block.rows()
    assert row.features == {"x": 1.0, "outcome": 4.0}
    assert done.shard.decoder.classes.labels == ["UP"]
    assert done.labels["lag"]["last"] == 12
    assert list(done.predicted) == ["3"]


def test_the_key_of_a_label_may_be_its_id(make: Any) -> None:
    done = make(apart=True, keyed_by_id=True)
    done.take(run_of({"id": "k", "x": 1.0}))
    done.take(run_of({"y": "UP"}, topic=LABELS))
    assert done.labels["matched"] == 1


BAD: dict[str, tuple[str, Any, str]] = {
    "no id": (TOPIC, {"x": 1.0}, "wanted a string or an integer as id in 'id', got null"),
    "no id of a label": (TOPIC, {"y": "UP"}, "as id in 'id', got null"),
    "an empty id": (TOPIC, {"id": "", "x": 1.0}, "got an empty string"),
    "an id that is none": (TOPIC, {"id": [1], "x": 1.0, "y": "UP"}, "got an array"),
    "a label that is none": (TOPIC, {"id": 1, "y": 0.5}, "true or false as label in 'y'"),
    "a label of another type": (TOPIC, {"id": 1, "y": 5}, "wanted a label like 'UP' in 'y'"),
    "nothing": (LABELS, None, "wanted a label, got a record without a value"),
    "no label": (LABELS, {"id": 1}, "wanted a label in 'y', got none"),
    "no id apart": (LABELS, {"y": "UP"}, "as id in 'id', got null"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_labels_and_ids_are_set_aside(make: Any, name: str) -> None:
    topic, record, reason = BAD[name]
    done = make(apart=topic == LABELS, default="UP")
    run = run_of(record or {}, topic=topic)
    if record is None:
        run.values[0] = None
    assert not done.take(run).rows()
    (letter,) = done.dead
    assert reason in letter.reason
    assert (letter.topic, letter.offset) == (topic, 0)
    assert done.shard.counts["set_aside"] == 1
    assert done.labels["labels"] == done.labels["waiting"] == 0


def test_what_has_its_label_needs_no_id(make: Any) -> None:
    done = make()
    done.take(run_of({"x": 1.0, "y": "UP"}, {"x": 1.0, "y": "UP", "id": None}))
    assert done.shard.counts["learned"] == 2
    assert done.labels["waiting"] == 0


def test_a_label_may_come_with_what_is_no_feature(make: Any) -> None:
    done = make(
        record={"take": ["x"], "weight": "w", "key": "user"}, model=LINEAR, task="regression"
    )
    done.take(run_of({**X, "w": 0.5, "user": "u"}))
    (row,) = done.take(run_of({"id": "a", "y": 3.5, "x": None, "by": {"name": "me"}})).rows()
    assert (row.features, row.y, row.weight) == ({"x": 1.0}, 3.5, 0.5)
    assert not done.dead


def test_features_that_cannot_be_learned_any_more_are_set_aside_where_they_came(make: Any) -> None:
    model = {"learner": "river.linear_model.LogisticRegression"}
    done = make(model=model, default="FLAT", record={"classes": ["UP", "DOWN"]})
    done.take(run_of({"id": 1, "x": 0.5}, {"id": 2, "x": 1.0}, times=[5, 1_000]))
    (letter,) = done.dead
    assert (letter.topic, letter.offset, letter.time, letter.value) == (TOPIC, 0, 5, b'{"x":0.5}')
    assert "FLAT" in letter.reason
    assert done.shard.scores.report()["count"] == 0


def test_a_record_that_is_refused_twice_is_set_aside_once(make: Any) -> None:
    model = {"learner": "sklearn.naive_bayes.GaussianNB", "gather": 1}
    done = make(model=model, default="UP")
    done.take(run_of({"id": 0, "x": 1.0, "y": "UP"}))
    for run in (run_of({"id": 1, "z": 1.0}), run_of({"id": 2, "x": 1.0}, times=[1_000])):
        done.take(run)
    assert len(done.dead) == done.shard.counts["set_aside"] == 1
    assert done.labels["defaulted"] == 1


def test_a_record_of_two_rows_is_set_aside_once(make: Any) -> None:
    done = make(model={"learner": "sklearn.naive_bayes.GaussianNB", "gather": 1})
    done.take(run_of({"id": 0, "x": 1.0, "y": "UP"}, {"id": 1, "z": 1.0}))
    block = done.take(run_of({"id": 1, "z": 2.0, "y": "UP"}))
    assert [(row.features, row.op) for row in block.rows()] == [({"z": 2.0}, 1), ({"z": 1.0}, 2)]
    assert [letter.offset for letter in done.dead] == [1, 0]


def test_a_detector_of_anomalies_learns_at_once_and_labels_only_score(make: Any) -> None:
    done = make(task="anomaly", model=TREES)
    done.take(run_of(X, {"id": "b", "x": 0.3}))
    learned = digest(done.shard.learner.estimator)
    done.take(run_of({"id": "a", "y": 1}, {"id": "b", "y": 0}))
    assert done.shard.counts["learned"] == 2
    assert digest(done.shard.learner.estimator) == learned
    report = done.shard.scores.report()
    assert (report["count"], report["overall"]["anomalies"]) == (2, 1)


def test_without_the_table_nothing_waits(tmp_path: Path) -> None:
    config = configured(tmp_path, "classification", NAIVE_BAYES, False)
    done = Taken(config.model_copy(update={"label": None}))
    done.take(run_of(X, Y))
    assert done.shard.join is None
    assert (done.shard.counts["predicted"], done.shard.counts["learned"]) == (2, 1)
    assert not any("labels" in path for path in done.shard.snapshot().states)


def test_features_that_make_the_learner_raise_when_they_are_learned_are_set_aside(
    tmp_path: Path,
) -> None:
    """The label, or the record that time went on with, is not to blame."""
    records = [(i, {"id": i, "x": float(i % 3), "y": "ab"[i % 2]}) for i in range(20)]
    records += [(20, {"id": "label", "x": 1.0, "s": "no number"}), (21, {"id": "label", "y": "a"})]
    records += [(22, {"id": "none", "x": 2.0, "s": "no number"}), (23, {"id": "good", "x": 2.0})]
    records += [(99, {"id": 99, "x": 0.0, "y": "b"}), (100, {"id": 100, "x": 0.0})]
    config = configured(tmp_path, "classification", NAIVE_BAYES, False, default="a")
    appender = open_appender(config)
    appender.create(1)
    appender.append(Message(b"k", json.dumps(record).encode(), at) for at, record in records)
    appender.close()
    shard = Service(config).run(until_end=True)
    plain = naive_bayes.GaussianNB()
    for _, record in records[:20]:
        plain.learn_one({"x": record["x"]}, record["y"])
    plain.learn_one({"x": 2.0}, "a")
    plain.learn_one({"x": 0.0}, "b")
    assert digest(shard.learner.estimator) == digest(plain)
    with closing(open_dead(config)) as dead:
        letters = list(dead.letters())
    assert [(letter.offset, letter.time, letter.error) for letter in letters] == [
        (20, 20, "raised"),
        (22, 22, "raised"),
    ]
    assert letters[0].value == b'{"x":1.0,"s":"no number"}'
    assert (shard.counts["skipped"], shard.counts["set_aside"]) == (2, 2)
    assert shard.join is not None
    told = shard.join.report()
    assert (told["matched"], told["expired"], told["defaulted"], told["waiting"]) == (1, 2, 1, 1)
