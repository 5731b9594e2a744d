"""What was taken live comes out of a replay, from the journal and by the merge rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import streams
from tests.faults.replaying import CUTS, hold
from tests.faults.trial import Services


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.usefixtures("handlers")
def test_a_replay_comes_to_what_the_live_run_holds(
    kafka_servers: str, redis_url: str, tmp_path: Path
) -> None:
    stream = streams.drifting(1_000, seed=5)
    place = Services(kafka_servers, redis_url, tmp_path)
    figures = hold(place, "river", stream, seed=5, cuts=CUTS[1:2])
    assert figures["passed"], figures
