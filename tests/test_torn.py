"""Whatever becomes of one file of the checkpoints, the service goes on whole or says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import streams
from tests.faults.judgement import judged
from tests.faults.shapes import SHAPES
from tests.faults.torn import ENDINGS, hold


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["A", "B"])
def test_a_torn_file_never_makes_a_mixed_state(shape: str, tmp_path: Path) -> None:
    stream = streams.drifting(1_200 if shape == "A" else 600, seed=7)
    done = hold(tmp_path, SHAPES[shape], "river", stream, ENDINGS[3], tries=12, seed=4)
    figures = judged(done)
    assert figures["strange"] == []
    assert figures["went_on"] > 0
    assert figures["refused"] > 0
