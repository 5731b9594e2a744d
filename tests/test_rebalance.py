"""Instances come and go in mid-stream, and every record has its effect once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import streams
from tests.faults.rebalance import hold, judged
from tests.faults.shapes import SHAPES
from tests.faults.trial import Services


@pytest.mark.services
@pytest.mark.slow
def test_instances_come_and_go(kafka_servers: str, redis_url: str, tmp_path: Path) -> None:
    services = Services(kafka_servers, redis_url, tmp_path)
    stream = streams.drifting(3_500, seed=7)
    figures = judged(*hold(services, SHAPES["B"], "river", stream, rounds=1, seed=5, pace=0.1))
    assert set(figures["equal"].values()) == {True}
    assert figures["passed"]
    assert figures["takeovers"] >= 2
