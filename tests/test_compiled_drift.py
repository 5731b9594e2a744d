from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift

from learners.base import Floats
from learners.compiled.adwin import WIDTH, add, windows
from learners.compiled.drift import ADWIN, DDM, DRIFT, QUIET, WARNING, PageHinkley
from learners.errors import LearnerError

Pair = tuple[Callable[[], Any], Callable[[], Any]]

PAIRS: dict[str, Pair] = {
    "adwin": (ADWIN, drift.ADWIN),
    "adwin often": (
        lambda: ADWIN(0.2, 1, 2, 1, 0),
        lambda: drift.ADWIN(0.2, clock=1, max_buckets=2, min_window_length=1, grace_period=0),
    ),
    "adwin wide": (
        lambda: ADWIN(0.01, 7, 9, 20),
        lambda: drift.ADWIN(0.01, clock=7, max_buckets=9, min_window_length=20),
    ),
    "page-hinkley": (PageHinkley, drift.PageHinkley),
    "page-hinkley up": (
        lambda: PageHinkley(10, threshold=2.0, mode="up"),
        lambda: drift.PageHinkley(10, threshold=2.0, mode="up"),
    ),
    "page-hinkley down": (
        lambda: PageHinkley(5, 0.1, 1.0, 0.9, "down"),
        lambda: drift.PageHinkley(5, 0.1, 1.0, 0.9, "down"),
    ),
    "ddm": (DDM, drift.binary.DDM),
    "ddm early": (
        lambda: DDM(0, 1.0, 1.5),
        lambda: drift.binary.DDM(0, 1.0, 1.5),
    ),
}
pytestmark = pytest.mark.slow


def values_of(seed: int, binary: bool, count: int = 1_500) -> Floats:
    """Values whose mean jumps a few times."""
    chance = random.Random(seed)
    level, values = 0.2, []
    for _ in range(count):
        if chance.random() < 0.004:
            level = chance.random()
        values.append(float(chance.random() < level) if binary else chance.gauss(level * 5, 1.0))
    return np.array(values)


def signals_of(river: Any, values: Floats) -> list[int]:
    signals = []
    for value in values.tolist():
        river.update(value)
        warned = getattr(river, "warning_detected", False)
        signals.append(DRIFT if river.drift_detected else WARNING if warned else QUIET)
    return signals


@pytest.mark.parametrize("name", PAIRS)
@given(seed=st.integers(0, 2**32), numbers=st.booleans())
@settings(max_examples=20, deadline=None)
def test_a_detector_signals_where_river_does(name: str, seed: int, numbers: bool) -> None:
    make, river = PAIRS[name]
    values = values_of(seed, "ddm" in name or not numbers)
    assert make().update(values).tolist() == signals_of(river(), values)


@pytest.mark.parametrize("name", PAIRS)
def test_every_kind_finds_something_here(name: str) -> None:
    make, _ = PAIRS[name]
    found = [make().update(values_of(seed, "ddm" in name)) for seed in range(5)]
    assert (np.concatenate(found) == DRIFT).any()


@pytest.mark.parametrize("name", PAIRS)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(1, 1_499), max_size=5))
@settings(max_examples=5, deadline=None)
def test_cuts_and_saving_change_nothing(name: str, seed: int, cuts: list[int]) -> None:
    make, _ = PAIRS[name]
    values = values_of(seed, "ddm" in name)
    whole, parts, signals = make(), make(), []
    for piece in np.split(values, sorted(cuts)):
        signals += parts.update(piece).tolist()
        saved, parts = parts.state(), make()
        parts.restore(saved)
    assert signals == whole.update(values).tolist()
    for key, array in whole.state().arrays.items():
        np.testing.assert_array_equal(array, parts.state().arrays[key])


def test_a_window_that_reaches_its_depth_forgets_the_oldest() -> None:
    heads, buckets = windows(2, 2, depth=3)
    for _ in range(100):
        add(heads, buckets, np.int64(1), 1.0, (0.002, 1, 5.0, 10.0))  # type: ignore[arg-type]
    assert heads[0, WIDTH] == 0.0
    assert 8.0 <= heads[1, WIDTH] <= 14.0


@pytest.mark.parametrize("make", [lambda: ADWIN(2.0), lambda: PageHinkley(mode="sideways")])
def test_parameters_are_checked(make: Callable[[], object]) -> None:
    with pytest.raises(LearnerError, match="wanted"):
        make()


@pytest.mark.parametrize("values", [[np.nan], [2.0], [-1.0]])
def test_what_is_no_error_or_none_is_refused(values: list[float]) -> None:
    with pytest.raises(LearnerError, match="wanted"):
        DDM().update(np.array(values))
