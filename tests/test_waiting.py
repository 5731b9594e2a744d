"""What waits: found by its id, bounded by what waits, and written to checkpoints once."""

from __future__ import annotations

import os
import random
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.base import Predictions
from stream import waiting
from stream.checkpoint import Checkpoints, Snapshot
from stream.folder import Folder
from stream.segment import FEATURES, GONE, LABEL, MET, WAITING, Slot
from stream.served import as_served, pack, put, unpack
from stream.waiting import Waiting

NAME = "waiting"


def slot(number: int, kind: int = FEATURES, name: str | None = None) -> Slot:
    return Slot(name or f"id {number}", kind, 1_000 + number, number, 1.0, 0, 7 * number)


def content(number: int, size: int = 3) -> bytes:
    return b"%d;" % number * size


class Counting(Folder):
    """A folder that counts the bytes that are hashed, and those that are written."""

    hashed = written = parts = 0

    def add_part(self, data: bytes) -> str:
        self.hashed += len(data)
        return super().add_part(data)

    def _write_temporary(self, data: bytes) -> Path:
        self.written += len(data)
        self.parts += 1
        return super()._write_temporary(data)

    def reset(self) -> None:
        self.hashed = self.written = self.parts = 0


def place(path: Path) -> tuple[Checkpoints, Counting]:
    folder = Counting(path)
    return Checkpoints(folder, "name", {}, ""), folder


def snapshot(held: Waiting, sequence: int = 1) -> Snapshot:
    states, parts = held.state(NAME)
    return Snapshot(1, sequence, (), {}, states, parts)


def restored(checkpoints: Checkpoints) -> Waiting:
    manifest = checkpoints.claim(snapshot(Waiting()))
    held = Waiting()
    held.restore(NAME, manifest.parts, lambda name: checkpoints.state(manifest, name))
    return held


@pytest.fixture
def small() -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "SIZE", 8)
        patch.setattr(waiting, "FEW", 4)
        yield 8


