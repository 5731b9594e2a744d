"""The transactional producer on Kafka."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    BrokerResponseError,
    InvalidProducerEpochError,
    InvalidTxnStateError,
    KafkaError,
    OutOfOrderSequenceNumberError,
    UnknownProducerIdError,
)
from kafka.errors import (
    ProducerFencedError as KafkaFencedError,
)

from stream.errors import LogError, ProducerFencedError, UnavailableError
from stream.kafka_client import connect
from stream.kafka_topics import MAX_RECORD_BYTES, create_topic
from stream.log import Message, Place
from stream.log_kafka import PRODUCER_DEFAULTS, PRODUCER_FIXED, REQUEST_MS

IN_FLIGHT_RECORDS = 20_000
CLOSE_SECONDS = 2.0
LARGEST = MAX_RECORD_BYTES + 64 * 1024
"""Bytes of the largest message: the largest record with what is said of it."""

DEFAULTS = PRODUCER_DEFAULTS | {"max_request_size": LARGEST, "transaction_timeout_ms": 60_000}
CONSUMER_DEFAULTS: dict[str, Any] = {"isolation_level": "read_committed"}
CONSUMER_FIXED: dict[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "allow_auto_create_topics": False,
}
_FENCED = (KafkaFencedError, InvalidProducerEpochError)
# What the broker has forgotten of a producer, it learns anew from one that begins again.
_FORGOTTEN = (OutOfOrderSequenceNumberError, UnknownProducerIdError, InvalidTxnStateError)


class TransactionalProducer:
    """A transactional producer on Kafka.

    Parameters
    ----------
    servers
        Broker addresses, `host:port` separated by commas.
    name
        The transactional id: the broker lets one producer at a time have it.
    group
        The group whose positions are committed; its members are elsewhere.
    options
        kafka-python's client options, by name.
    """

    def __init__(self, servers: str, name: str, group: str, options: Mapping[str, Any]) -> None:
        self._servers, self._name, self._group, self._options = servers, name, group, options
        self._producer: Any = None

    def create(self, topic: str, partitions: int) -> bool:
        """Make a topic if it is missing, for dead letters of the largest records too."""
        return create_topic(self._servers, topic, partitions, self._options, LARGEST)

    def begin(self, places: Iterable[Place]) -> list[str]:
        """Become the only producer under the name; return what the group's positions say then."""
        self.close()
        fixed = PRODUCER_FIXED | {"transactional_id": self._name}
        self._producer, _ = connect(KafkaProducer, self._servers, self._options, DEFAULTS, fixed)
        with self._told("to begin"):
            # Ends what an earlier one left open: only then positions are what they will stay.
            self._producer.init_transactions()
            return self._committed(places)

    def send(
        self,
        messages: Iterable[tuple[str, Message]],
        positions: Mapping[Place, int],
        metadata: str,
    ) -> None:
        """Append messages to their topics and commit positions, in one transaction."""
        producer = self._producer
        with self._told("to send"):
            producer.begin_transaction()
            # kafka-python 3.0.12 commits without a batch that was given up, so each is asked for;
            # and none may be under way at the end, since one that fails then ends the transaction
            # unseen.
            flying: collections.deque[Any] = collections.deque()
            for topic, (key, value, moment, headers) in messages:
                flying.append(
                    producer.send(topic, value, key, list(headers), timestamp_ms=max(moment, 0))
                )
                if len(flying) > IN_FLIGHT_RECORDS:
                    flying.popleft().get()
            producer.flush()
            for future in flying:
                future.get()
            offsets = {
                TopicPartition(*place): OffsetAndMetadata(offset, metadata, -1)
                for place, offset in positions.items()
            }
            producer.send_offsets_to_transaction(offsets, self._group)
            producer.commit_transaction()

    def close(self) -> None:
        """Let go at once, whatever is under way."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # Its own close waits for what is under way before it gives that up.
            producer._sender.force_close()
            with contextlib.suppress(KafkaError):
                producer.close(timeout=CLOSE_SECONDS)

    def _committed(self, places: Iterable[Place]) -> list[str]:
        fixed = CONSUMER_FIXED | {"group_id": self._group}
        consumer, _ = connect(KafkaConsumer, self._servers, self._options, CONSUMER_DEFAULTS, fixed)
        try:
            found = [
                consumer.committed(TopicPartition(*place), metadata=True, timeout_ms=REQUEST_MS)
                for place in places
            ]
        finally:
            consumer.close(autocommit=False, timeout_ms=REQUEST_MS)
        return [at.metadata for at in found if at is not None]

    @contextlib.contextmanager
    def _told(self, wanted: str) -> Iterator[None]:
        """Raise what went wrong as the error that tells what to do about it."""
        try:
            yield
        except _FENCED as error:
            raise ProducerFencedError(
                f"wanted {wanted} as {self._name!r}, got another process that does: stop one"
            ) from error
        except KafkaError as error:
            final = isinstance(error, BrokerResponseError) and not error.retriable
            if final and not isinstance(error, _FORGOTTEN):
                raise LogError(
                    f"wanted {wanted} as {self._name!r} at {self._servers}, got {error}: may it do "
                    "so, and do the topics of [dead] and [predictions] take messages of that size "
                    "and time?"
                ) from error
            raise UnavailableError(
                f"wanted {wanted} as {self._name!r} at {self._servers}, got {error}"
            ) from error
