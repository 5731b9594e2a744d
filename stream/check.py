"""The check: what a configuration means, whether it can run, and what a run would do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from stream.app import (
    checkpoints_of,
    new_shard,
    one_partition,
    open_log,
    open_store,
    refuse_lost,
    start_of,
)
from stream.block import Block
from stream.config import Config, load
from stream.decode import Decoder
from stream.errors import MissingTopicError
from stream.inspection import newest
from stream.log import Bounds, Log
from stream.log_errors import expired
from stream.model import describe

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
    with closing(open_store(config)) as store:
        store.get([""])
    _show("store", f"{config.store.kind}, answers")
    saved = newest(config)
    with closing(open_log(config, None)) as log:
        try:
            bounds = one_partition(log)
        except MissingTopicError as error:
            _show("log", f"{config.log.kind}, answers; {error}")
            return
        _show("log", _bounds(config, bounds))
        _show("first records", _first_records(config, log, bounds))
        with closing(open_log(config, config.log.group)) as member:
            refuse_lost(checkpoints_of(config), member, config)
        if saved is None:
            begin = start_of(config, log, bounds)
            would = f"a new model would begin at offset {_offsets(begin)}"
        else:
            offsets = {p.partition: p.offset for p in saved.positions if p.topic == log.topic}
            _refuse_expired(log.topic, offsets, bounds)
            would = (
                f"the model {saved.lineage}@{saved.sequence} would go on at offset "
                f"{_offsets(offsets)}"
            )
        _show("run", would)


def _show(title: str, text: str) -> None:
    print(f"{title}\n  " + "\n  ".join(text.splitlines()), flush=True)


def _offsets(offsets: dict[int, int]) -> str:
    return ", ".join(f"{offset:,}" for offset in offsets.values()) or "of its first record"


def _bounds(config: Config, bounds: dict[int, Bounds]) -> str:
    lines = [f"{config.log.kind}, answers; topic {config.log.topic}"]
    for partition, (first, end) in bounds.items():
        held = f"offsets {first:,} to {end - 1:,}" if end > first else "empty: `alluvia feed` it"
        lines.append(f"partition {partition}: {held}")
    return "\n".join(lines)


def _first_records(config: Config, log: Log, bounds: dict[int, Bounds]) -> str:
    """Return what the decoder makes of the first records."""
    decoder = new_shard(config).decoder
    blocks = list(_blocks(log, decoder, bounds))
    rows = sum(len(block.run) for block in blocks)
    if not rows:
        return "none"
    dead = [letter for block in blocks for letter in block.dead]
    labelled = sum(int((block.examples.op > 1).sum()) for block in blocks)
    lines = [f"{rows:,} read, {labelled:,} would be learned, {len(dead):,} set aside"]
    for letter in dead[:REASONS]:
        lines.append(f"offset {letter.offset:,}: {letter.reason}")
    lines += [f"field {name}: {kind}" for name, kind in decoder.schema.kinds.items()]
    if decoder.classes.labels:
        lines.append(
            f"classes of {config.record.label}: " + ", ".join(map(repr, decoder.classes.labels))
        )
    return "\n".join(lines)


def _blocks(log: Log, decoder: Decoder, bounds: dict[int, Bounds]) -> Iterator[Block]:
    """Yield the first records, decoded, without joining the group."""
    left = min(SAMPLE, sum(at.end - at.first for at in bounds.values()))
    deadline = time.monotonic() + PATIENCE
    while not log.acquire(0.5) and time.monotonic() < deadline:
        continue
    log.seek({partition: at.first for partition, at in bounds.items()})
    start = 0
    while start < left and time.monotonic() < deadline:
        run = log.poll(left - start, 0.5)
        if run is not None:
            yield decoder.decode(run, start)
            start += len(run)


def _refuse_expired(topic: str, offsets: dict[int, int], bounds: dict[int, Bounds]) -> None:
    for partition, offset in offsets.items():
        held = bounds[partition]
        if not held.first <= offset <= held.end:
            raise expired(topic, partition, offset, held)
