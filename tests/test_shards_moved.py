"""A short version of tests/faults/shards.py."""

from pathlib import Path

import pytest

from tests.faults import shards
from tests.faults.trial import Services


@pytest.mark.services
@pytest.mark.slow
def test_each_model_moves_with_its_partition(
    kafka_servers: str, redis_url: str, tmp_path: Path
) -> None:
    figures = shards.hold(Services(kafka_servers, redis_url, tmp_path), 6_000, seed=2)
    assert figures["passed"], figures
