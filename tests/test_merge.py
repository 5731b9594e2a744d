import itertools
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import OffsetsExpiredError
from stream.log import Place, Run
from stream.log_embedded import EmbeddedAppender, EmbeddedLog
from stream.manifest import Position
from stream.merge import Merge

times = st.lists(st.integers(0, 9), max_size=20)
cuts = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def fill(path: Path, parts: dict[Place, list[int]]) -> None:
    """Records of given times in given partitions, through the file itself: no key decides here."""
    for topic in sorted({topic for topic, _ in parts}):
        with closing(EmbeddedAppender(path, topic)) as appender:
            appender.create(sum(1 for place in parts if place[0] == topic))
    with closing(sqlite3.connect(path)) as log, log:
        for (topic, number), of in parts.items():
            (identity,) = log.execute(
                "SELECT id FROM partition WHERE topic = ? AND number = ?", (topic, number)
            ).fetchone()
            rows = [(identity, i, time, b"k", b"%d" % time) for i, time in enumerate(of)]
            log.executemany(
                "INSERT INTO record (partition, offset, time, key, value) VALUES (?, ?, ?, ?, ?)",
                rows,
            )
            log.execute("UPDATE partition SET next = ? WHERE id = ?", (len(of), identity))


def order(parts: dict[Place, list[int]]) -> list[tuple[Place, int]]:
    """The rule, over everything at once."""
    keyed = [
        (most, place, offset)
        for place, of in parts.items()
        for offset, most in enumerate(itertools.accumulate(of, max))
    ]
    return [(place, offset) for _, place, offset in sorted(keyed)]


@pytest.mark.slow
@given(of=st.tuples(times, times, times), limits=cuts, again=cuts, data=st.data())
def test_the_rule_decides_the_order_wherever_it_is_cut_and_resumed(
    of: tuple[list[int], ...],
    limits: list[int],
    again: list[int],
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("merge") / "log.db"
    parts: dict[Place, list[int]] = {("t", 0): of[0], ("t", 1): of[1], ("labels", 0): of[2]}
    fill(path, parts)
    ends = {place: len(part) for place, part in parts.items()}
    positions = {place: Position(*place, 0, "") for place in parts}
    found: list[tuple[Place, int]] = []
    with ExitStack() as stack:

        def open_log(topic: str) -> EmbeddedLog:
            return stack.enter_context(closing(EmbeddedLog(path, topic, None)))

        def take(cut: list[int], most: int) -> None:
            merge = Merge(positions.values(), ends, open_log)
            limit = itertools.cycle(cut)
            while not merge.ended and len(found) < most:
                run = merge.poll(next(limit), 0.0)
                if isinstance(run, Run):
                    found.extend((run.place, offset) for offset in run.offsets)
                    time = max(positions[run.place].time, *run.times)
                    end = run.offsets[-1] + 1
                    positions[run.place] = Position(*run.place, end, run.digest(-1), time)

        take(limits, data.draw(st.integers(0, sum(ends.values()))))
        take(again, sum(ends.values()))
    assert found == order(parts)


def test_it_ends_where_only_gaps_lie_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    fill(path, {("t", 0): [1, 2, 3], ("t", 1): [1, 2, 3]})
    with closing(sqlite3.connect(path)) as log, log:
        log.execute("DELETE FROM record WHERE partition = 1 AND offset = 1")
    places = [Position("t", number, 0, "") for number in (0, 1)]
    with ExitStack() as stack:
        merge = Merge(
            places,
            {("t", 0): 2, ("t", 1): 2},
            lambda topic: stack.enter_context(closing(EmbeddedLog(path, topic, None))),
        )
        taken = []
        while not merge.ended:
            run = merge.poll(10, 0.0)
            taken += [] if run is None else [(run.partition, offset) for offset in run.offsets]
        assert taken == [(0, 0), (1, 0), (1, 1)]
        assert merge.lag() == 0


def test_history_that_is_gone_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    fill(path, {("t", 0): [1, 2, 3]})
    with closing(sqlite3.connect(path)) as log, log:
        log.execute("DELETE FROM record WHERE offset = 0")
    with ExitStack() as stack, pytest.raises(OffsetsExpiredError):
        Merge(
            [Position("t", 0, 0, "")],
            {("t", 0): 3},
            lambda topic: stack.enter_context(closing(EmbeddedLog(path, topic, None))),
        )
