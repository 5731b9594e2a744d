"""What is shown of a sharded service: a line at an interval, and one for each shard at its end."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from learners.digests import digest
from stream.config import Config
from stream.loop import Loop
from stream.report import Pace, Progress, model_of
from stream.shard import Shard
from stream.tables import NONE, number, rate, words


class FleetLines:
    """Prints a line for all shards of an instance at an interval; to be called between blocks.

    Parameters
    ----------
    config
        Of the service.
    show
        Prints a line.
    clock
        Seconds, rising.
    """

    def __init__(
        self,
        config: Config,
        show: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._show, self._clock = config, show, clock
        self._paces: dict[int, Pace] = {}
        self._loops: dict[int, Loop] = {}
        self._shown = clock()

    def __call__(self, loop: Loop) -> None:
        """Print a line, if the last one is old enough."""
        partition = loop.shard.partition
        assert partition is not None
        self._paces.setdefault(partition, Pace(self._clock)).begin(loop)
        self._loops[partition] = loop
        if self._clock() - self._shown < self._config.output.interval / 1000:
            return
        self._shown = self._clock()
        seen = {p: self._paces[p].look(one) for p, one in sorted(self._loops.items())}
        # Those that are gone to another instance do not come again before the next line.
        self._loops = {}
        as_json = self._config.output.log == "json"
        self._show(_json(self._config.name, seen) if as_json else _plain(self._config.name, seen))


def conclude(config: Config, shards: Mapping[int, Shard], show: Callable[[str], None]) -> None:
    """Show what a run came to, a line for each shard that was held last."""
    as_json = config.output.log == "json" and not sys.stdout.isatty()
    for partition, shard in sorted(shards.items()):
        told = {"partition": partition, **model_of(shard)}
        told["digest"] = digest(shard.learner.estimator)
        if as_json:
            show(json.dumps({"event": "summary", "name": config.name, **told}))
            continue
        counts = told["counts"]
        show(
            f"{config.name}/{partition} {told['version']}: {counts['records']:,} records, learned "
            f"{counts['learned']:,}, dead letters {counts['set_aside']:,}, "
            f"{_score(told, 'overall')}; digest {told['digest']}"
        )
    if not shards:
        show(f"{config.name}: held no partition, nothing was learned")


def _json(name: str, seen: Mapping[int, Progress]) -> str:
    shards = {p: one.model | {"checkpoint_age": one.checkpoint_age} for p, one in seen.items()}
    told = {"lag": _lag(seen), "now": _now(seen), "partitions": shards}
    return json.dumps({"event": "progress", "name": name, **told})


def _plain(name: str, seen: Mapping[int, Progress]) -> str:
    counts = [one.model["counts"] for one in seen.values()]
    lag = _lag(seen)
    parts = [
        f"{name}, partitions {', '.join(map(str, seen))}: "
        f"{sum(one['records'] for one in counts):,} records",
        f"{rate(_now(seen))} now",
        f"lag {NONE if lag is None else f'{lag:,}'}",
        *(f"{partition}: {_score(one.model, 'recent')}" for partition, one in seen.items()),
        f"{sum(one['set_aside'] for one in counts):,} dead letters",
        f"checkpoints {max(one.checkpoint_age for one in seen.values()):.0f} s ago",
    ]
    return "; ".join(parts)


def _score(model: dict[str, Any], span: str) -> str:
    figures = model["scores"][span]
    metric = next(iter(figures), None)
    return NONE if metric is None else f"{span} {words(metric)} {number(figures[metric])}"


def _lag(seen: Mapping[int, Progress]) -> int | None:
    """Return the lag of all partitions, which each shard tells of all."""
    return max((one.lag for one in seen.values() if one.lag is not None), default=None)


def _now(seen: Mapping[int, Progress]) -> float | None:
    rates = [one.now for one in seen.values() if one.now is not None]
    return sum(rates) if rates else None
