"""The heads: what was fetched of each partition, from which the oldest comes first."""

from __future__ import annotations

import dataclasses
from collections import deque

from stream.log import Place, Run


@dataclasses.dataclass(slots=True)
class _Queue:
    """Runs of one partition, each with its bytes; the first is taken up to `start`."""

    runs: deque[tuple[Run, int]] = dataclasses.field(default_factory=deque)
    start: int = 0

    @property
    def time(self) -> int:
        """That of the next record, in ms."""
        return self.runs[0][0].times[self.start]


class Heads:
    """Hands over what was fetched, so that no partition runs far ahead of the others in time.

    The partition whose next record is the oldest comes first, and its run ends where it would be
    more than `slack` ahead of the next record of another. Times are the log's.

    Parameters
    ----------
    slack
        In ms: more makes longer runs, and lets event time run further ahead.

    Examples
    --------
    >>> heads = Heads(10)
    >>> for partition, times in enumerate([[0, 5, 30], [2, 50]]):
    ...     n = len(times)
    ...     heads.put(Run("t", partition, [*range(n)], times, [None] * n, [b"{}"] * n))
    >>> [heads.take(100).times for _ in range(4)]
    [[0, 5], [2], [30], [50]]
    """

    def __init__(self, slack: int) -> None:
        self._slack = slack
        self._queues: dict[Place, _Queue] = {}
        self._counts: dict[str, int] = {}
        self._sizes: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(self._counts.values())

    def held(self, topic: str) -> tuple[int, int, int]:
        """Return of how many partitions of a topic, records and bytes of values wait here.

        The bytes are those of whole runs: counting them record by record would cost each one.
        """
        partitions = sum(place[0] == topic for place in self._queues)
        return partitions, self._counts.get(topic, 0), self._sizes.get(topic, 0)

    def put(self, run: Run) -> None:
        """Add a run behind those of its partition."""
        size = sum(len(value) for value in run.values if value)
        self._queues.setdefault(run.place, _Queue()).runs.append((run, size))
        self._count(run.topic, len(run), size)

    def take(self, limit: int) -> Run | None:
        """Return up to `limit` records of one partition; None where nothing waits."""
        if not self._queues:
            return None
        (_, place), *others = sorted((queue.time, place) for place, queue in self._queues.items())
        queue = self._queues[place]
        (run, size), start = queue.runs[0], queue.start
        end = min(start + limit, len(run))
        if others:
            bound = others[0][0] + self._slack
            late = (n for n in range(start + 1, end) if run.times[n] > bound)
            end = next(late, end)
        taken = run if end - start == len(run) else run[start:end]
        self._count(run.topic, start - end, -size if end == len(run) else 0)
        queue.start = end
        if end == len(run):
            queue.runs.popleft()
            queue.start = 0
            if not queue.runs:
                del self._queues[place]
        return taken

    def _count(self, topic: str, records: int, size: int) -> None:
        self._counts[topic] = self._counts.get(topic, 0) + records
        self._sizes[topic] = self._sizes.get(topic, 0) + size
