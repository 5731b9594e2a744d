import random
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import JournalError
from stream.folder import Folder
from stream.journal import Entry, Mark, Skip, Taken, Tick
from stream.journal_file import FileJournal
from stream.journal_segment import Lines, chain

ENTRIES: list[Entry] = [
    Taken("t", 0, 0, 99, 100),
    Tick(1_000),
    Taken("t", 1, 5, 9, 4),
    Skip("t", 1, 10, "the learner raised:\nNaN — 'x'\r"),
    Taken("labels", 0, 0, 0, 1),
]
entries = st.lists(st.sampled_from(ENTRIES), max_size=6)


def written(folder: Path, epoch: int, *added: Entry, mark: Mark | None = None) -> Mark | None:
    with closing(FileJournal(Folder(folder), epoch, mark)) as journal:
        for entry in added:
            journal.append(entry)
        return journal.end


def tail(folder: Path, epoch: int, mark: Mark | None = None) -> list[Entry]:
    with closing(FileJournal(Folder(folder), epoch, mark)) as journal:
        return journal.tail()


def segment(folder: Path, epoch: int) -> Path:
    return folder / f"journal-{epoch:012}.log"


def test_nothing_was_journalled_at_first(tmp_path: Path) -> None:
    assert written(tmp_path, 1) is None
    assert tail(tmp_path, 2) == []
    assert list(tmp_path.iterdir()) == []


def test_the_next_owner_finds_what_was_appended(tmp_path: Path) -> None:
    written(tmp_path, 1, *ENTRIES)
    assert tail(tmp_path, 2) == ENTRIES


@given(parts=st.lists(entries, min_size=1, max_size=5), data=st.data())
def test_the_tail_behind_any_mark_goes_through_all_owners(
    parts: list[list[Entry]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    marks: list[Mark | None] = [None]
    for epoch, part in enumerate(parts, 1):
        with closing(FileJournal(Folder(folder), epoch)) as journal:
            for entry in part:
                journal.append(entry)
                marks.append(journal.end)
    everything = [entry for part in parts for entry in part]
    place = data.draw(st.integers(0, len(everything)))
    assert tail(folder, len(parts) + 1, marks[place]) == everything[place:]


def test_what_a_fenced_owner_still_appends_is_not_followed(tmp_path: Path) -> None:
    old = FileJournal(Folder(tmp_path), 1)
    old.append(ENTRIES[0])
    new = FileJournal(Folder(tmp_path), 2)
    old.append(ENTRIES[1])
    new.append(ENTRIES[2])
    assert tail(tmp_path, 3) == [ENTRIES[0], ENTRIES[2]]
    old.close()
    new.close()


def test_an_owner_that_never_took_anything_is_not_on_the_way(tmp_path: Path) -> None:
    mark = written(tmp_path, 1, *ENTRIES[:2])
    written(tmp_path, 2)
    written(tmp_path, 3, ENTRIES[2], mark=mark)
    assert tail(tmp_path, 4) == ENTRIES[:3]
    assert tail(tmp_path, 4, mark) == ENTRIES[2:3]


def test_wherever_a_crash_cuts_the_end_the_entries_before_it_count(tmp_path: Path) -> None:
    ends = []
    with closing(FileJournal(Folder(tmp_path), 1)) as journal:
        for entry in ENTRIES:
            journal.append(entry)
            assert journal.end is not None
            ends.append(journal.end.at)
    whole = segment(tmp_path, 1).read_bytes()
    for size in range(len(whole)):
        segment(tmp_path, 1).write_bytes(whole[:size])
        assert tail(tmp_path, 2) == ENTRIES[: sum(end <= size for end in ends)]


def test_a_byte_changed_before_the_end_is_told(tmp_path: Path) -> None:
    written(tmp_path, 1, *ENTRIES)
    whole = bytearray(segment(tmp_path, 1).read_bytes())
    last = whole.rindex(b"\n", 0, -1)
    draw = random.Random(1)
    for place in draw.sample(range(last), 100):
        broken = whole.copy()
        broken[place] ^= 1 << draw.randrange(8)
        segment(tmp_path, 1).write_bytes(broken)
        with pytest.raises(JournalError, match="bring it back"):
            tail(tmp_path, 2)


def test_a_segment_that_is_gone_is_told(tmp_path: Path) -> None:
    mark = written(tmp_path, 1, *ENTRIES[:2])
    written(tmp_path, 2, *ENTRIES[2:])
    segment(tmp_path, 1).unlink()
    with pytest.raises(JournalError, match="journal's segment"):
        tail(tmp_path, 3)
    segment(tmp_path, 2).unlink()
    with pytest.raises(JournalError, match="without it"):
        tail(tmp_path, 3, mark)


def test_a_segment_cut_before_a_mark_is_told(tmp_path: Path) -> None:
    mark = written(tmp_path, 1, *ENTRIES)
    whole = segment(tmp_path, 1).read_bytes()
    segment(tmp_path, 1).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(JournalError, match="bring it back"):
        list(chain(Folder(tmp_path), None, mark))


def test_a_last_segment_cut_before_the_mark_is_told(tmp_path: Path) -> None:
    """Its owner took more by then: what comes next would follow on a gap."""
    mark = written(tmp_path, 1, *ENTRIES)
    path = segment(tmp_path, 1)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(JournalError, match="bring it back"):
        tail(tmp_path, 2, mark)


def test_an_entry_of_a_later_release_is_told(tmp_path: Path) -> None:
    lines = Lines(1, None)
    segment(tmp_path, 1).write_bytes(lines.begin(None) + lines._line("split", "t", 0, 5))
    with pytest.raises(JournalError, match=r"kinds taken, tick, skip .* got 'split'"):
        tail(tmp_path, 2)


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    written(tmp_path, 1, ENTRIES[0])
    assert segment(tmp_path, 1).stat().st_mode & 0o777 == 0o600
