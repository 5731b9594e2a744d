"""Corrupt records are set aside once, with their bytes, and all others are learned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.corrupt import KEYS, MALFORMED, POISONS, hold
from tests.faults.trial import Services


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.parametrize("way", ["topic", "file"])
def test_each_corrupt_record_is_set_aside_once(
    way: str, kafka_servers: str, redis_url: str, tmp_path: Path
) -> None:
    figures = hold(Services(kafka_servers, redis_url, tmp_path), way, 6_000, seed=3)
    assert set(figures["kinds"]) == {*MALFORMED, *KEYS, *POISONS, "a class too many"}
    assert figures["passed"], figures
