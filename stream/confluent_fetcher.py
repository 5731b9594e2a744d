"""Records of a topic on Kafka as librdkafka fetches them, at an eighth of kafka-python's cost."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stream.confluent_options import translated
from stream.errors import LogError, OffsetsExpiredError
from stream.kafka_client import unreachable
from stream.log import Bounds, Run
from stream.log_errors import expired, unreadable
from stream.orders import Orders
from stream.prefetch import Prefetch

BATCH = 1_000
POLL_SECONDS = 0.05
IDLE_SECONDS = 0.02
REQUEST_SECONDS = 5.0
CLOSE_SECONDS = 5.0

FIXED: dict[str, Any] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "allow.auto.create.topics": False,
    "auto.offset.reset": "error",
    # Tells how far a partition was read where its last offsets hold no record.
    "enable.partition.eof": True,
    # How much is fetched ahead here, before the buffer.
    "queued.min.messages": 20_000,
    "queued.max.messages.kbytes": 16 * 1024,
    # Of its own accord it looks only once a second whether there is room again.
    "fetch.queue.backoff.ms": 5,
    "socket.nagle.disable": True,
    # What goes wrong is told below, in the words of this log.
    "log_level": 2,
}
# What passes by itself. Anything else ends the reading: librdkafka goes on behind a batch that it
# could not read.
_PASSING = (
    "_ALL_BROKERS_DOWN _AUTHENTICATION _RESOLVE _SSL _TIMED_OUT _TRANSPORT _UNKNOWN_PARTITION "
    "_UNKNOWN_TOPIC _WAIT_COORD BROKER_NOT_AVAILABLE COORDINATOR_LOAD_IN_PROGRESS "
    "COORDINATOR_NOT_AVAILABLE FENCED_LEADER_EPOCH GROUP_AUTHORIZATION_FAILED KAFKA_STORAGE_ERROR "
    "LEADER_NOT_AVAILABLE NETWORK_EXCEPTION NOT_COORDINATOR NOT_LEADER_FOR_PARTITION "
    "OFFSET_NOT_AVAILABLE REPLICA_NOT_AVAILABLE REQUEST_TIMED_OUT UNKNOWN_LEADER_EPOCH "
    "UNKNOWN_TOPIC_ID UNKNOWN_TOPIC_OR_PART"
).split()

_LOGGER = logging.getLogger(__name__)


class Fetcher:
    """Fetches partitions into a buffer, in a thread of its own, with a consumer in no group.

    Whose the partitions are is for others to say. While the buffer is full nothing more is taken
    from librdkafka, which then holds 16 MB at most.

    Parameters
    ----------
    servers
        Broker addresses, `host:port` separated by commas.
    topic
        The topic to read.
    group
        A group that the user may describe. librdkafka wants one and asks who coordinates it; it
        neither joins it nor commits anything there.
    options
        kafka-python's client options, by name, defaults among them.
    prefetch
        Where the records go.
    chunk
        Records to take at once.

    Raises
    ------
    LogError
        An option has a value that librdkafka does not take.
    """

    def __init__(
        self,
        servers: str,
        topic: str,
        group: str,
        options: Mapping[str, Any],
        prefetch: Prefetch,
        chunk: int,
    ) -> None:
        self._servers, self._topic, self._prefetch = servers, topic, prefetch
        self._batch = min(chunk, BATCH)
        # An extra, which may not be there.
        self._confluent = importlib.import_module("confluent_kafka")
        self._consumer = self._made(group, options)
        errors = self._confluent.KafkaError
        self._passing = {getattr(errors, name) for name in _PASSING}
        self.ends: dict[int, int] = {}
        """High watermark of each partition from which something was heard since `seek`."""
        self.passed: dict[int, int] = {}
        """Offset up to which there was nothing more to hand over, markers included."""
        self.throttled = False
        """Whether the buffer was full and has yet to become `low`."""
        self._next: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._orders = Orders()
        self._news = self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"fetch-{topic}", daemon=True)
        self._thread.start()

    @property
    def fetching(self) -> bool:
        """Whether records are asked for."""
        return bool(self._next) and not self.throttled

    def heard(self) -> bool:
        """Return whether anything was heard of the broker since this was asked last."""
        news, self._news = self._news, False
        return news

    def seek(self, positions: Mapping[int, int]) -> None:
        """Drop what was fetched and fetch these partitions from these offsets, and no others."""
        try:
            self._orders.call(lambda: self._seek(positions))
        except TimeoutError as error:
            raise unreachable(self._servers) from error

    def stop(self) -> None:
        """Drop what was fetched, and fetch nothing until `seek`."""
        if self._next:
            self.seek({})

    def wake(self) -> None:
        """Let the thread look again whether the buffer has room."""
        self._orders.post(lambda: None)

    def close(self) -> None:
        """End the thread and let go of what it holds."""
        self._closing = True
        self.wake()
        self._thread.join(CLOSE_SECONDS)

    def _made(self, group: str, options: Mapping[str, Any]) -> Any:
        mine = {"bootstrap.servers": self._servers, "group.id": group, "error_cb": self._tell}
        try:
            return self._confluent.Consumer(translated(options) | FIXED | mine)
        except (self._confluent.KafkaException, TypeError, ValueError) as error:
            raise LogError(
                f"wanted to read {self._topic} with confluent-kafka, got {error}: "
                'check [log.options], or set [log] client = "kafka-python"'
            ) from error

    def _run(self) -> None:
        # Asked for a topic that it does not know yet, librdkafka may wait a second.
        with contextlib.suppress(self._confluent.KafkaException):
            self._consumer.list_topics(self._topic, REQUEST_SECONDS)
        while not self._closing:
            fetching = self._regulate()
            self._orders.obey(0 if fetching else IDLE_SECONDS)
            if fetching:
                self._fetch()
        self._orders.obey(0)
        self._consumer.close()

    def _regulate(self) -> bool:
        """Take nothing while the buffer is full; return whether anything is to be fetched."""
        if self._prefetch.full:
            self.throttled = True
        elif self._prefetch.low:
            self.throttled = False
        return self.fetching

    def _seek(self, positions: Mapping[int, int]) -> None:
        self._prefetch.clear()
        for known in (self.ends, self.passed, self._last):
            known.clear()
        places = (self._place(partition, offset) for partition, offset in positions.items())
        self._consumer.assign(list(places))
        self._next = dict(positions)
        self.throttled = False

    def _place(self, partition: int, offset: int = -1) -> Any:
        return self._confluent.TopicPartition(self._topic, partition, offset)

    def _fetch(self) -> None:
        """Take what is there; what goes wrong for good is handed over as well."""
        try:
            # It would wait until it has as many as it may take.
            messages = self._consumer.consume(1, POLL_SECONDS)
            if messages:
                messages += self._consumer.consume(self._batch - 1, 0)
            self._take(messages)
            self._observe()
        except Exception as error:
            # A thread that died would look like a silent topic.
            self._halt(unreadable(self._topic, repr(error), refused=False))

    def _take(self, messages: list[Any]) -> None:
        """Put records into the buffer up to an error that ends the reading."""
        self._news |= bool(messages)
        kind = self._confluent.Message
        errors = list(map(kind.error, messages))
        begun = 0
        if any(errors):
            for at, error in enumerate(errors):
                if error is not None:
                    self._put(messages[begun:at])
                    begun = at + 1
                    if self._ends(messages[at], error):
                        return
        self._put(messages[begun:])

    def _put(self, messages: Sequence[Any]) -> None:
        kind = self._confluent.Message
        for partition, records in self._parts(messages):
            offsets = list(map(kind.offset, records))
            times = [time for _, time in map(kind.timestamp, records)]
            keys, values = list(map(kind.key, records)), list(map(kind.value, records))
            self._prefetch.put(
                Run(self._topic, partition, offsets, times, keys, values), sum(map(len, records))
            )
            self._next[partition] = offsets[-1] + 1
            self._mark(partition)

    def _parts(self, messages: Sequence[Any]) -> Iterator[tuple[int, list[Any]]]:
        """Yield messages by their partition."""
        by: Any = self._confluent.Message.partition
        if messages and len(self._next) == 1:
            yield by(messages[0]), list(messages)
            return
        for partition, records in itertools.groupby(messages, by):
            yield partition, list(records)

    def _mark(self, partition: int) -> None:
        """Note how far a partition goes, of which something was heard just now."""
        _, self.ends[partition] = self._consumer.get_watermark_offsets(
            self._place(partition), cached=True
        )

    def _observe(self) -> None:
        for partition in self.ends:
            self._mark(partition)
        # What was read to its end may still wait to be taken.
        if self._prefetch.empty:
            self.passed.update(self._last)

    def _ends(self, message: Any, error: Any) -> bool:
        """Take note of an error; return whether it ends the reading."""
        errors = self._confluent.KafkaError
        code = error.code()
        if code == errors._PARTITION_EOF:
            self._last[message.partition()] = message.offset()
            self._mark(message.partition())
        elif code in self._passing:
            self._tell(error)
        elif code == errors._AUTO_OFFSET_RESET:
            self._halt(self._expired(message.partition(), message.offset()))
        else:
            refused = code == errors.TOPIC_AUTHORIZATION_FAILED
            self._halt(unreadable(self._topic, str(error), refused))
        return not self._next

    def _expired(self, partition: int, offset: int) -> OffsetsExpiredError:
        bounds = None
        with contextlib.suppress(self._confluent.KafkaException):
            bounds = Bounds(
                *self._consumer.get_watermark_offsets(self._place(partition), REQUEST_SECONDS)
            )
        return expired(self._topic, partition, offset, bounds)

    def _halt(self, error: LogError) -> None:
        self._consumer.assign([])
        self._next = {}
        self._prefetch.fail(error)

    def _tell(self, error: Any) -> None:
        _LOGGER.info("Kafka at %s: %s; trying again", self._servers, error)
