"""The intake: what the loop takes records from, live or once more in an order already taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from stream.errors import JournalError
from stream.heads import Heads
from stream.idle import Idle
from stream.journal import Entry, Skip, Taken, Tick
from stream.log import Log, Place, Run
from stream.log_errors import missing_partition, told
from stream.manifest import Position
from stream.seam import Seam

LOOK = 0.02
AHEAD_RECORDS, AHEAD_BYTES = 50_000, 32 * 2**20
"""What may be fetched of a topic and wait, so that there is something of each partition."""
LONGEST = 5.0
"""Seconds to wait for records that a log tells of, while there are others to take."""

Came = Run | Tick | Skip


class Intake(Protocol):
    """Runs of records, ticks and what to pass over, in the order in which they are to be taken."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will ever come."""
        ...

    def poll(self, limit: int, timeout: float) -> Came | None:
        """Return up to `limit` records of one partition, waiting up to `timeout` seconds."""
        ...

    def commit(self, positions: Mapping[Place, int], receipt: str) -> None:
        """Tell the logs' groups how far they were taken."""
        ...

    def lag(self) -> int | None:
        """Return how many records are still to come, None if unknown."""
        ...

    def close(self) -> None:
        """Let go of what was opened for this."""
        ...


class Live:
    """The logs of one shard as one.

    Parameters
    ----------
    logs
        The topic's, and the one of late labels if they come in a topic of their own; acquired.
    idle
        Lets time go on where all logs were read to their ends; None: it stands still there.
    slack
        Ms that a partition may be taken ahead of the others while a backlog is caught up; see
        `Heads`. None, for one log only: records come as they were fetched.
    patient
        Whether to wait for records that a log tells of; not where it tells of others as well.
    """

    def __init__(
        self,
        logs: Sequence[Log],
        idle: Idle | None = None,
        slack: int | None = None,
        patient: bool = True,
    ) -> None:
        self._logs = list(logs)
        self._slack, self._patient = slack, patient
        self._waited = 0.0
        self._heads = Heads(slack or 0)
        self._seam = Seam({})
        self._partitions: dict[str, int] = {}
        self._idle = idle

    @property
    def ended(self) -> bool:
        """See `Intake`."""
        return all(log.ended for log in self._logs) and not self._heads

    def seek(self, positions: Iterable[Position]) -> None:
        """Go on from positions, each behind a record that must still be there as it was."""
        places = {p.place: p for p in positions}
        self._heads = Heads(self._slack or 0)
        self._seam = Seam(places)
        for log in self._logs:
            mine = [p for p in places.values() if p.topic == log.topic]
            self._partitions[log.topic] = len(mine)
            # Files are read to their end for their bounds, so only if somebody was there before.
            held = log.bounds() if any(p.record for p in mine) else {}
            firsts = {p.partition: held[p.partition].first if held else p.offset for p in mine}
            log.seek({p.partition: self._seam.start(p, firsts[p.partition]) for p in mine})

    def poll(self, limit: int, timeout: float) -> Came | None:
        """See `Intake`."""
        run = self._next(limit, timeout)
        if self._idle is None:
            return run
        if run:
            self._idle.wake()
            return run
        # A log that is silent and not at its end has records of the time that has passed.
        return self._idle.tick() if self.lag() == 0 else None

    def commit(self, positions: Mapping[Place, int], receipt: str) -> None:
        """See `Intake`."""
        for log in self._logs:
            mine = {n: offset for (topic, n), offset in positions.items() if topic == log.topic}
            log.commit(mine, receipt)

    def lag(self) -> int | None:
        """See `Intake`."""
        lags = [log.lag() for log in self._logs]
        known = [lag for lag in lags if lag is not None]
        return sum(known) + len(self._heads) if known == lags else None

    def close(self) -> None:
        """Nothing: the logs belong to who acquired them."""

    def _next(self, limit: int, timeout: float) -> Run | None:
        if self._slack is None:
            return self._seam.check(self._logs[0].poll(limit, timeout))
        self._fill(limit, 0.0)
        while timeout > 0 and (not self._heads or self._starved()):
            self._fill(limit, min(timeout, LOOK))
            timeout -= LOOK
            self._waited += LOOK
        return None if self._heads and self._starved() else self._heads.take(limit)

    def _fill(self, limit: int, timeout: float) -> None:
        """Fetch until there is something of each partition; wait for the first that lacks it."""
        for log in self._logs:
            while self._wants(log.topic):
                run = self._seam.check(log.poll(limit, timeout))
                timeout = 0.0
                if run is None:
                    break
                self._heads.put(run)
                self._waited = 0.0

    def _starved(self) -> bool:
        """Whether there are records to compare with that were not fetched, and soon will be."""
        if not self._patient or self._waited > LONGEST:
            return False
        return any(self._wants(log.topic) and log.lag() != 0 for log in self._logs)

    def _wants(self, topic: str) -> bool:
        """Whether there is a partition of which nothing was fetched, and room for it."""
        partitions, records, size = self._heads.held(topic)
        room = records < AHEAD_RECORDS and size < AHEAD_BYTES
        return room and partitions < self._partitions[topic]


