"""Windows learned side by side, against one after the other: the same to the last bit."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from river import naive_bayes
from sklearn.linear_model import LogisticRegression

from ensembles.parallel import SIDE_BY_SIDE
from ensembles.rolling import RollingClassifier
from learners.base import LEARN, PREDICT, Examples, Learner, Task
from learners.digests import digest
from learners.errors import LearnerError, LearnerFailedError
from learners.roads import as_learner
from stream.processes import Processes
from tests import rolling_cases as cases
from tests.command import alluvia, records, refused
from tests.rolling_cases import BOTH, stream
from tests.test_rolling_windows import odd_stream, plain_bayes

S = TypeVar("S")
P = TypeVar("P")
R = TypeVar("R")


class Elsewhere:
    """A pool of one worker that gets nothing but what can be sent; counts the work it is given."""

    def __init__(self) -> None:
        self.parts = 0
        self.none = 0

    def run(self, work: Callable[[S, P], R], shared: S, parts: Sequence[P]) -> list[R]:
        self.parts += len(parts)
        outcomes = []
        for part in parts:
            sent: Any = pickle.loads(pickle.dumps((shared, part)))
            outcomes.append(pickle.loads(pickle.dumps(work(*sent))))
        self.none += outcomes.count(None)
        return outcomes


def ends(learner: Learner, rows: Examples, cuts: Sequence[int]) -> list[Any]:
    """What there is to compare after blocks of these sizes: answers, refusals, state."""
    found: list[Any] = []
    start = 0
    for size in [*cuts, len(rows)]:
        answer = learner.predict_learn(rows[start : start + size])
        proba = None if answer.proba is None else answer.proba.tobytes()
        found += [answer.value.tobytes(), proba, answer.refused]
        start += size
    state = learner.state()
    return [*found, state.meta, digest(learner.estimator)]


def failing() -> RollingClassifier:
    """Its members cannot be fitted where a window is of one class."""
    return RollingClassifier(LogisticRegression(), window=20, keep=3)


def one_sided() -> Examples:
    rows = stream(400)
    rows.y[100:180] = 0.0
    return rows


def weighted() -> Examples:
    rows = stream(600, (BOTH, PREDICT, LEARN, BOTH))
    rows.weight[::7] = 0.0
    return rows


CASES = [
    (cases.bayes, lambda: stream(1_000)),
    (cases.hoeffding, lambda: stream(700, (BOTH, PREDICT, LEARN))),
    (cases.descent, weighted),
    (cases.hinge, lambda: stream(700)),
    (cases.cart, weighted),
    (cases.cart, lambda: odd_stream(700)),
    (plain_bayes, lambda: odd_stream(500)),
    (cases.numbers, lambda: stream(900, number=True)),
    (cases.least_squares, lambda: stream(900, number=True)),
    (failing, one_sided),
]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "rows"), CASES)
@pytest.mark.parametrize("cuts", [[], [333], [10, 20, 450]])
def test_a_pool_changes_no_answer_and_no_state(
    make: Callable[[], Any], rows: Callable[[], Examples], cuts: list[int]
) -> None:
    pool, learner = Elsewhere(), make()
    learner.share(pool)
    assert ends(learner, rows(), cuts) == ends(make(), rows(), cuts)
    assert pool.parts >= SIDE_BY_SIDE


def test_a_block_taken_side_by_side_is_as_one_taken_in_order() -> None:
    pool, learner = Elsewhere(), cases.cart()
    learner.share(pool)
    assert ends(learner, weighted(), [333]) == ends(cases.cart(), weighted(), [333])


def test_windows_that_come_as_foreseen_are_learned_elsewhere() -> None:
    pool, learner = Elsewhere(), cases.bayes()
    learner.share(pool)
    answer = learner.predict_learn(stream(1_000))
    assert (pool.parts, pool.none, len(answer.value)) == (7, 0, 1_000)


def test_members_that_go_on_are_learned_in_order() -> None:
    pool, learner = Elsewhere(), cases.going_on()
    learner.share(pool)
    assert ends(learner, stream(700), []) == ends(cases.going_on(), stream(700), [])
    assert pool.parts == 0


class Stubborn(naive_bayes.GaussianNB):  # type: ignore[misc]
    """Raises at one record."""

    def learn_one(self, x: Any, y: Any) -> None:
        if x["a"] == 99.0:
            raise ValueError("no")
        super().learn_one(x, y)


def test_a_row_that_raises_is_told_where_it_lies() -> None:
    rows = stream(600)
    rows.rows[421]["a"] = 99.0  # type: ignore[index]
    told = []
    for pool in (None, Elsewhere()):
        trust = frozenset({f"{__name__}.Stubborn"})
        inner = as_learner(Stubborn(), Task.CLASSIFICATION, trust=trust)
        learner = RollingClassifier(inner, window=100, keep=3)
        if pool is not None:
            learner.share(pool)
        with pytest.raises(LearnerFailedError, match="ValueError") as caught:
            learner.predict_learn(rows)
        told.append((caught.value.row, str(caught.value)))
    assert told[0] == told[1] == (421, told[0][1])


@pytest.fixture(scope="module")
def two() -> Iterator[Processes]:
    with closing(Processes(2, int)) as pool:
        yield pool


@pytest.mark.slow
def test_processes_give_the_same(two: Processes) -> None:
    learner = cases.cart()
    learner.share(two)
    assert ends(learner, stream(2_000), [700]) == ends(cases.cart(), stream(2_000), [700])


@pytest.mark.slow
def test_what_cannot_be_sent_is_told(two: Processes) -> None:
    learner = cases.bayes()
    learner.share(two)
    assert learner._ensemble is not None
    learner._ensemble.make = lambda index: cases.bayes().model
    with pytest.raises(LearnerError, match="replay with one process"):
        learner.predict_learn(stream(1_000))


def summary(folder: Path, name: str, *arguments: str) -> dict[str, Any]:
    said = alluvia(folder, "replay", "alluvia.toml", "--as", name, *arguments)
    told: dict[str, Any] = json.loads(said.splitlines()[-1])
    return {key: told[key] for key in ("version", "digest", "scores")}


@pytest.mark.slow
def test_a_replay_in_two_processes_gives_the_same_model_and_scores(config: Path) -> None:
    window = "[model.window]\nrecords = 60\nkeep = 3\n[store]"
    config.write_text(config.read_text("utf-8").replace("[store]", window) + 'log = "json"\n')
    (config.parent / "past.jsonl").write_text(records(4_000), "utf-8")
    history = ("--file", "past.jsonl")
    one = summary(config.parent, "one", *history)
    assert summary(config.parent, "two", *history, "--processes", "2") == one
    assert one["version"] == "1@4000"


@pytest.mark.slow
def test_learners_without_windows_are_refused(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "past.jsonl").write_text(records(10), "utf-8")
    path = str(config.parent / "past.jsonl")
    said = refused(capsys, "replay", str(config), "--as", "b", "--file", path, "--processes", "2")
    assert "set [model.window]" in said
