"""The log on Kafka: a consumer that polls in a thread of its own, and a producer."""

from __future__ import annotations

import collections
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import (
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError

from stream.assignor import OneOwner
from stream.confluent_fetcher import Fetcher
from stream.confluent_options import CONFLUENT, KAFKA_PYTHON, Client
from stream.errors import LogError, PartitionsRevokedError
from stream.kafka_client import connect
from stream.kafka_poller import Poller
from stream.kafka_topics import MAX_RECORD_BYTES, create_topic
from stream.log import Bounds, Message, Run
from stream.log_errors import missing_topic, nothing_in
from stream.prefetch import Prefetch

POLL_RECORDS = 5_000
PREFETCH_BYTES = 32 * 1024 * 1024
REQUEST_MS = 8_000
IN_FLIGHT_RECORDS = 20_000
IN_FLIGHT_BYTES = 32 * 1024 * 1024

CONSUMER_DEFAULTS: dict[str, Any] = {
    "max_poll_records": POLL_RECORDS,
    # What a transaction took back never happened: a model must not learn it.
    "isolation_level": "read_committed",
    # librdkafka would leave it out.
    "check_crcs": True,
    "max_partition_fetch_bytes": 4 * 1024 * 1024,
    # A seek takes hold when the fetch under way returns, so it must not wait long for records.
    "fetch_max_wait_ms": 100,
    "metadata_max_age_ms": 60_000,
    "reconnect_backoff_max_ms": 1_000,
}
CONSUMER_FIXED: dict[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "allow_auto_create_topics": False,
}
PRODUCER_DEFAULTS: dict[str, Any] = {
    "linger_ms": 5,
    "batch_size": 256 * 1024,
    "max_request_size": MAX_RECORD_BYTES,
    "max_block_ms": REQUEST_MS,
    "request_timeout_ms": 10_000,
    "delivery_timeout_ms": 30_000,
    "reconnect_backoff_max_ms": 1_000,
}
PRODUCER_FIXED: dict[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,
    "allow_auto_create_topics": False,
}


class KafkaLog:
    """One consumer of one topic on Kafka.

    Parameters
    ----------
    servers
        Broker addresses, `host:port` separated by commas.
    topic
        The topic to read.
    group
        The consumer group that shares out the partitions; None to read all of them, in no group.
    options
        kafka-python's client options, by name: `security_protocol`, `group_instance_id`, ...
    shared
        Whether the members of the group share the partitions; else one of them holds all.
    client
        What fetches the records. kafka-python takes part in the group in either case, so that
        who holds what, and how far it was taken, is said in one place.
    describes
        Without a group, one that the user may describe: librdkafka asks for it.

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
        shared: bool = False,
        client: Client = KAFKA_PYTHON,
        describes: str = "alluvia",
    ) -> None:
        self.topic = topic
        self._group = group
        assignor = CooperativeStickyAssignor if shared else OneOwner
        fixed = CONSUMER_FIXED | {
            "group_id": group,
            "partition_assignment_strategy": [assignor],
        }
        consumer, network = connect(KafkaConsumer, servers, options or {}, CONSUMER_DEFAULTS, fixed)
        chunk = consumer.config["max_poll_records"]
        self._prefetch = Prefetch(chunk, 2 * chunk, PREFETCH_BYTES)
        self._changed = threading.Condition()
        self._assigned: frozenset[int] = frozenset()
        self._joined = self._held = False
        self._next: dict[int, int] = {}
        fetcher = None
        if client == CONFLUENT:
            known = CONSUMER_DEFAULTS | dict(options or {})
            try:
                fetcher = Fetcher(servers, topic, group or describes, known, self._prefetch, chunk)
            except LogError:
                consumer.close()
                raise
        self._poller = Poller(
            consumer, network, servers, topic, self._prefetch, self._on_assignment, fetcher
        )
        self._fetching = self._poller if fetcher is None else fetcher

    @property
    def interruption(self) -> LogError | None:
        """What `poll` would raise at once; None while the partitions are held."""
        return self._prefetch.interruption

    def bounds(self) -> dict[int, Bounds]:
        """Return the bounds of every partition of the topic."""
        parts = self._partitions()
        firsts = self._poller.call(lambda c: c.beginning_offsets(parts, REQUEST_MS))
        ends = self._poller.call(lambda c: c.end_offsets(parts, REQUEST_MS))
        return {tp.partition: Bounds(firsts[tp], ends[tp]) for tp in parts}

    def offsets_at(self, time: int) -> dict[int, int]:
        """Return each partition's first offset at or after a time in ms; its end if none is."""
        times = {tp: max(time, 0) for tp in self._partitions()}
        found = self._poller.call(lambda c: c.offsets_for_times(dict(times), REQUEST_MS))
        ends = self._poller.call(lambda c: c.end_offsets(list(times), REQUEST_MS))
        return {tp.partition: found[tp].offset if found.get(tp) else ends[tp] for tp in times}

    def committed(self) -> dict[int, tuple[int, str]]:
        """Return the group's committed offset and its metadata for each partition that has one."""
        if self._group is None:
            return {}
        parts = self._partitions()
        found = self._poller.call(
            lambda c: {tp.partition: c.committed(tp, metadata=True) for tp in parts}
        )
        return {p: (at.offset, at.metadata) for p, at in found.items() if at is not None}

    def acquire(self, timeout: float) -> frozenset[int] | None:
        """Join the group and return the partitions assigned to this consumer, paused."""
        if not self._joined:
            self._poller.join([tp.partition for tp in self._partitions()])
            self._joined = True
        with self._changed:
            if not self._changed.wait_for(lambda: self._assigned, timeout):
                self._prefetch.check()
                return None
            self._held = True
            self._next = {}
            self._prefetch.proceed()
            return self._assigned

    def seek(self, positions: Mapping[int, int]) -> None:
        """Go on from these offsets; whatever was fetched before is thrown away."""
        # Partitions that are not named go on where the caller stands, not where the fetch does.
        positions = self._next | dict(positions)
        self._poller.seek(positions)
        self._next = positions

    def poll(self, limit: int, timeout: float) -> Run | None:
        """Return up to `limit` records, waiting up to `timeout` seconds for the first."""
        run = self._prefetch.take(limit, timeout)
        if run is not None:
            self._next[run.partition] = run.offsets[-1] + 1
            if self._fetching.throttled and self._prefetch.low:
                self._fetching.wake()
        return run

    def commit(self, positions: Mapping[int, int], metadata: str) -> None:
        """Tell the group how far it got; a failure is logged, never raised."""
        if self._group is None:
            return
        offsets = {
            TopicPartition(self.topic, partition): OffsetAndMetadata(offset, metadata, -1)
            for partition, offset in positions.items()
        }
        self._poller.post(lambda c: c.commit(offsets, timeout_ms=5_000), "commit of offsets")

    def lag(self) -> int | None:
        """Return how many records lie between the last one polled and the end, None if unknown."""
        ends, passed, total = self._fetching.ends, self._fetching.passed, 0
        for partition, position in self._next.items():
            if partition not in ends:
                return None
            total += max(0, ends[partition] - max(position, passed.get(partition, 0)))
        return total if self._next else None

    def close(self) -> None:
        """Leave the group and let go of everything."""
        self._poller.close()

    def _partitions(self) -> list[TopicPartition]:
        found = self._poller.call(lambda c: c.partitions_for_topic(self.topic))
        if not found:
            raise missing_topic(self.topic)
        return [TopicPartition(self.topic, partition) for partition in sorted(found)]

    def _on_assignment(self, held: frozenset[int]) -> None:
        with self._changed:
            self._assigned = held
            if self._held:
                self._held = False
                self._prefetch.interrupt(
                    PartitionsRevokedError(
                        f"wanted to go on with {self.topic}, got another share of its partitions "
                        "from the group: save, and acquire again"
                    )
                )
            self._changed.notify_all()


class KafkaAppender:
    """The producing side of a topic on Kafka: idempotent, acknowledged by all replicas.

    Parameters
    ----------
    servers, topic, options
        As for `KafkaLog`.

    Raises
    ------
    LogError
        No broker answers within 8 s, or an option is wrong.
    """

    def __init__(self, servers: str, topic: str, options: Mapping[str, Any] | None = None) -> None:
        self.topic = topic
        self._servers, self._options = servers, options or {}
        self._checked = False
        self._producer, _ = connect(
            KafkaProducer, servers, self._options, PRODUCER_DEFAULTS, PRODUCER_FIXED
        )

    def create(self, partitions: int) -> bool:
        """Make the topic if it is missing, for records up to 8 MB; return whether it was made."""
        return create_topic(self._servers, self.topic, partitions, self._options)

    def append(self, messages: Iterable[Message]) -> int:
        """Append in order, keys choosing the partition as in Kafka; return how many are stored.

        Raises
        ------
        LogError
            The topic is missing, or a record was refused or not acknowledged in time.
        """
        if not self._checked:
            self._check()
        count = size = 0
        flying: collections.deque[tuple[Any, int]] = collections.deque()
        try:
            for key, value, moment, headers in messages:
                if key is None and value is None:
                    raise nothing_in(self.topic)
                future = self._producer.send(
                    self.topic, value, key, list(headers), timestamp_ms=moment
                )
                weight = len(value) if value is not None else 0
                flying.append((future, weight))
                size += weight
                while len(flying) > IN_FLIGHT_RECORDS or size > IN_FLIGHT_BYTES:
                    size -= _settle(flying)
                    count += 1
            self._producer.flush()
            while flying:
                _settle(flying)
                count += 1
        except KafkaError as error:
            raise LogError(
                f"wanted to append to {self.topic!r}, got {error} after {count} records: "
                "is the broker well, and may a record be that large?"
            ) from error
        return count

    def close(self) -> None:
        """Flush and let go."""
        self._producer.close(timeout=5)

    def _check(self) -> None:
        """Refuse a missing topic at once; the producer would wait for it to appear."""
        admin, _ = connect(KafkaAdminClient, self._servers, self._options, {}, {})
        try:
            if self.topic not in admin.list_topics():
                raise missing_topic(self.topic)
        finally:
            admin.close()
        self._checked = True


def _settle(flying: collections.deque[tuple[Any, int]]) -> int:
    """Wait for the oldest record's acknowledgement and return its size."""
    future, size = flying.popleft()
    future.get(timeout=PRODUCER_DEFAULTS["delivery_timeout_ms"] / 1000 + 5)
    return size
