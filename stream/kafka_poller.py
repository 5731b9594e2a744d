"""The thread that owns a Kafka consumer and never stops polling."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, TypeVar

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import AuthorizationError, KafkaError, LogTruncationError, OffsetOutOfRangeError

from stream.confluent_fetcher import Fetcher
from stream.errors import LogError, OffsetsExpiredError
from stream.kafka_client import unreachable
from stream.kafka_pulse import Pulse
from stream.log import Bounds, Run
from stream.log_errors import expired, unreadable
from stream.orders import Orders
from stream.prefetch import Prefetch

T = TypeVar("T")

POLL_MS = 50
IDLE_MS = 20
CLOSE_MS = 4_000

_LOGGER = logging.getLogger(__name__)
# offset, timestamp, key and value of a ConsumerRecord
_COLUMNS = tuple(itemgetter(i) for i in (3, 4, 6, 7))
_VALUE_SIZE = itemgetter(11)


class Poller:
    """Polls a consumer into a buffer for as long as it lives.

    Partitions are paused from their assignment until `seek`, and while the buffer is full; the
    consumer is polled all the same, so that a slow caller is never taken for a dead one.

    Parameters
    ----------
    consumer
        The kafka-python consumer; nobody else may call it from here on.
    servers
        Broker addresses, for messages.
    topic
        The topic to read.
    prefetch
        Where the records go.
    on_assignment
        Called with the partitions now held, whenever they change, from a thread of the client.
    fetcher
        Fetches in place of the consumer, which then only takes part in the group.
    """

    def __init__(
        self,
        consumer: Any,
        network: Any,
        servers: str,
        topic: str,
        prefetch: Prefetch,
        on_assignment: Callable[[frozenset[int]], None],
        fetcher: Fetcher | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._consumer, self._servers, self._topic = consumer, servers, topic
        self._prefetch, self._on_assignment = prefetch, on_assignment
        wait: float = consumer.config["fetch_max_wait_ms"] / 1000
        self._pulse = Pulse(network, servers, wait)
        self.ends: dict[int, int] = {}
        """High watermark of each partition, as of the last fetch."""
        self.passed: dict[int, int] = {}
        """Offset up to which there was nothing more to hand over, markers included."""
        self._orders = Orders()
        self._live: set[TopicPartition] = set()
        self._grouped = consumer.config["group_id"] is not None
        self._polled = self._halted = self._closing = False
        self.throttled = False
        """Whether the buffer was full and has yet to become `low`."""
        if self._grouped:
            # Before anything asks for the topic's partitions: what the client knows of them
            # already it would take for news, and rebalance once more for nothing.
            consumer.subscribe([topic], listener=_Listener(self))
        self._thread = threading.Thread(target=self._run, name=f"poll-{topic}", daemon=True)
        self._thread.start()

    def call(self, action: Callable[[Any], T]) -> T:
        """Run an action on the consumer in its thread and return what it returns.

        Raises
        ------
        LogError
            Kafka refused, or gave no answer within 30 s.
        """
        if not self._thread.is_alive():
            raise LogError("wanted a log that is open, got one that is closed: make another")
        try:
            return self._orders.call(lambda: action(self._consumer))
        except TimeoutError as error:
            raise unreachable(self._servers) from error
        except KafkaError as error:
            raise LogError(
                f"wanted an answer from Kafka at {self._servers}, got {error}: "
                "is the broker well, and may this client ask?"
            ) from error

    def post(self, action: Callable[[Any], object], what: str) -> None:
        """Run an action on the consumer in its thread some time; log it if it fails."""

        def order() -> None:
            try:
                action(self._consumer)
            except KafkaError as error:
                _LOGGER.warning("%s failed: %s", what, error)

        self._orders.post(order)

    def wake(self) -> None:
        """Let the thread look again whether the buffer has room."""
        self._orders.post(lambda: None)

    def join(self, partitions: Iterable[int]) -> None:
        """Begin to take part: in the group, or without one with all these partitions."""

        def order(consumer: Any) -> None:
            self._polled = self._grouped or self._fetcher is not None
            if not self._grouped:
                consumer.assign([TopicPartition(self._topic, p) for p in partitions])
                self._reassigned(frozenset(partitions))

        self.call(order)

    def seek(self, positions: Mapping[int, int]) -> None:
        """Drop what was fetched and fetch from these offsets; other partitions stay paused.

        Positions of partitions that are not held any more are left out.
        """

        def order(consumer: Any) -> None:
            held = consumer.assignment()
            if self._fetcher is not None:
                numbers = {tp.partition for tp in held}
                self._fetcher.seek({p: at for p, at in positions.items() if p in numbers})
                return
            self._prefetch.clear()
            self.ends.clear()
            self.passed.clear()
            for partition, offset in positions.items():
                tp = TopicPartition(self._topic, partition)
                if tp in held:
                    consumer.seek(tp, offset)
                    consumer.resume(tp)
                    self._live.add(tp)
            self.throttled = self._halted = False

        self.call(order)

    def close(self) -> None:
        """Leave the group and end the thread, within 5 s."""
        self._closing = True
        self.wake()
        self._thread.join(CLOSE_MS / 1000 + 1)

    def _run(self) -> None:
        try:
            while not self._closing:
                fetching = self._regulate()
                # Only a group wants to be polled for its own sake.
                polling = fetching or self._polled
                self._orders.obey(0 if polling else IDLE_MS / 1000)
                if polling:
                    self._poll(fetching)
            self._orders.obey(0)
        finally:
            try:
                self._consumer.close(autocommit=False, timeout_ms=CLOSE_MS)
            except (KafkaError, RuntimeError) as error:
                _LOGGER.warning("leaving Kafka at %s failed: %s", self._servers, error)
            if self._fetcher is not None:
                self._fetcher.close()

    def _regulate(self) -> bool:
        """Pause what is read while the buffer is full; return whether anything is fetched."""
        if not self._live or self._halted:
            return False
        if not self.throttled and self._prefetch.full:
            self._consumer.pause(*self._live)
            self.throttled = True
        elif self.throttled and self._prefetch.low:
            self._consumer.resume(*self._live)
            self.throttled = False
        return not self.throttled

    def _poll(self, fetching: bool) -> None:
        """Fetch once into the buffer; what goes wrong for good is handed over as well."""
        try:
            # Never with a timeout of 0: the client forgets a join that ends between two polls,
            # and begins another (kafka-python 3.0.12); with nothing to fetch it sleeps, deaf to
            # orders.
            fetched = self._consumer.poll(timeout_ms=POLL_MS if fetching else IDLE_MS)
            for tp, records in fetched.items():
                columns = (list(map(column, records)) for column in _COLUMNS)
                run = Run(self._topic, tp.partition, *columns)
                self._prefetch.put(run, sum(map(_VALUE_SIZE, records)))
            if fetching:
                self._observe(bool(fetched))
                self._pulse.feel(heard=bool(fetched))
            elif self._fetcher is not None and self._fetcher.fetching:
                self._pulse.feel(heard=self._fetcher.heard())
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            self._halt(self._expired(error))
        except Exception as error:
            # Whatever the client raises must reach the caller: a thread that died would look
            # like a silent topic.
            if isinstance(error, KafkaError) and error.retriable:
                _LOGGER.info("Kafka at %s: %s; trying again", self._servers, error)
                self._pulse.feel(heard=False)
                time.sleep(IDLE_MS / 1000)
            else:
                refused = isinstance(error, AuthorizationError)
                self._halt(unreadable(self._topic, repr(error), refused))

    def _observe(self, heard: bool) -> None:
        """Note how far the partitions go."""
        caught_up = not heard and self._prefetch.empty
        for tp in tuple(self._live):
            end = self._consumer.highwater(tp)
            if end is not None:
                self.ends[tp.partition] = end
                if caught_up:
                    self.passed[tp.partition] = self._consumer.position(tp, timeout_ms=POLL_MS)

    def _halt(self, error: LogError) -> None:
        if self._fetcher is not None:
            self._fetcher.stop()
        self._consumer.pause(*self._live)
        self._halted = True
        self._prefetch.fail(error)

    def _expired(self, error: KafkaError) -> OffsetsExpiredError:
        if isinstance(error, LogTruncationError):
            return OffsetsExpiredError(
                f"wanted to go on reading {self._topic}, got a log that lost its end ({error}): "
                "restore the topic, or give the service another name to begin a model anew"
            )
        tp, offset = next(iter(error.args[0].items()))
        bounds = None
        with contextlib.suppress(KafkaError):
            first = self._consumer.beginning_offsets([tp], 5_000)[tp]
            bounds = Bounds(first, self._consumer.end_offsets([tp], 5_000)[tp])
        return expired(tp.topic, tp.partition, offset, bounds)

    def _reassigned(self, held: frozenset[int]) -> None:
        """Pause everything and put new partitions at 0, so that Kafka's position is not asked."""
        if self._fetcher is not None:
            self._fetcher.stop()
        known = {tp.partition for tp in self._live}
        for tp in self._consumer.assignment():
            self._consumer.pause(tp)
            if tp.partition not in known:
                self._consumer.seek(tp, 0)
        self._live.clear()
        self._on_assignment(held)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Tells the poller what it holds; called while its thread waits inside `poll` or `close`."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._held: frozenset[int] = frozenset()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._tell(self._held | {tp.partition for tp in assigned})

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._tell(self._held - {tp.partition for tp in revoked})

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._tell(self._held - {tp.partition for tp in lost})

    def _tell(self, held: frozenset[int]) -> None:
        if held != self._held:
            self._held = held
            self._poller._reassigned(held)
