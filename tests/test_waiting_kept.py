"""What waits is written to checkpoints once."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from stream.segment import GONE, MET
from stream.waiting import Waiting
from tests.slots import NAME, content, filled, place, restored, slot, snapshot


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
