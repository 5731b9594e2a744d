"""The sources of a service: its topics and files, and where in them a new model starts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stream.checkpoint import Checkpoints
from stream.config import Config
from stream.errors import CheckpointError
from stream.file_log import FileLog
from stream.files import RecordFile
from stream.log import Log
from stream.log_kinds import open_log


def open_logs(config: Config, group: bool = True) -> list[Log]:
    """Connect to the topics that a service reads, the first one as a member of its group."""
    logs = [open_log(config, config.log.group if group else None)]
    if config.label is not None and config.label.topic is not None:
        # In no group: who owns the first topic's partitions owns these.
        logs.append(open_log(config, None, config.label.topic))
    return logs


def open_files(config: Config, paths: Iterable[Path], topic: str, now: int = 0) -> FileLog:
    """Return files as a log; records without a time of their own get `now`."""
    record = config.record
    return FileLog(lambda: [RecordFile(path, now, record) for path in paths], topic)


def start_of(config: Config, log: Log) -> dict[int, int]:
    """Return where a new model starts, as `[record] start` says."""
    start = config.record.start
    if isinstance(start, int):
        return log.offsets_at(start)
    first = start == "earliest"
    return {p: at.first if first else at.end for p, at in log.bounds().items()}


def refuse_lost(checkpoints: Checkpoints, log: Log, config: Config) -> None:
    """Refuse a silent cold start where the group says that a checkpoint was made."""
    receipts = [metadata for _, metadata in log.committed().values() if metadata]
    if receipts and checkpoints.newest() is None:
        raise CheckpointError(
            f"the group {config.log.group!r} went on to checkpoint {receipts[0]}, which is not in "
            f"{checkpoints.vault.place}: bring that folder back, or set another [log] group to "
            "begin a new model"
        )
