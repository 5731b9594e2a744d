from pathlib import Path

import pytest

from tests.faults.slow import hold


@pytest.mark.services
def test_a_learner_that_stalls_keeps_its_partitions(
    kafka_servers: str, redis_url: str, tmp_path: Path
) -> None:
    figures = hold(kafka_servers, redis_url, tmp_path, interval=2_000)
    assert figures["passed"], figures
