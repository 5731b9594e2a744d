"""The rescue: passes over a record that makes the learner raise, and goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from stream.errors import RecordFailedError, StreamError
from stream.intake import History
from stream.journal import Entry, Skip, Tick
from stream.log import Log, Run
from stream.shard import Shard

BLOCK, PATIENCE = 5_000, 1.0
FREE = 10
"""So many records may make the learner raise before their share counts."""

logger = logging.getLogger(__name__)


class Path(Protocol):
    """What the loop does with records, as far as a rescue needs it."""

    shard: Shard

    def back(self) -> list[Entry]:
        """Return to the last checkpoint; return what was taken since."""
        ...

    def take(self, came: Run | Tick) -> None:
        """Take what is journalled already."""
        ...

    def save(self) -> None:
        """Publish a checkpoint."""
        ...

    def skip(self, skip: Skip) -> None:
        """Pass over a record from now on."""
        ...


class Rescue:
    """Finds the record that makes a learner raise, and has it set aside.

    A learner that raised may be half-changed, so each attempt begins at a checkpoint.

    Parameters
    ----------
    open_reader
        Returns a reader of a topic, in no group, to take records again since the checkpoint.
    share
        The share of records that may be passed over.
    """

    def __init__(self, open_reader: Callable[[str], Log], share: float) -> None:
        self._open = open_reader
        self._share = share

    def take(self, path: Path, came: Run | Tick) -> None:
        """Take what the learner raised at, without the records that make it raise.

        Raises
        ------
        StreamError
            More than the share of all records made it raise.
        """
        self._again(path, path.back())
        path.save()
        records = len(came) if isinstance(came, Run) else 0
        good = found = 0
        while (failure := self._find(path, came, good)) is not None:
            skip, at = failure
            good, found = at if skip.late else at + 1, found + 1
            path.skip(skip)
            path.back()
            self._refuse_hopeless(path.shard, skip, found, records)
            logger.warning(
                "%s/%s at %s is set aside: %s", skip.topic, skip.partition, skip.offset, skip.reason
            )

    def _again(self, path: Path, entries: list[Entry]) -> None:
        with closing(History(entries, path.shard.positions.values(), self._open)) as history:
            while not history.ended:
                came = history.poll(BLOCK, PATIENCE)
                if isinstance(came, Run | Tick):
                    path.take(came)

    def _find(self, path: Path, came: Run | Tick, good: int) -> tuple[Skip, int] | None:
        """Take a run from the last checkpoint on; return what the learner raises at, and where.

        The first `good` records are known to be taken.
        """
        ones: list[Run | Tick] = [came]
        if isinstance(came, Run):
            ones = [came[at : at + 1] for at in range(good, len(came))]
            if good:
                path.take(came[:good])
        for at, one in enumerate(ones, good):
            try:
                path.take(one)
            except RecordFailedError as error:
                return Skip(*error.record, str(error), error.late), at
        return None

    def _refuse_hopeless(self, shard: Shard, skip: Skip, found: int, taken: int) -> None:
        skipped, taken = shard.counts["skipped"] + found, shard.sequence + taken
        if skipped > max(FREE, self._share * taken):
            raise StreamError(
                f"wanted a learner that takes nearly all records, got one that raised at {skipped} "
                f"of {taken}, last at {skip.topic}/{skip.partition} {skip.offset} ({skip.reason}): "
                "mend it, or raise [dead] skip_share"
            )
