"""The log on Kafka, read by a process of its own: what parsing costs is paid on another core."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from stream.confluent_options import KAFKA_PYTHON, Client
from stream.errors import LogError, PartitionsRevokedError
from stream.log import Bounds, Run
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
    News,
    Open,
    Question,
    Refusal,
    Reply,
    Taken,
    error_of,
    news,
    pack,
    receive,
)
from stream.prefetch import Prefetch

BEAT_SECONDS = 1.0
SILENCE_SECONDS = 45.0
SEND_SECONDS = 5
REPLY_SECONDS = 60.0
CLOSE_SECONDS = 5.0

# -P: no module is taken from the working directory. A user may well have a `kafka.py` there.
_COMMAND = [sys.executable, "-P", "-m", "stream.log_worker"]


class ProcessLog:
    """One consumer of one topic on Kafka, in a process of its own that fetches ahead.

    The process ends with this one, however this one ends. While this one stands still, the other
    keeps the partitions for a time, and then leaves them to the rest of the group.

    Parameters
    ----------
    servers, topic, group, options
        As for `stream.log_kafka.KafkaLog`; options are text, numbers, lists and tables.
    silence
        Seconds this process may stand still before its partitions are given up.
    shared, client
        As for `KafkaLog`.

    Raises
    ------
    LogError
        No broker answers within 8 s, or an option is wrong.
    """

    ended = False

    def __init__(
        self,
        servers: str,
        topic: str,
        group: str | None,
        options: Mapping[str, Any] | None = None,
        silence: float = SILENCE_SECONDS,
        shared: bool = False,
        client: Client = KAFKA_PYTHON,
    ) -> None:
        self.topic = topic
        level = logging.getLogger().getEffectiveLevel()
        asked = dict(options or {})
        first = _packed(Open(servers, topic, group, asked, silence, level, shared, client))
        self._prefetch = Prefetch(AHEAD_RECORDS, AHEAD_RECORDS, AHEAD_BYTES)
        self._answers: queue.SimpleQueue[Reply | Refusal | None] = queue.SimpleQueue()
        self._sending = threading.Lock()
        self._closed = False
        self._ended: LogError | None = None
        self._asked = self._taken = self._acknowledged = 0
        self._next: dict[int, int] = {}
        self._end, self._process = _start()
        self._reader = threading.Thread(target=self._read, name=f"read-{topic}", daemon=True)
        self._reader.start()
        try:
            self._send(first)
            self._ask("connect")
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Number of the process that reads."""
        return self._process.pid

    def bounds(self) -> dict[int, Bounds]:
        """Return the bounds of every partition of the topic."""
        return msgspec.convert(self._ask("bounds"), dict[int, Bounds])

    def offsets_at(self, time: int) -> dict[int, int]:
        """Return each partition's first offset at or after a time in ms; its end if none is."""
        return msgspec.convert(self._ask("offsets_at", time), dict[int, int])

    def committed(self) -> dict[int, tuple[int, str]]:
        """Return the group's committed offset and its metadata for each partition that has one."""
        return msgspec.convert(self._ask("committed"), dict[int, tuple[int, str]])

    def acquire(self, timeout: float) -> frozenset[int] | None:
        """Join the group and return the partitions assigned to this consumer, paused."""
        held = self._ask("acquire", timeout, patience=timeout)
        if held is None:
            return None
        self._next = {}
        return frozenset(held)

    def seek(self, positions: Mapping[int, int]) -> None:
        """Go on from these offsets; whatever was fetched before is thrown away."""
        # Partitions that are not named go on where the caller stands, not where the fetch does.
        positions = self._next | dict(positions)
        self._ask("seek", positions)
        self._next = positions
        self._taken = self._acknowledged = 0

    def poll(self, limit: int, timeout: float) -> Run | None:
        """Return up to `limit` records, waiting up to `timeout` seconds for the first."""
        run = self._prefetch.take(limit, timeout)
        if run is not None:
            self._next[run.partition] = run.offsets[-1] + 1
            self._taken += len(run)
            if self._prefetch.empty or self._taken - self._acknowledged >= CHUNK // 2:
                self._acknowledged = self._taken
                self._send(pack(Taken(self._taken)))
        return run

    def commit(self, positions: Mapping[int, int], metadata: str) -> None:
        """Tell the group how far it got; a failure is logged, never raised."""
        self._send(pack(Commit(dict(positions), metadata)))

    def lag(self) -> int | None:
        """Return how many records lie between the last one polled and the end, None if unknown."""
        lag, fetched = self._ask("lag")
        if lag is None:
            return None
        ahead: int = lag + sum(fetched[p] - offset for p, offset in self._next.items())
        return ahead

    def close(self) -> None:
        """Leave the group, end the process and let go of everything, within 5 s."""
        with self._sending:
            if not self._closed:
                self._closed = True
                with contextlib.suppress(OSError):
                    self._end.shutdown(socket.SHUT_WR)
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._end.close()

    def _ask(self, question: Question, *arguments: Any, patience: float = 0.0) -> Any:
        self._asked += 1
        self._send(pack(Ask(self._asked, question, arguments)))
        while True:
            try:
                answer = self._answers.get(timeout=patience + REPLY_SECONDS)
            except queue.Empty:
                raise LogError(
                    f"wanted an answer from the process that reads {self.topic}, got none for "
                    f"{REPLY_SECONDS:.0f} s: start again; the last checkpoint holds"
                ) from None
            if answer is None:
                self._answers.put(None)
                assert self._ended is not None
                raise self._ended
            if answer.number == self._asked:
                if isinstance(answer, Refusal):
                    raise error_of(answer)
                return answer.value

    def _send(self, data: bytearray) -> None:
        with self._sending:
            if self._closed:
                return
            try:
                self._end.sendall(data)
            except OSError:
                # Gone, or deaf: half a frame may be under way, so nothing more can be said.
                self._process.kill()

    def _read(self) -> None:
        """Receive until the process ends, and show it that this one lives."""
        beaten = time.monotonic()
        while True:
            ready, _, _ = select.select([self._end], [], [], BEAT_SECONDS)
            if ready:
                data = receive(self._end)
                if data is None:
                    break
                self._hear(news.decode(data), len(data))
            now = time.monotonic()
            if now - beaten >= BEAT_SECONDS:
                beaten = now
                self._send(pack(Beat()))
        self._ended = self._reason()
        self._prefetch.interrupt(self._ended)
        self._answers.put(None)

    def _hear(self, frame: News, size: int) -> None:
        match frame:
            case Fetched(partition, offsets, times, keys, values):
                run = Run(self.topic, partition, offsets, times, keys, values)
                self._prefetch.put(run, size)
            case Reply():
                # Here, in the order of the frames: what came before the answer to a seek is of
                # before it, and what a group takes away after an answer must not be forgotten.
                if frame.question == "seek":
                    self._prefetch.clear()
                elif frame.question == "acquire" and frame.value is not None:
                    self._prefetch.proceed()
                self._answers.put(frame)
            case Refusal():
                self._answers.put(frame)
            case Failure():
                error = error_of(frame)
                if isinstance(error, PartitionsRevokedError):
                    self._prefetch.interrupt(error)
                else:
                    self._prefetch.fail(error)
            case Logged(name, level, text):
                logging.getLogger(name).log(level, "%s", text)

    def _reason(self) -> LogError:
        """Return why nothing more comes."""
        if self._closed:
            return LogError("wanted a log that is open, got one that is closed: make another")
        code = self._process.wait()
        return LogError(
            f"wanted the process that reads {self.topic} to live on, got its end with code {code}: "
            "start again; the last checkpoint holds"
        )


def _packed(first: Open) -> bytearray:
    try:
        return pack(first)
    except TypeError as error:
        raise LogError(
            f"wanted Kafka options of text, numbers, lists and tables, got others ({error}): "
            "leave them out"
        ) from error


def _start() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start the process and return it with this side of the socket that is its input."""
    # It must find the modules this one found, wherever they are.
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    mine, theirs = socket.socketpair()
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
    with theirs:
        process = subprocess.Popen(
            _COMMAND,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
            process_group=0,
        )
    return mine, process
