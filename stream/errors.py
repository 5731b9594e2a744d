"""The service's errors: each one sentence of what was wanted, what was got, and the remedy."""

from learners.errors import AlluviaError, LearnerFailedError


class StreamError(AlluviaError):
    """Root of the service's errors; the command prints it and exits 2."""


class ConfigError(StreamError):
    """The configuration does not say something that can be done."""


class EmptyStretchError(ConfigError):
    """There is no record between the bounds of a replay."""


class LogError(StreamError):
    """The log cannot be reached, or does not hold what was asked."""


class MissingTopicError(LogError):
    """The log answers, and has no such topic."""


class OffsetsExpiredError(LogError):
    """The log no longer holds the offset to go on from."""


class TopicRecreatedError(LogError):
    """The topic is another one than that which was read, under the same name."""


class UnavailableError(LogError):
    """The log gives no answer for now; it is worth asking again."""


class ProducerFencedError(LogError):
    """Another producer has begun under the same name; what this one sends does not land."""


class PartitionsRevokedError(LogError):
    """The group took this consumer's partitions away; save, and wait for an assignment."""


class StoreError(StreamError):
    """The store cannot be reached or refuses a write."""


class StoreAwayError(StoreError):
    """The store takes no writes for now; it is worth trying again."""


class RecordFailedError(LearnerFailedError):
    """A record made the learner raise.

    Attributes
    ----------
    record
        Its topic, partition and offset.
    late
        Whether it was to be learned after it waited for a label.
    """

    def __init__(self, error: LearnerFailedError, record: tuple[str, int, int], late: bool) -> None:
        super().__init__(str(error), error.row)
        self.record = record
        self.late = late


class FencedError(StreamError):
    """Another owner has claimed this model; what this one does no longer lands."""


class CheckpointError(StreamError):
    """A checkpoint is torn, altered, or not this configuration's."""


class VaultAwayError(StreamError):
    """The place of checkpoints gives no answer, so that nothing can be said of what it holds."""


class SignatureError(CheckpointError):
    """A checkpoint or its journal is not signed as `[checkpoint] key` wants it."""


class JournalError(CheckpointError):
    """The journal is torn, altered, or tells of records that the log does not hold any more."""


class LettersError(StreamError):
    """The file of dead letters is damaged, or a letter in it is not as it was kept."""
