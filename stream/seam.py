"""The seam: where reading goes on, told by the record it was left at."""

from __future__ import annotations

from collections.abc import Mapping

from stream.errors import TopicRecreatedError
from stream.log import Place, Run
from stream.manifest import Position


class Seam:
    """Tells whether a log goes on where it was left, by the last record taken of each partition.

    Parameters
    ----------
    positions
        Where each partition was left.
    """

    def __init__(self, positions: Mapping[Place, Position]) -> None:
        self._left = {place: p for place, p in positions.items() if p.record}

    def start(self, position: Position, first: int) -> int:
        """Return the offset to read from: that of the last record taken, if it is still there."""
        back = position.offset - 1
        if position.record and back >= first:
            return back
        self._left.pop(position.place, None)
        return position.offset

    def check(self, run: Run | None) -> Run | None:
        """Return a run without the record it was left at; None if that was all.

        Raises
        ------
        TopicRecreatedError
            Another record is there.
        """
        left = self._left.pop(run.place, None) if run and self._left else None
        if run is None or left is None or run.offsets[0] >= left.offset:
            return run
        if run.digest(0) != left.record:
            raise TopicRecreatedError(
                f"wanted {left.topic}/{left.partition} as it was left at offset {left.offset - 1}, "
                "got another record there: the topic was made anew; bring it back, or choose "
                "another name to begin a model anew"
            )
        return run[1:] if len(run) > 1 else None
