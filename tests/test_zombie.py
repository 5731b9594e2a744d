"""A service that was stopped past its session and woken does no harm, and says why it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import streams
from tests.faults.shapes import SHAPES
from tests.faults.trial import Services
from tests.faults.zombie import hold, judged


@pytest.mark.services
@pytest.mark.slow
def test_nothing_of_a_zombie_lands(kafka_servers: str, redis_url: str, tmp_path: Path) -> None:
    services = Services(kafka_servers, redis_url, tmp_path)
    stream = streams.drifting(3_500, seed=7)
    figures = judged(*hold(services, SHAPES["B"], "river", stream, zombies=2, seed=3))
    assert figures["strange"] == []
    assert set(figures["equal"].values()) == {True}
    assert figures["passed"]
    assert figures["alone"] == 1
