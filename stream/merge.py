"""The merge: partitions in an order that the records alone decide, the same on every run."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

from stream.log import Log, Place, Run
from stream.log_errors import expired
from stream.manifest import Position
from stream.seam import Seam

CHUNK = 5_000


class Merge:
    """Partitions by the running maximum of time, topic, partition and offset; an `Intake`.

    A record is never taken before one that its partition holds earlier, however its time jumps.
    Times are those of the log. The next record of every partition must be there to choose.

    Parameters
    ----------
    positions
        Where each partition begins.
    ends
        The offset of each at which to end.
    open_reader
        Returns a reader of a topic, in no group.
    """

    def __init__(
        self,
        positions: Iterable[Position],
        ends: Mapping[Place, int],
        open_reader: Callable[[str], Log],
    ) -> None:
        self._arms = [
            _Arm(position, ends[position.place], open_reader)
            for position in positions
            if position.place in ends
        ]

    @property
    def ended(self) -> bool:
        """See `Intake`."""
        return not any(arm.going for arm in self._arms)

    def poll(self, limit: int, timeout: float) -> Run | None:
        """See `Intake`."""
        for arm in self._arms:
            arm.fill(timeout)
        heads = sorted(arm.next for arm in self._arms if arm.head)
        if not heads or any(arm.going and not arm.head for arm in self._arms):
            return None
        first = next(arm for arm in self._arms if arm.place == heads[0][1])
        return first.take(limit, heads[1] if len(heads) > 1 else None)

    def commit(self, positions: Mapping[Place, int], receipt: str) -> None:
        """Nothing: history has no group."""

    def lag(self) -> int | None:
        """See `Intake`."""
        return sum(arm.left for arm in self._arms)

    def close(self) -> None:
        """Close the readers."""
        for arm in self._arms:
            arm.log.close()


class _Arm:
    """One partition: the records read ahead, each with the running maximum of time."""

    def __init__(self, position: Position, end: int, open_reader: Callable[[str], Log]) -> None:
        self.place = position.place
        self.head: Run | None = None
        self._position, self._end = position.offset, end
        self._most = position.time
        self._keys: list[int] = []
        self._seam = Seam({self.place: position})
        self.log = open_reader(position.topic)
        self.log.acquire(0.0)
        bounds = self.log.bounds()[position.partition]
        if position.offset < min(bounds.first, end):
            raise expired(position.topic, position.partition, position.offset, bounds)
        self.log.seek({position.partition: self._seam.start(position, bounds.first)})

    @property
    def going(self) -> bool:
        """Whether records are still to come."""
        return self.head is not None or self._position < self._end

    @property
    def left(self) -> int:
        """How many offsets lie before the end."""
        return max(0, self._end - self._position) + len(self.head or ())

    @property
    def next(self) -> tuple[int, Place]:
        """What the next record is ordered by."""
        return self._keys[0], self.place

    def fill(self, timeout: float) -> None:
        """Read ahead, if nothing is."""
        if self.head or not self.going:
            return
        run = self._seam.check(self.log.poll(CHUNK, timeout))
        if run is None:
            if self.log.lag() == 0:
                self._position = self._end  # only gaps lie before the end
            return
        self._position = run.offsets[-1] + 1
        run = run[: bisect_left(run.offsets, self._end)]
        if run:
            self.head = run
            self._keys = list(accumulate(run.times, max, initial=self._most))[1:]
            self._most = self._keys[-1]

    def take(self, limit: int, other: tuple[int, Place] | None) -> Run:
        """Return the records that come before the next one of all other partitions."""
        run, count = self.head, limit
        assert run is not None
        if other is not None:
            find = bisect_right if self.place < other[1] else bisect_left
            count = min(limit, find(self._keys, other[0]))
        self.head = run[count:] if count < len(run) else None
        self._keys = self._keys[count:]
        return run[:count]
