"""The service's errors: each one sentence of what was wanted, what was got, and the remedy."""

from learners.errors import AlluviaError


class StreamError(AlluviaError):
    """Root of the service's errors; the command prints it and exits 2."""


class ConfigError(StreamError):
    """The configuration does not say something that can be done."""


class LogError(StreamError):
    """The log cannot be reached, or does not hold what was asked."""


class MissingTopicError(LogError):
    """The log answers, and has no such topic."""


class OffsetsExpiredError(LogError):
    """The log no longer holds the offset to go on from."""


class PartitionsRevokedError(LogError):
    """The group took this consumer's partitions away; save, and wait for an assignment."""


class StoreError(StreamError):
    """The store cannot be reached or refuses a write."""


class FencedError(StreamError):
    """Another owner has claimed this model; what this one does no longer lands."""


class CheckpointError(StreamError):
    """A checkpoint is torn, altered, or not this configuration's."""
