"""What every log refuses, in the same words."""

from __future__ import annotations

from stream.errors import LogError, MissingTopicError, OffsetsExpiredError, TopicRecreatedError
from stream.log import Bounds


def missing_topic(topic: str) -> MissingTopicError:
    """Return the error for a topic that does not exist."""
    return MissingTopicError(
        f"wanted the topic {topic!r}, got a log without it: create it (`alluvia feed` does, "
        "with --labels the one of labels) or correct its name"
    )


def expired(topic: str, partition: int, offset: int, bounds: Bounds | None) -> OffsetsExpiredError:
    """Return the error for an offset outside a partition's bounds, None if those are unknown."""
    held = "has no such offset any more" if bounds is None else told(bounds)
    return OffsetsExpiredError(
        f"wanted offset {offset} of {topic} partition {partition}, got a log that {held}: "
        "restore the topic, run with --accept-gap to go on without what is gone, or give the "
        "service another name to begin a model anew"
    )


def unreadable(topic: str, reason: str, refused: bool) -> LogError:
    """Return the error for what ends the reading of a topic; `refused`: for want of a right."""
    remedy = "give the user the rights listed in docs/kafka.md" if refused else "restart"
    return LogError(f"wanted to read {topic}, got {reason}: {remedy}")


def told(bounds: Bounds) -> str:
    """Return what a log has, as the end of a sentence.

    Examples
    --------
    >>> told(Bounds(5, 8)), told(Bounds(8, 8))
    ('holds 5 to 7', 'is empty and goes on at 8')
    """
    if bounds.end > bounds.first:
        return f"holds {bounds.first} to {bounds.end - 1}"
    return f"is empty and goes on at {bounds.end}"


def missing_partition(topic: str, partition: int) -> TopicRecreatedError:
    """Return the error for a partition that was read before and is not there any more."""
    return TopicRecreatedError(
        f"wanted the partitions of {topic!r} that the model has read, got a topic without "
        f"{partition}: it was made anew; bring it back, or choose another name to begin a model "
        "anew"
    )


def nothing_in(topic: str) -> LogError:
    """Return the error for a record without key and value: it would say nothing about nothing."""
    return LogError(
        f"wanted records with a key or a value for {topic}, got one with neither: leave it out"
    )
