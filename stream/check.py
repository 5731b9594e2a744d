"""The check: what a configuration means, whether it can run, and what a run would do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from learners.base import HasMembers
from learners.errors import LearnerFailedError
from stream.app import new_shard
from stream.block import DeadLetter
from stream.checkpoint import resumed
from stream.config import Config, load
from stream.errors import MissingTopicError, StreamError
from stream.inspection import newest
from stream.log import Bounds, Log, Run
from stream.log_errors import expired, missing_partition
from stream.log_kinds import described, open_log
from stream.manifest import Manifest, Position
from stream.model import describe
from stream.shard import Shard
from stream.share import Hub
from stream.sources import open_files, refuse_lost, start_of
from stream.store_kinds import open_store
from stream.vault_kinds import checkpoints_of, open_vault, shards_of

SAMPLE = 1_000
PATIENCE = 10.0
REASONS = 3


def check(path: Path) -> None:
    """Print what is found and what would happen.

    Raises
    ------
    AlluviaError
        What `alluvia run` would refuse, in the same words.
    """
    config = load(path)
    _show("configuration", config.describe())
    _show("learner", describe(config))
    trial = new_shard(config)
    with closing(open_store(config)) as store:
        store.get([""])
    _show("store", f"{config.store.kind}, answers")
    vault = open_vault(config)
    vault.try_out()
    _show("checkpoints", f"{vault.place}, can be written")
    positions = [p for shard in shards_of(config) for p in _left_at(shard)[1]]
    if not any(position.topic == config.log.topic for position in positions):
        _try_warm_up(config, trial)
    with closing(open_log(config, None)) as log:
        try:
            bounds = log.bounds()
        except MissingTopicError as error:
            _show("log", f"{described(config)}, answers; {error}")
            return
        _show("log", _bounds(described(config), log.topic, bounds))
        if config.label is not None and config.label.topic is not None:
            with closing(open_log(config, None, config.label.topic)) as labels:
                _show("labels", _bounds(described(config), labels.topic, labels.bounds()))
        _show("first records", _first_records(config, trial, list(_runs(log, bounds))))
        with closing(open_log(config, config.log.group)) as member:
            if config.scope == "topic":
                _show("run", _would(config, member))
                return
            hub = Hub(member)
            parts = [f"{p}: {_would(config.of_partition(p), hub.share(p))}" for p in bounds]
            _show("run", "\n".join(parts))


def _would(config: Config, member: Log) -> str:
    """Return where a model would begin or go on.

    Raises
    ------
    StreamError
        Its checkpoint is not there, or what comes behind it.
    """
    refuse_lost(checkpoints_of(config), member, config)
    saved, positions = _left_at(config)
    if saved is None or not positions:
        return f"a new model would begin at offset {_offsets(start_of(config, member))}"
    offsets = {p.partition: p.offset for p in positions if p.topic == member.topic}
    _refuse_expired(member.topic, offsets, member.bounds())
    version = f"{saved.lineage}@{saved.sequence}"
    return f"the model {version} would go on at offset {_offsets(offsets)}"


def _left_at(config: Config) -> tuple[Manifest | None, tuple[Position, ...]]:
    """Return the newest checkpoint, if there is one, and where a run goes on from it."""
    saved = newest(config)
    if saved is None:
        return None, ()
    return saved, resumed(saved, json.loads(config.model_fields_json()))


def _show(title: str, text: str) -> None:
    print(f"{title}\n  " + "\n  ".join(text.splitlines()), flush=True)


def _offsets(offsets: dict[int, int]) -> str:
    return ", ".join(f"{offset:,}" for offset in offsets.values()) or "of its first record"


def _bounds(kind: str, topic: str, bounds: dict[int, Bounds]) -> str:
    lines = [f"{kind}, answers; topic {topic}"]
    for partition, (first, end) in bounds.items():
        held = f"offsets {first:,} to {end - 1:,}" if end > first else "empty: `alluvia feed` it"
        lines.append(f"partition {partition}: {held}")
    return "\n".join(lines)


def _try_warm_up(config: Config, trial: Shard) -> None:
    """Try the first records of the file to warm up with, if there is one."""
    path = config.record.warm_up
    if path is not None:
        file = open_files(config, [path], f"warm-up {path.name}")
        file.seek({0: 0})
        run = file.poll(SAMPLE, 0.0)
        _show("warm-up", _first_records(config, trial, [run] if run else []))


def _first_records(config: Config, trial: Shard, runs: Sequence[Run]) -> str:
    """Return what decoder and learner make of the first records.

    Raises
    ------
    AlluviaError
        The learner fails on one, or could not be kept in a checkpoint.
    """
    if not runs:
        return "none"
    before = dict(trial.counts)
    dead = _taken(trial, runs)
    rows, learned, aside = (
        trial.counts[name] - before[name] for name in ("records", "learned", "set_aside")
    )
    lines = [f"{rows:,} read, {learned:,} would be learned, {aside:,} set aside"]
    lines += [f"offset {letter.offset:,}: {letter.reason}" for letter in dead[:REASONS]]
    lines += _skipped(config, trial, runs, learned)
    decoder = trial.decoder
    lines += [f"field {name}: {kind}" for name, kind in decoder.schema.kinds.items()]
    if decoder.classes.labels:
        lines.append("classes: " + ", ".join(map(repr, decoder.classes.labels)))
    lines += [f"metric {one.path} would count {one.count:,}" for one in trial.scores.metrics]
    return "\n".join(lines)


def _taken(trial: Shard, runs: Sequence[Run]) -> list[DeadLetter]:
    """Let a shard take runs that lead nowhere, and return what it set aside."""
    dead = []
    for run in runs:
        try:
            dead += trial.take(run)[0].dead
        except LearnerFailedError as error:
            raise StreamError(
                f"{error} in {run.topic}/{run.partition} between offsets {run.offsets[0]} and "
                f"{run.offsets[-1]}: mend the learner, or leave the field that it cannot take out "
                "with [record] leave_out"
            ) from error
    trial.snapshot()
    return dead


def _skipped(config: Config, trial: Shard, runs: Sequence[Run], learned: int) -> list[str]:
    """Return why a window would be skipped; one that these records do not fill ends with them."""
    window = config.model.window
    if window and 0 < learned < window.records:
        short = window.model_copy(update={"records": learned})
        model = config.model.model_copy(update={"window": short})
        trial = new_shard(config.model_copy(update={"model": model}))
        _taken(trial, runs)
    skipped = trial.learner.skipped if isinstance(trial.learner, HasMembers) else ()
    return [f"a window of these records would be skipped: {reason}" for reason in skipped[:1]]


def _runs(log: Log, bounds: dict[int, Bounds]) -> Iterator[Run]:
    """Yield the first records without joining the group."""
    left = min(SAMPLE, sum(at.end - at.first for at in bounds.values()))
    deadline = time.monotonic() + PATIENCE
    while not log.acquire(0.5) and time.monotonic() < deadline:
        continue
    log.seek({partition: at.first for partition, at in bounds.items()})
    while left > 0 and time.monotonic() < deadline:
        run = log.poll(left, 0.5)
        if run is not None:
            left -= len(run)
            yield run


def _refuse_expired(topic: str, offsets: dict[int, int], bounds: dict[int, Bounds]) -> None:
    for partition, offset in offsets.items():
        held = bounds.get(partition)
        if held is None:
            raise missing_partition(topic, partition)
        if not held.first <= offset <= held.end:
            raise expired(topic, partition, offset, held)
