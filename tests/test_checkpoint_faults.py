"""Checkpoints that are torn, altered or lost, and owners that claim at once."""

import multiprocessing
import shutil
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream import manifest
from stream.errors import CheckpointError, FencedError
from stream.folder import Folder
from stream.journal import Tick
from stream.journal_file import FileJournal
from stream.manifests import name_of
from tests.states import checkpoints, filled, sequence_of, snapshot

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with checkpoints at 5 and 10, and the claim before them."""
    path = tmp_path_factory.mktemp("three")
    filled(path, 5, 10)
    return path


def _spoil(path: Path, how: str, where: float) -> None:
    data = bytearray(path.read_bytes())
    at = int(where * len(data))
    if how == "flip" and data:
        data[at] ^= 1 << at % 8
    if how == "cut":
        del data[at:]
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(data)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 100),
            st.sampled_from(["flip", "cut", "missing"]),
            st.floats(0, 1, exclude_max=True),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_what_is_torn_or_altered_is_never_used(
    three: Path, tmp_path: Path, damage: list[tuple[int, str, float]]
) -> None:
    """What is used is one whole checkpoint, the newest there is; or none, with an error."""
    path = tmp_path / "spoiled"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(three, path)
    files = sorted(
        file for file in path.rglob("*") if file.is_file() and "lineage" not in file.name
    )
    for which, how, where in damage:
        file = files[which % len(files)]
        if file.exists():
            _spoil(file, how, where)
    place = checkpoints(path)
    whole = [number for number in (1, 2, 3) if _is_whole(three, path, number)]
    expected = {1: 0, 2: 5, 3: 10}
    manifests = list(path.glob("manifest-*"))
    if whole:
        assert sequence_of(place) == expected[whole[-1]]
        assert place.claim(snapshot()).number > max(int(m.stem[-12:]) for m in manifests)
        place.publish(snapshot(11))
        assert sequence_of(checkpoints(path)) == 11
    elif manifests:
        with pytest.raises(CheckpointError, match="wanted a whole checkpoint"):
            place.newest()
    else:
        assert place.newest() is None


def _is_whole(before: Path, after: Path, number: int) -> bool:
    data = (before / name_of(number)).read_bytes()
    named = manifest.from_bytes(data).parts.values()
    files = [name_of(number), *(f"parts/{part}" for part in named)]
    return all(
        (after / file).exists() and (after / file).read_bytes() == (before / file).read_bytes()
        for file in files
    )


def _claim_and_write(path: Path, gate: Any, results: Any) -> None:
    place = checkpoints(path)
    gate.wait()
    try:
        claimed = place.claim(snapshot())
        published = place.publish(snapshot(1, claimed.lineage))
    except FencedError:
        results.put(("fenced", claimed.number, claimed.lineage))
    else:
        results.put(("published", published.number, claimed.lineage))


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_of_owners_that_claim_at_once_one_goes_on(tmp_path: Path, kind: str) -> None:
    context = multiprocessing.get_context("spawn")
    n = 4
    results = context.Queue()
    start: Any = threading.Thread if kind == "threads" else context.Process
    gate: Any = threading.Barrier(n) if kind == "threads" else context.Barrier(n)
    started = [start(target=_claim_and_write, args=(tmp_path, gate, results)) for _ in range(n)]
    for one in started:
        one.start()
    found = [results.get(timeout=60) for _ in started]
    for one in started:
        one.join()
    assert len({number for _, number, _ in found}) == n
    assert len({lineage for _, _, lineage in found}) == 1
    assert any(what == "published" for what, _, _ in found)
    assert sequence_of(checkpoints(tmp_path)) in (0, 1)


def test_a_claim_that_is_lost_does_not_cost_the_journal(tmp_path: Path) -> None:
    """Under its number the next owner would write over what was taken since."""
    filled(tmp_path, 5)
    lost = checkpoints(tmp_path).claim(snapshot()).number
    with closing(FileJournal(Folder(tmp_path), lost)) as journal:
        journal.append(Tick(1_000))
    (tmp_path / name_of(lost)).unlink()
    claimed = checkpoints(tmp_path).claim(snapshot())
    assert claimed.number == lost + 1
    with closing(FileJournal(Folder(tmp_path), claimed.epoch)) as journal:
        assert journal.tail() == [Tick(1_000)]


def test_what_is_torn_is_told_once(
    three: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "torn"
    shutil.copytree(three, path)
    names = sorted(found.name for found in path.glob("manifest-*"))
    (path / names[-1]).write_bytes(b"torn")
    owner = checkpoints(path)
    for _ in range(2):
        assert sequence_of(owner) == 5
    owner.claim(snapshot())
    assert [names[-1] in record.getMessage() for record in caplog.records] == [True]
