"""A record that makes the learner raise is passed over, and the stream goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river import dummy, stats

from learners.base import PREDICT, Classes, Examples, Task
from stream.errors import StreamError
from stream.journal import Skip
from stream.log import Message, Run
from stream.log_embedded import EmbeddedAppender
from tests.loop_bench import NEVER, Bench, N


class Thirteen(dummy.StatisticRegressor):  # type: ignore[misc]  # river has no types here
    """A regressor that raises on some targets, half-changed."""

    def learn_one(self, x: Any, y: Any) -> None:
        super().learn_one(x, y)
        if y % 13 == 0:
            raise ZeroDivisionError(f"thirteen divides {y:.0f}")


def numbers(folder: Path, targets: Iterable[int]) -> None:
    with closing(EmbeddedAppender(folder / "log.db", "t")) as appender:
        appender.create(1)
        appender.append(
            Message(b"k%d" % i, json.dumps({"y": y}).encode(), i) for i, y in enumerate(targets)
        )


def regression(folder: Path, records: int) -> Bench:
    return Bench(folder, NEVER, records, Thirteen(stats.Mean()), Task.REGRESSION)


@pytest.mark.parametrize("records", [1, 7, 10, 1_000])
def test_records_that_make_the_learner_raise_are_set_aside(tmp_path: Path, records: int) -> None:
    numbers(tmp_path, range(1, N + 1))
    with closing(regression(tmp_path, records)) as bench:
        bench.run()
        poison = [target for target in range(1, N + 1) if target % 13 == 0]
        letters = list(bench.dead.letters())
        assert [letter.offset for letter in letters] == [target - 1 for target in poison]
        assert letters[0].value == b'{"y": 13}'
        assert "thirteen divides 13" in letters[0].reason
        assert bench.shard.counts["skipped"] == bench.shard.counts["set_aside"] == len(poison)
        assert bench.shard.sequence == bench.saved == N
        plain = stats.Mean()
        for target in sorted({*range(1, N + 1)} - {*poison}):
            plain.update(target)
        assert bench.shard.learner.predict_learn(
            Examples.of([{}], np.array([1.0]), Classes(), PREDICT)
        ).value.tolist() == [plain.get()]


def test_a_learner_that_raises_too_often_stops_the_service(tmp_path: Path) -> None:
    numbers(tmp_path, [13] * N)
    with closing(regression(tmp_path, 10)) as bench:
        with pytest.raises(StreamError, match=r"raised at 11 of 20, last at t/0 10.*skip_share"):
            bench.run()
        assert bench.saved == 10


def test_a_record_that_was_passed_over_is_so_after_a_crash(tmp_path: Path) -> None:
    numbers(tmp_path, range(1, N + 1))
    with closing(regression(tmp_path, 1_000)) as bench:
        bench.live.seek(bench.shard.positions.values())
        run = bench.live.poll(50, 1.0)
        assert isinstance(run, Run)
        bench.loop.step(run)  # and no checkpoint behind it
    with closing(regression(tmp_path, 1_000)) as bench:
        skips = [entry for entry in bench.journal.tail() if isinstance(entry, Skip)]
        assert [skip.offset + 1 for skip in skips] == [13, 26, 39]
