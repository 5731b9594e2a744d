import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import JournalError, TopicRecreatedError
from stream.intake import History, Intake, Live
from stream.journal import Entry, Taken, Tick
from stream.log import Message, Place, Run
from stream.log_embedded import EmbeddedAppender, EmbeddedLog
from stream.loop import entry_of
from stream.manifest import Position

N = 60
Open = Callable[[str], EmbeddedLog]


def fill(path: Path, topic: str, times: list[int], partitions: int = 1) -> None:
    with closing(EmbeddedAppender(path, topic)) as appender:
        appender.create(partitions)
        appender.append(Message(b"%d" % t, b"%s %d" % (topic.encode(), t), t) for t in times)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fill(tmp_path / "log.db", "t", list(range(N)), partitions=3)
    fill(tmp_path / "log.db", "labels", list(range(30, 30 + N)))
    return tmp_path / "log.db"


@pytest.fixture
def open_log(path: Path) -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda topic: stack.enter_context(closing(EmbeddedLog(path, topic, None)))


def begun(log: EmbeddedLog) -> list[Position]:
    return [Position(log.topic, number, at.first, "") for number, at in log.bounds().items()]


def live_over(open_log: Open, *topics: str) -> Live:
    logs = [open_log(topic) for topic in topics]
    for log in logs:
        log.acquire(0.0)
    live = Live(logs, slack=0)
    live.seek(itertools.chain.from_iterable(map(begun, logs)))
    return live


def taken(intake: Intake, limits: Iterator[int]) -> list[Run]:
    runs = []
    while not intake.ended and intake.lag():
        run = intake.poll(next(limits), 0.0)
        if isinstance(run, Run):
            runs.append(run)
    return runs


def records(runs: list[Run]) -> list[tuple[Place, int, bytes | None]]:
    return [
        (run.place, *pair) for run in runs for pair in zip(run.offsets, run.values, strict=True)
    ]


def test_every_record_of_every_log_comes_once(open_log: Open) -> None:
    live = live_over(open_log, "t", "labels")
    runs = taken(live, itertools.repeat(7))
    assert len(records(runs)) == len(set(records(runs))) == 2 * N
    assert max(map(len, runs)) <= 7
    assert live.poll(7, 0.05) is None
    assert not live.ended


def test_the_log_whose_next_record_is_older_comes_first(open_log: Open) -> None:
    runs = taken(live_over(open_log, "t", "labels"), itertools.repeat(1))
    heads: dict[str, int] = {}
    for run in reversed(runs):
        assert run.times[0] <= heads.get("labels" if run.topic == "t" else "t", N * N)
        heads[run.topic] = run.times[0]


def test_lag_counts_what_was_fetched_and_not_taken(open_log: Open) -> None:
    live = live_over(open_log, "t", "labels")
    left = 2 * N
    while run := live.poll(4, 0.0):
        left -= len(run)
        assert live.lag() == left


cuts = st.lists(st.integers(1, 20), min_size=1, max_size=8)