class History:
    """Records of some topics once more, in the order that a journal's entries tell.

    What was taken at once comes at once, whatever the limit: a later owner can go on at the edge
    of what was journalled, and nowhere inside of it.

    Parameters
    ----------
    entries
        The order; what lies before the positions is left out.
    positions
        Where each partition stands.
    open_reader
        Returns a reader of a topic, in no group.

    Raises
    ------
    JournalError
        By `poll`: the log does not hold what was taken, or not all of it.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        positions: Iterable[Position],
        open_reader: Callable[[str], Log],
    ) -> None:
        self._positions = {p.place: p for p in positions}
        starts = {place: p.offset for place, p in self._positions.items()}
        self._entries = deque(left(entries, starts))
        self._open = open_reader
        self._readers: dict[Place, Log] = {}
        self._seam = Seam(self._positions)
        self._part: Run | None = None

    @property
    def ended(self) -> bool:
        """See `Intake`."""
        return not self._entries

    def poll(self, limit: int, timeout: float) -> Came | None:
        """See `Intake`."""
        if not self._entries:
            return None
        entry = self._entries[0]
        if not isinstance(entry, Taken):
            self._entries.popleft()
            return entry
        log = self._reader(entry)
        run = self._seam.check(log.poll(entry.records - len(self._part or ()), timeout))
        return self._whole(entry, run) if run else None

    def commit(self, positions: Mapping[Place, int], receipt: str) -> None:
        """Nothing: a group is told by the live intake."""

    def lag(self) -> int | None:
        """See `Intake`."""
        return sum(e.records for e in self._entries if isinstance(e, Taken)) - len(self._part or ())

    def close(self) -> None:
        """Close the readers."""
        for log in self._readers.values():
            log.close()
        self._readers.clear()

    def _reader(self, entry: Taken) -> Log:
        place = (entry.topic, entry.partition)
        log = self._readers.get(place)
        if log is None:
            log = self._readers[place] = self._open(entry.topic)
            log.acquire(0.0)
            bounds = log.bounds().get(entry.partition)
            if bounds is None:
                raise missing_partition(*place)
            if bounds.first > entry.first or bounds.end <= entry.last:
                raise JournalError(
                    f"wanted offsets {entry.first} to {entry.last} of {entry.topic}/"
                    f"{entry.partition}, as the journal has them, got a log that "
                    f"{told(bounds)}: the topic lost records or was "
                    "made anew; bring it back, or choose another name to begin a model anew"
                )
            known = self._positions.get(place, Position(*place, entry.first, ""))
            log.seek({entry.partition: self._seam.start(known, bounds.first)})
        return log

    def _whole(self, entry: Taken, run: Run) -> Run | None:
        """Add to what was read of an entry; return all of it, None while some is missing."""
        part = run if self._part is None else self._part + run
        last, missing = part.offsets[-1], entry.records - len(part)
        if last > entry.last or (last == entry.last) == (missing > 0):
            raise JournalError(
                f"wanted {entry.records} records up to offset {entry.last} of {entry.topic}/"
                f"{entry.partition}, as the journal has them, got one at {last}: records between "
                "were removed from the topic; rebuild the model with `alluvia replay --log`"
            )
        if missing:
            self._part = part
            return None
        self._entries.popleft()
        self._part = None
        return part


def left(entries: Iterable[Entry], positions: Mapping[Place, int]) -> list[Entry]:
    """Return the entries that lie behind the positions, what is to be passed over first.

    Raises
    ------
    JournalError
        A position lies inside an entry: these are not the positions of this journal.
    """
    found: list[Entry] = []
    skips: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Skip):
            skips.append(entry)
            continue
        if isinstance(entry, Taken):
            start = positions.get((entry.topic, entry.partition), 0)
            if entry.last < start:
                continue
            if entry.first < start:
                raise JournalError(
                    f"wanted {entry.topic}/{entry.partition} at the edge of what the journal has "
                    f"as taken at once, {entry.first} to {entry.last}, got it at {start}: bring "
                    "journal and checkpoints back from the same copy"
                )
        found.append(entry)
    return skips + found
