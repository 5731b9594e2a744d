"""Killed with SIGKILL and resumed, a service ends where one that was never killed ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import streams
from tests.faults.kills import judged
from tests.faults.trial import Place, hold


@pytest.mark.services
def test_five_kills_change_nothing(kafka_servers: str, redis_url: str, tmp_path: Path) -> None:
    messages = streams.corrupted(streams.drifting(6_000, seed=7), share=0.01, seed=7)
    verdict = hold(Place(kafka_servers, redis_url, tmp_path), messages, kills=5, seed=8)
    figures = judged(verdict)
    assert set(figures["equal"].values()) == {True}
    assert verdict.killed.sequence == len(messages)
    assert verdict.killed.dead
    assert verdict.killed_values
    assert len({kill.moment for kill in verdict.kills}) == 5
    assert verdict.resumed >= 3