@pytest.mark.slow
@given(first=cuts, again=cuts, data=st.data())
def test_history_comes_in_the_order_it_was_taken_wherever_it_is_cut(
    first: list[int],
    again: list[int],
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.db"
    fill(path, "t", list(range(N)), partitions=3)
    fill(path, "labels", list(range(30, 30 + N)))
    with ExitStack() as stack:

        def open_log(topic: str) -> EmbeddedLog:
            return stack.enter_context(closing(EmbeddedLog(path, topic, None)))

        runs = taken(live_over(open_log, "t", "labels"), itertools.cycle(first))
        done = data.draw(st.integers(0, len(runs)))
        positions = {p.place: p for log in ("t", "labels") for p in begun(open_log(log))}
        for run in runs[:done]:
            positions[run.place] = Position(*run.place, run.offsets[-1] + 1, run.digest(-1))
        history = History(map(entry_of, runs), positions.values(), open_log)
        assert history.lag() == sum(map(len, runs[done:]))
        assert records(taken(history, itertools.cycle(again))) == records(runs[done:])
        assert history.ended and history.lag() == 0


def test_ticks_come_where_they_came(open_log: Open) -> None:
    entries: list[Entry] = [Tick(1), Taken("labels", 0, 0, 9, 10), Tick(2)]
    history = History(entries, begun(open_log("labels")), open_log)
    assert history.poll(5, 0.0) == Tick(1)
    run = history.poll(5, 0.0)
    assert isinstance(run, Run) and run.offsets == list(range(10))
    assert history.poll(5, 0.0) == Tick(2)
    assert history.ended and history.poll(5, 0.0) is None


class Crumbling(EmbeddedLog):
    """A log that hands out three records at a time."""

    def poll(self, limit: int, timeout: float) -> Run | None:
        return super().poll(min(limit, 3), timeout)


def test_what_was_taken_at_once_comes_at_once_however_it_is_fetched(path: Path) -> None:
    entries = [Taken("labels", 0, 0, 9, 10), Taken("labels", 0, 10, 19, 10)]
    with closing(Crumbling(path, "labels", None)) as log:
        history = History(entries, [Position("labels", 0, 0, "")], lambda topic: log)
        lengths = []
        while not history.ended:
            run = history.poll(1, 0.0)
            lengths.append(len(run) if isinstance(run, Run) else 0)
            assert history.lag() == 20 - sum(lengths) - 3 * (len(lengths) % 4)
    assert lengths == [0, 0, 0, 10, 0, 0, 0, 10]


def delete(path: Path, topic: str, first: int, last: int) -> None:
    with closing(sqlite3.connect(path)) as log, log:
        log.execute(
            "DELETE FROM record WHERE offset BETWEEN ? AND ? AND partition IN "
            "(SELECT id FROM partition WHERE topic = ?)",
            (first, last, topic),
        )


@pytest.mark.parametrize(("first", "last"), [(0, 4), (3, 5), (9, 9)])
def test_records_that_are_gone_are_told(path: Path, open_log: Open, first: int, last: int) -> None:
    delete(path, "labels", first, last)
    entries = [Taken("labels", 0, 0, 9, 10), Taken("labels", 0, 10, 19, 10)]
    history = History(entries, [Position("labels", 0, 0, "")], open_log)
    with pytest.raises(JournalError, match=r"as the journal has"):
        taken(history, itertools.repeat(4))


def test_a_position_inside_what_was_taken_at_once_is_told(open_log: Open) -> None:
    with pytest.raises(JournalError, match="the same copy"):
        History([Taken("labels", 0, 0, 9, 10)], [Position("labels", 0, 5, "")], open_log)


def left_at(open_log: Open, offset: int) -> Position:
    log = open_log("labels")
    log.acquire(0.0)
    log.seek({0: offset - 1})
    run = log.poll(1, 0.0)
    assert run is not None
    return Position("labels", 0, offset, run.digest(0))


@pytest.mark.parametrize("entries", [None, [Taken("labels", 0, 10, 19, 10)]])
def test_a_topic_made_anew_is_told(path: Path, open_log: Open, entries: list[Entry] | None) -> None:
    left = left_at(open_log, 10)
    with closing(sqlite3.connect(path)) as log, log:
        log.execute("DELETE FROM record")
        log.execute("DELETE FROM partition")
    fill(path, "labels", list(range(31, 31 + N)))
    with pytest.raises(TopicRecreatedError, match="made anew"):
        resumed(open_log, left, entries).poll(5, 0.0)


@pytest.mark.parametrize("entries", [None, [Taken("labels", 0, 10, 19, 10)]])
@pytest.mark.parametrize("gone", [None, 5, 9])
def test_it_goes_on_behind_the_last_record_also_if_that_expired(
    path: Path, open_log: Open, entries: list[Entry] | None, gone: int | None
) -> None:
    left = left_at(open_log, 10)
    if gone is not None:
        delete(path, "labels", 0, gone)
    intake = resumed(open_log, left, entries)
    offsets: list[int] = []
    while len(offsets) < 10:
        run = intake.poll(1, 0.0)
        if isinstance(run, Run):
            offsets += run.offsets
    assert offsets == list(range(10, 20))


def resumed(open_log: Open, left: Position, entries: list[Entry] | None) -> Intake:
    if entries is not None:
        return History(entries, [left], open_log)
    log = open_log("labels")
    log.acquire(0.0)
    live = Live([log])
    live.seek([left])
    return live