class Plain:
    """The same with a dict, which forgets nothing."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[int, Slot] = OrderedDict()
        self.every: list[tuple[Slot, int]] = []

    def add(self, number: int, one: Slot, status: int) -> None:
        assert number == len(self.every)
        self.every.append((one, status))
        if status == WAITING:
            self.waiting[number] = one

    def end(self, number: int, status: int) -> None:
        self.every[number] = (self.waiting.pop(number), status)


def agree(held: Waiting, plain: Plain, size: int) -> None:
    assert held.count == len(plain.waiting)
    assert held.oldest() == next(iter(plain.waiting), None)
    for number, one in plain.waiting.items():
        assert held.find(one.id) == number
        assert held.slot(number) == (one, WAITING)
        assert held.content(number) == content(number)
    for number in range(max(0, len(plain.every) - size), len(plain.every)):
        one, status = plain.every[number]
        if one.kind == FEATURES or status != GONE:
            assert held.find(one.id) == number
            assert held.slot(number) == (one, status)
        else:
            assert held.find(one.id) is None
    assert sum(map(len, held._segments)) <= 4 * held.count + 4 * size
    assert len(held._segments) <= 2 * held.count / (size / 2) + 4


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 10**6)), max_size=120),
    st.sets(st.integers(0, 119), max_size=4),
    st.sampled_from([2, 5, 7]),
)
def test_it_is_a_dict_that_forgets_what_is_over(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, int]],
    resumed: set[int],
    often: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "SIZE", 8)
        patch.setattr(waiting, "FEW", 4)
        path = tmp_path_factory.mktemp("place")
        held, plain = Waiting(), Plain()
        for i, (step, draw) in enumerate(steps):
            if step >= often or not plain.waiting:
                number = len(plain.every)
                status = MET if draw % 11 == 0 else WAITING
                one = slot(number, LABEL if draw % 3 == 0 else FEATURES)
                assert held.add(one, status) == number
                plain.add(number, one, status)
                if status == WAITING:
                    held.put(number, content(number))
            else:
                waits = list(plain.waiting)
                number = waits[0] if step == 0 else waits[draw % len(waits)]
                status = GONE if draw % 2 else MET
                held.end(number, status)
                plain.end(number, status)
            if i in resumed:
                owner, _ = place(path)
                owner.claim(snapshot(held))
                owner.publish(snapshot(held))
                held = restored(place(path)[0])
            agree(held, plain, 8)


def test_the_oldest_is_overdue_after_its_deadline() -> None:
    held = Waiting()
    assert held.overdue(10**9) is None
    for number in range(3):
        held.add(slot(number))
    held.end(0, MET)
    assert held.due == 1_000
    assert held.overdue(1_001) is None
    assert held.due == 1_001
    assert held.overdue(1_002) == 1


def test_an_id_is_known_while_its_slot_is_among_the_last(small: int) -> None:
    held = Waiting()
    for number in range(3 * small):
        held.add(slot(number))
        held.end(number, MET)
    known = [number for number in range(3 * small) if held.find(f"id {number}") is not None]
    assert known == list(range(2 * small, 3 * small)) or known == list(range(small, 3 * small))


def test_the_id_of_a_label_that_waited_in_vain_is_free(small: int) -> None:
    held = Waiting()
    held.add(slot(0, LABEL, "a"))
    held.end(0, GONE)
    assert held.find("a") is None
    held.add(slot(1, FEATURES, "a"))
    for number in range(2, 4 * small):
        held.add(slot(number))
        held.end(number, MET)
    # The segment of both was dropped or merged since.
    assert held.find("a") == 1


def filled(count: int, size: int = 3) -> Waiting:
    held = Waiting()
    for number in range(count):
        held.put(held.add(slot(number)), content(number, size))
    return held


def test_a_checkpoint_writes_what_changed(tmp_path: Path, small: int) -> None:
    owner, folder = place(tmp_path)
    held = filled(10 * small)
    owner.claim(snapshot(held))
    one_segment = len(held._segments[0].pack())
    assert folder.written > 10 * one_segment
    folder.reset()
    owner.publish(snapshot(held, 2))
    # The manifest alone.
    assert folder.parts == 1
    held.end(11, MET)
    folder.reset()
    owner.publish(snapshot(held, 3))
    # The manifest and one bitmap; the newest segment is empty and was there before.
    assert folder.parts == 2
    assert folder.hashed < 8 * one_segment


def test_another_process_names_what_is_kept(tmp_path: Path, small: int) -> None:
    owner, _ = place(tmp_path)
    owner.claim(snapshot(filled(5 * small + 3)))
    second, folder = place(tmp_path)
    held = restored(second)
    folder.reset()
    second.publish(snapshot(held, 2))
    assert folder.parts == 1
    # What was open when it was kept is whole now.
    for number in range(5 * small + 3, 6 * small):
        held.put(held.add(slot(number)), content(number))
    second.publish(snapshot(held, 3))
    back = restored(place(tmp_path)[0])
    assert [back.content(n) for n in range(6 * small)] == [content(n) for n in range(6 * small)]


def test_parts_are_kept_while_a_manifest_names_them_and_no_longer(
    tmp_path: Path, small: int
) -> None:
    owner, _ = place(tmp_path)
    held = filled(6 * small)
    owner.claim(snapshot(held))
    for sequence in range(2, 9):
        owner.publish(snapshot(held, sequence))
    assert restored(place(tmp_path)[0]).count == 6 * small
    owner, _ = place(tmp_path)
    held = restored(owner)
    for number in range(6 * small):
        held.end(number, GONE)
    for sequence in range(9, 13):
        owner.publish(snapshot(held, sequence))
    assert len(held._segments) == 3 - 1
    assert len(list((tmp_path / "parts").iterdir())) < 10


def test_a_part_that_was_lost_is_written_again(tmp_path: Path, small: int) -> None:
    owner, _ = place(tmp_path)
    held = filled(3 * small)
    kept = owner.claim(snapshot(held)).parts[f"{NAME}/0.slots.bin"]
    (tmp_path / "parts" / kept).unlink()
    held.end(1, MET)
    owner.publish(snapshot(held, 2))
    back = restored(place(tmp_path)[0])
    assert back.count == 3 * small - 1
    assert back.content(2) == content(2)


def test_a_part_that_no_manifest_names_is_as_good_as_new(tmp_path: Path, small: int) -> None:
    """Another owner may be about to sweep it."""
    owner, _ = place(tmp_path)
    held = filled(3 * small)
    path = tmp_path / "parts" / owner.claim(snapshot(held)).parts[f"{NAME}/0.slots.bin"]
    data = path.read_bytes()
    for sequence in range(2, 6):
        owner.publish(snapshot(Waiting(), sequence))
    assert not path.exists()
    path.write_bytes(data)
    os.utime(path, (0, 0))
    owner.publish(snapshot(held, 6))
    assert path.stat().st_mtime > 0


def test_a_place_of_another_owner_gets_all_of_it(tmp_path: Path, small: int) -> None:
    held = filled(3 * small)
    place(tmp_path / "a")[0].claim(snapshot(held))
    held.end(1, MET)
    place(tmp_path / "b")[0].claim(snapshot(held))
    back = restored(place(tmp_path / "b")[0])
    assert [back.find(f"id {n}") for n in range(3 * small)] == list(range(3 * small))
    assert back.content(2) == content(2)


@pytest.mark.slow
def test_merging_writes_few_slots_again(tmp_path: Path, small: int) -> None:
    """One in eight waits for ever, the others but a moment: each segment is soon merged."""
    owner, folder = place(tmp_path)
    held = Waiting()
    owner.claim(snapshot(held))
    slots = 200 * small
    again: dict[str, int] = {}
    for number in range(slots):
        held.put(held.add(slot(number)), content(number))
        if number % 8:
            held.end(number, MET)
        if number % small == small - 1:
            parts = owner.publish(snapshot(held, number)).parts
            whole = [path for path in parts if path.endswith(".slots.bin")]
            for path in whole[:-1]:
                again[parts[path]] = folder.read_part(parts[path]).count(b";") // 3
    assert held.count == slots // 8
    # Each that waits on is written once, and half a slot more for each that came.
    assert held.count <= sum(again.values()) <= held.count + slots // 2
    assert len(held._segments) < slots // small // 2


@pytest.mark.slow
def test_a_million_that_wait_cost_a_checkpoint_what_changed(tmp_path: Path) -> None:
    owner, folder = place(tmp_path)
    held = filled(1_000_000)
    owner.claim(snapshot(held))
    assert folder.written > 60_000_000
    folder.reset()
    draw = random.Random(5)
    for number in draw.sample(range(900_000), 3):
        held.end(number, MET)
    held.put(held.add(slot(1_000_000)), b"new")
    owner.publish(snapshot(held, 2))
    # The manifest, how many there are, the newest segment and its bitmap, and three bitmaps.
    assert folder.parts <= 7
    newest = len(held._segments[-1].pack())
    assert folder.written < newest + 4 * 16_600 + 20_000
    assert folder.hashed < newest + 16 * 16_600 + 20_000


def predictions(value: list[float], proba: Any = None) -> Predictions:
    table = None if proba is None else np.array(proba, np.float64)
    return Predictions(np.array(value), table)


@given(st.lists(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=3, max_size=3), max_size=4))
def test_what_was_served_does_not_depend_on_classes_that_follow(proba: list[list[float]]) -> None:
    value = [float("nan") if not any(row) else 1.0 for row in proba]
    table = np.array(proba).reshape(len(proba), 3)
    wide = np.column_stack([table, np.zeros((len(proba), 2))])
    served = as_served(predictions(value, table))
    assert served == as_served(predictions(value, wide))
    back = predictions([5.0] * len(value), np.full(wide.shape, 7.0))
    for row, kept in enumerate(served):
        put(back, row, kept)
    np.testing.assert_array_equal(back.value, value)
    np.testing.assert_array_equal(back.proba, wide)


def test_a_refused_row_was_served_nothing() -> None:
    answers = predictions([1.0, 2.0])
    answers.refused[0] = "why"
    assert as_served(answers)[0] == b""
    put(answers, 1, b"")
    assert np.isnan(answers.value[1])


@given(
    st.dictionaries(
        st.text(),
        st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    )
)
def test_features_come_back_as_they_are(features: dict[str, Any]) -> None:
    back, served = unpack(pack(features, b"\0"))
    assert repr(back) == repr(features)
    assert served == b"\0"
