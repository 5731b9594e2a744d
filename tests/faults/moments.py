"""The moments of the path at which a service is killed, or stopped."""

from __future__ import annotations

import os
import signal
import threading

from tests.faults import sending

ALONE = (
    "restoring",  # the learner is restored, and nothing else of the checkpoint
    "fetched",  # records have come, and nothing was done with them
    "learned",  # the block is learned, and nothing of it is stored
    "storing",  # half of the block is in the store
    "stored",  # the whole block is in the store
    "revoked",  # the partitions are taken away, and all but the manifest is saved
    "parts",  # one part of a checkpoint is written
    "unpublished",  # all parts are written, the manifest is not
    "published",  # the manifest is there, and nobody has heard of it
    "late",  # a block before a checkpoint waits for the store
    "outside",  # whenever another process's signal comes
)
"""Moments of a service that sends nothing to topics."""
MOMENTS = (*ALONE, *sending.MOMENTS)
"""Further ones lie around the transaction of the outbox, and inside it."""
ORDERED = (
    "journalled",  # it is written down which records are next, and they are not taken
    "following",  # what was journalled and not saved is being taken once more
)
"""Moments of a service whose order no log alone tells."""


class Death:
    """When to die; or to stand still, once, if the signal is SIGSTOP."""

    def __init__(self, at: int, moment: str, number: signal.Signals = signal.SIGKILL) -> None:
        self.at = at
        self.moment = moment
        self.taken = 0
        self.claimed = self.revoked = False
        self.published = threading.Event()
        self._signal = number

    def meet(self, moment: str, sequence: int) -> None:
        """Die if this is the moment, from a sequence on; only one moment comes before the claim."""
        ready = self.claimed or moment == "restoring"
        if moment == self.moment and ready and sequence >= self.at:
            if moment != "outside":
                self.moment = ""
            os.write(1, f"{moment} {sequence}\n".encode())
            if moment != "outside":
                os.kill(os.getpid(), self._signal)
