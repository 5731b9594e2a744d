"""What waits is found by its id, and bounded by what waits."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream import waiting
from stream.segment import FEATURES, GONE, LABEL, MET, WAITING, Slot
from stream.waiting import Waiting
from tests.slots import content, place, restored, slot, snapshot


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
