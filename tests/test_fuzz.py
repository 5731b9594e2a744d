"""The fuzzer reaches what it is for, and tells of an input that breaks a promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.fuzz import TARGETS, hold

pytest.importorskip("atheris")


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_fuzzing_finds_nothing(target: str, tmp_path: Path) -> None:
    found = hold(tmp_path, target, seconds=2, seed=1)
    assert found["passed"], found
    assert found["tried"] > 100
    assert found["covered"] > 100
