"""The process that reads Kafka for another one: fetches ahead, and never outlives its owner.

Started by `stream.log_process` as `python -m stream.log_worker`, with a socket as standard input.
"""

from __future__ import annotations

import collections
import gc
import logging
import os
import queue
import signal
import socket
import threading
import time
from typing import Any

from stream.errors import LogError, PartitionsRevokedError
from stream.log_frames import (
    AHEAD_BYTES,
    AHEAD_RECORDS,
    CHUNK,
    Ask,
    Beat,
    Commit,
    Failure,
    Fetched,
    Logged,
    Open,
    Order,
    Refusal,
    Reply,
    Taken,
    opening,
    orders,
    pack,
    receive,
)
from stream.log_kafka import KafkaLog
from stream.tuning import tuned

# An order that comes while records are awaited waits this long.
TICK = 0.02
IDLE = 0.2
LEAVE_SECONDS = 5.0

_LOGGER = logging.getLogger(__name__)


class Worker:
    """Runs a `KafkaLog` as its owner says.

    A thread reads orders and another writes, so that an owner who has stopped is noticed.

    Parameters
    ----------
    end
        This side of the socket.
    asked
        What to consume.
    """

    def __init__(self, end: socket.socket, asked: Open) -> None:
        self._end, self._asked = end, asked
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[bytearray | None] = queue.SimpleQueue()
        self._log: KafkaLog | None = None
        self._positions: dict[int, int] = {}
        self._flowing = False
        self._told: LogError | None = None
        self._sent = self._taken = self._bytes = 0
        self._ahead: collections.deque[tuple[int, int]] = collections.deque()
        self._heard = time.monotonic()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()
        threading.Thread(target=self._read, daemon=True).start()

    def run(self) -> None:
        """Serve until the owner is gone, and leave the group."""
        try:
            while self._obey():
                if self._silent():
                    self._abandon()
                elif self._pushing():
                    self._push()
                elif not self._flowing:
                    self._tell_interruption()
        finally:
            self._close()

    def finish(self) -> None:
        """Give the owner a moment to hear what was said last."""
        self._outbox.put(None)
        self._writer.join(1)

    def emit(self, line: Logged) -> None:
        """Have a line logged by the owner."""
        self._outbox.put(pack(line))

    def _obey(self) -> bool:
        """Carry out the orders given; return whether there is still somebody to give them."""
        try:
            order = self._orders.get(timeout=0 if self._pushing() else IDLE)
            while order is not None:
                self._carry_out(order)
                order = self._orders.get_nowait()
        except queue.Empty:
            return True
        return False

    def _carry_out(self, order: Order) -> None:
        match order:
            case Ask():
                self._answer(order)
            case Commit(positions, metadata):
                if self._log is None:
                    _LOGGER.warning("commit of offsets failed: the partitions were given up")
                else:
                    self._log.commit(positions, metadata)
            case Taken(records):
                self._taken = records
                while self._ahead and self._ahead[0][0] <= records:
                    self._bytes -= self._ahead.popleft()[1]
            case Beat():
                pass

    def _answer(self, ask: Ask) -> None:
        try:
            value = self._value(ask)
        except LogError as error:
            self._outbox.put(pack(Refusal(ask.number, type(error).__name__, str(error))))
        else:
            self._outbox.put(pack(Reply(ask.number, ask.question, value)))

    def _value(self, ask: Ask) -> Any:
        if self._log is None:
            asked = self._asked
            self._log = KafkaLog(
                asked.servers, asked.topic, asked.group, asked.options, asked.shared, asked.client
            )
        match ask.question:
            case "connect":
                return None
            case "seek":
                self._log.seek(ask.arguments[0])
                self._positions = ask.arguments[0]
                self._flowing = True
                self._sent = self._taken = self._bytes = 0
                self._ahead.clear()
                return None
            case "lag":
                return self._log.lag(), self._positions
            case question:
                return getattr(self._log, question)(*ask.arguments)

    def _pushing(self) -> bool:
        room = self._sent - self._taken <= AHEAD_RECORDS and self._bytes < AHEAD_BYTES
        return self._flowing and room

    def _push(self) -> None:
        """Fetch a run and send it ahead."""
        assert self._log is not None
        try:
            run = self._log.poll(CHUNK, TICK)
        except LogError as error:
            self._fail(error)
            return
        if run is not None:
            data = pack(Fetched(run.partition, run.offsets, run.times, run.keys, run.values))
            self._outbox.put(data)
            self._positions[run.partition] = run.offsets[-1] + 1
            self._sent += len(run)
            self._bytes += len(data)
            self._ahead.append((self._sent, len(data)))
            gc.collect(1)

    def _tell_interruption(self) -> None:
        """Tell that partitions are gone, though nobody asked for a record of theirs yet."""
        error = None if self._log is None else self._log.interruption
        if error is not None and error is not self._told:
            self._fail(error)

    def _fail(self, error: LogError) -> None:
        self._told = error
        self._flowing = False
        self._outbox.put(pack(Failure(type(error).__name__, str(error))))

    def _silent(self) -> bool:
        """Return whether the owner has shown no life for so long that others must take over."""
        if self._log is None or self._asked.group is None:
            return False
        return time.monotonic() - self._heard > self._asked.silence

    def _abandon(self) -> None:
        """Leave the group; the next call joins it anew."""
        self._close()
        self._fail(
            PartitionsRevokedError(
                f"wanted to go on with {self._asked.topic}, got a process that stood still for "
                f"more than {self._asked.silence:g} s, so that its partitions were given up: "
                "save, and acquire again"
            )
        )

    def _close(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def _read(self) -> None:
        while (data := receive(self._end)) is not None:
            self._heard = time.monotonic()
            self._orders.put(orders.decode(data))
        self._orders.put(None)
        # Who waits for Kafka meanwhile must not keep a process without an owner alive.
        time.sleep(LEAVE_SECONDS)
        os._exit(1)

    def _write(self) -> None:
        try:
            while (data := self._outbox.get()) is not None:
                self._end.sendall(data)
        except ConnectionError:
            return  # the owner is gone, which `_read` tells


class _Relay(logging.Handler):
    """Has the owner log what is logged here."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def emit(self, record: logging.LogRecord) -> None:
        self._worker.emit(Logged(record.name, record.levelno, self.format(record)))


def main() -> None:
    """Serve the owner at the other end of standard input."""
    # A terminal's interrupt reaches every process; the owner decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as end:
        first = receive(end)
        if first is None:
            return
        asked = opening.decode(first)
        worker = Worker(end, asked)
        logging.basicConfig(level=asked.level, format="%(message)s", handlers=[_Relay(worker)])
        logging.captureWarnings(True)
        try:
            with tuned():
                worker.run()
        except Exception:
            _LOGGER.exception("reading %s ended", asked.topic)
            raise
        finally:
            worker.finish()


if __name__ == "__main__":
    main()
