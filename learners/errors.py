"""The root of all errors, and those that learners raise."""


class AlluviaError(Exception):
    """Root of every error this project raises: one sentence with the remedy in it."""


class LearnerError(AlluviaError):
    """An estimator that cannot be used as asked."""


class LearnerFailedError(LearnerError):
    """Third-party code raised while it predicted or learned a row."""

    def __init__(self, message: str, row: int) -> None:
        super().__init__(message)
        self.row = row


class StateError(LearnerError):
    """A saved state that cannot be restored, or that holds what is not allowed."""


def no_weights(name: str) -> LearnerError:
    """Return the refusal of weights to an estimator that would pass over them."""
    return LearnerError(
        f"wanted a learner that takes weights, got {name}: leave [record] weight out, or choose "
        "another learner"
    )
