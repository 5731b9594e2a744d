"""The phase: what a service is at."""

from __future__ import annotations

import enum


class Phase(enum.StrEnum):
    """What a service is at, in the order in which a start goes through them.

    STANDBY is entered again when the partitions go to another instance.
    """

    STARTING = "starting"
    STANDBY = "standing by until this instance is given the partitions"
    CLAIMING = "claiming the model"
    CATCHING_UP = "taking in the warm-up file and what the journal has since the checkpoint"
    READY = "ready"
