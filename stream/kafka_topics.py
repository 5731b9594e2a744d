"""Topics on Kafka: made for records as they come, and read from first to last."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from stream.errors import LogError
from stream.kafka_client import connect, unreachable
from stream.log import Message
from stream.log_errors import missing_topic

MAX_RECORD_BYTES = 8 * 1024 * 1024
POLL_MS = 500
SILENT_SECONDS = 10.0

TOPIC_CONFIGS = {
    # Event times may lie years back or ahead: neither may Kafka delete the one for its age
    # within minutes of the feed, nor refuse the other.
    "retention.ms": "-1",
    "message.timestamp.after.max.ms": str(2**63 - 1),
}
READ_DEFAULTS: dict[str, Any] = {"isolation_level": "read_committed"}
READ_FIXED: dict[str, Any] = {
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "allow_auto_create_topics": False,
}


def create_topic(
    servers: str,
    topic: str,
    partitions: int,
    options: Mapping[str, Any],
    largest: int = MAX_RECORD_BYTES,
) -> bool:
    """Make a topic if it is missing, for records up to `largest` bytes; return whether it was.

    Raises
    ------
    LogError
        No broker answers, or it refuses.
    """
    admin, _ = connect(KafkaAdminClient, servers, options, {}, {})
    configs = TOPIC_CONFIGS | {"max.message.bytes": str(largest)}
    try:
        admin.create_topics([NewTopic(topic, partitions, topic_configs=configs)])
        admin.wait_for_topics([topic])
    except TopicAlreadyExistsError:
        return False
    except KafkaError as error:
        raise LogError(
            f"wanted to create the topic {topic!r}, got {error}: create it by hand"
        ) from error
    finally:
        admin.close()
    return True


def read_topic(
    servers: str, topic: str, options: Mapping[str, Any]
) -> Iterator[tuple[int, int, Message]]:
    """Yield partition, offset and message of all that a topic holds now, in no group.

    Raises
    ------
    LogError
        There is no such topic, no broker answers, or it refuses.
    """
    consumer, _ = connect(KafkaConsumer, servers, options, READ_DEFAULTS, READ_FIXED)
    with _told(topic), closing(consumer):
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise missing_topic(topic)
        places = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        heard = time.monotonic()
        while any(consumer.position(place) < end for place, end in ends.items()):
            fetched = consumer.poll(POLL_MS)
            for place, records in fetched.items():
                for one in records:
                    if one.offset < ends[place]:
                        headers = tuple((name, value or b"") for name, value in one.headers)
                        yield (
                            place.partition,
                            one.offset,
                            Message(one.key, one.value, one.timestamp, headers),
                        )
            if fetched:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENT_SECONDS:
                raise unreachable(servers)


@contextmanager
def _told(topic: str) -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise LogError(
            f"wanted to read the topic {topic!r}, got {error}: may this client read it?"
        ) from error
