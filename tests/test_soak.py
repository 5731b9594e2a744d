"""What the long run of `tests.faults.soak` measures, how it judges, and a short one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.soak import hold, judged, messages, slices
from tests.faults.trial import Services


def looks(memory: float = 1.0, files: int = 30, cpu: float = 1.0) -> list[dict[str, Any]]:
    """Three slices, told of in four looks each, of which the last one is another."""
    told: list[dict[str, Any]] = []
    for i in range(1, 13):
        last = i > 8
        used = {"memory": 1e8 * (memory if last else 1.0), "files": files if last else 30}
        time = i + (i - 8) * (cpu - 1.0) * last
        told.append({"records": 100 * i, **used, "cpu": time, "wall": 2.0 * time})
    return told


@pytest.mark.parametrize(
    ("grown", "passed"),
    [
        ({}, True),
        ({"memory": 1.02, "cpu": 1.09}, True),
        ({"memory": 0.5, "files": 20, "cpu": 0.5}, True),
        ({"memory": 1.04}, False),
        ({"files": 31}, False),
        ({"cpu": 1.11}, False),
    ],
)
def test_what_grows_beyond_its_bound_is_seen(grown: dict[str, Any], passed: bool) -> None:
    assert judged(slices(looks(**grown)), 1.03, 1.10)["passed"] is passed


def test_labels_come_late_early_and_never() -> None:
    seen: dict[bytes, list[int]] = {}
    for i, (_, value, _, _) in zip(range(100_000), messages(50), strict=False):
        assert value is not None
        name = value[6:16]
        seen.setdefault(name, []).append(i if b'"a"' in value else -i)
    met = [places for places in seen.values() if len(places) == 2]
    early = [places for places in met if places[0] <= 0]
    assert 0.35 < len(met) / 100_000 < 0.5
    assert 0.005 < len(early) / len(met) < 0.015
    assert min(len(places) for places in seen.values()) == 1


@pytest.mark.services
@pytest.mark.slow
def test_a_short_soak_holds_its_files_and_most_of_its_memory(
    kafka_servers: str, redis_url: str, tmp_path: Path
) -> None:
    place = Services(kafka_servers, redis_url, tmp_path)
    figures = hold(place, 160_000, 40_000, keys=10_000, memory=1.5, cost=3.0)
    assert figures["passed"], figures
    assert figures["labels"]["expired"] > 0
    assert figures["labels"]["early"] > 0
    assert figures["accuracy"] > 0.8
