"""Killed with SIGKILL and resumed, a service ends where one that was never killed ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import streams
from tests.faults.kills import judged
from tests.faults.shapes import SHAPES
from tests.faults.trial import Services, hold


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "learner", "records", "seed", "moments"),
    [
        ("A", "sgd", 3_000, 56, {"positions", "published"}),
        ("B", "river", 2_500, 26, {"parts", "journalled", "following"}),
    ],
)
def test_kills_change_nothing(
    shape: str,
    learner: str,
    records: int,
    seed: int,
    moments: set[str],
    kafka_servers: str,
    redis_url: str,
    tmp_path: Path,
) -> None:
    services = Services(kafka_servers, redis_url, tmp_path)
    stream = streams.drifting(records, seed=7)
    figures = judged(*hold(services, SHAPES[shape], learner, stream, len(moments), seed))
    assert set(figures["equal"].values()) == {True}
    assert figures["passed"]
    assert set(figures["moments"]) == moments
    assert figures["resumed_above_0"] >= len(moments) - 1
