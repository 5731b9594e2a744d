import json
from pathlib import Path

import pytest

from stream import file_log
from stream.file_log import FileLog
from stream.files import RecordFile
from stream.log import Bounds, Run
from stream.sections import RecordConfig

NOW = 5


def line(i: int) -> str:
    return json.dumps({"k": f"key{i}", "at": 1_000 * i, "x": i})


@pytest.fixture
def log(tmp_path: Path) -> FileLog:
    """Seven records in two files, a second apart."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text("".join(line(i) + "\n" for i in range(4)))
    second.write_text("".join(line(i) + "\n" for i in range(4, 7)))
    record = RecordConfig(key="k", time="at")
    return FileLog(lambda: [RecordFile(path, NOW, record) for path in (first, second)], "files")


def polled(log: FileLog, limit: int) -> list[Run]:
    found = []
    while (run := log.poll(limit, 0.0)) is not None:
        found.append(run)
    return found


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_files_are_one_partition_one_after_another(log: FileLog, limit: int) -> None:
    log.seek({0: 0})
    runs = polled(log, limit)
    assert all(len(run) <= limit and (run.topic, run.partition) == ("files", 0) for run in runs)
    assert [at for run in runs for at in run.offsets] == list(range(7))
    assert [at for run in runs for at in run.times] == [1_000 * i for i in range(7)]
    assert [key for run in runs for key in run.keys] == [b"key%d" % i for i in range(7)]
    assert [value for run in runs for value in run.values] == [line(i).encode() for i in range(7)]


@pytest.mark.parametrize("offset", range(8))
def test_it_goes_on_from_an_offset_as_often_as_it_is_asked(log: FileLog, offset: int) -> None:
    for _ in range(2):
        log.seek({0: offset})
        assert [at for run in polled(log, 2) for at in run.offsets] == list(range(offset, 7))


@pytest.mark.parametrize(
    ("time", "offset"), [(-1, 0), (0, 0), (1, 1), (3_000, 3), (3_001, 4), (6_000, 6), (6_001, 7)]
)
def test_a_time_is_the_first_record_at_or_after_it(log: FileLog, time: int, offset: int) -> None:
    assert log.offsets_at(time) == {0: offset}


def test_bounds_and_times_may_be_asked_while_it_is_read(log: FileLog) -> None:
    log.seek({0: 2})
    first = log.poll(1, 0.0)
    assert log.bounds() == {0: Bounds(0, 7)}
    assert log.offsets_at(1_000) == {0: 1}
    assert first is not None
    assert [at for run in polled(log, 10) for at in run.offsets] == [3, 4, 5, 6]


def test_the_end_is_known_when_it_was_met(log: FileLog) -> None:
    log.seek({0: 0})
    log.poll(7, 0.0)
    assert (log.ended, log.lag()) == (False, None)
    assert log.poll(7, 0.0) is None
    assert (log.ended, log.lag()) == (True, 0)
    log.seek({0: 6})
    assert (log.ended, log.lag()) == (False, None)


def test_how_much_was_read_is_known_in_bytes(log: FileLog) -> None:
    log.seek({0: 0})
    before, size = log.read
    polled(log, 2)
    assert (before, size) == (0, sum(len(line(i)) + 1 for i in range(7)))
    assert log.read == (size, size)


def test_a_run_ends_where_it_weighs_much(log: FileLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_log, "MANY_BYTES", 2 * len(line(0)))
    log.seek({0: 0})
    runs = polled(log, 100)
    assert [at for run in runs for at in run.offsets] == list(range(7))
    assert [len(run) for run in runs] == [2, 2, 2, 1]


def test_files_are_nobody_elses(log: FileLog) -> None:
    assert log.acquire(0.0) == {0}
    log.commit({0: 3}, "receipt")
    assert log.committed() == {}
    log.close()
