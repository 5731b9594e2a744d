"""When a window closes: pure arithmetic over the count of learned records."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from learners.base import LEARN


@dataclasses.dataclass(slots=True)
class CountWindow:
    """A window of `size` learned records.

    Attributes
    ----------
    size
        Learned records that a window holds.
    first
        Number of the first record of the open window; records are numbered from 0 as learned.
    learned
        Records learned in the open window.

    Examples
    --------
    >>> window = CountWindow(3)
    >>> window.reach(np.array([3, 1, 3, 2, 3], np.uint8))
    4
    >>> window.learned += 2
    >>> window.close()
    >>> window.first, window.learned, window.full
    (2, 0, False)
    """

    size: int
    first: int = 0
    learned: int = 0

    @property
    def full(self) -> bool:
        """Whether the window closes now."""
        return self.learned >= self.size

    def reach(self, op: NDArray[np.uint8]) -> int:
        """Return how many leading rows belong to this window: up to the record that fills it."""
        learns = np.flatnonzero(op & LEARN)
        room = self.size - self.learned
        return len(op) if len(learns) < room else int(learns[room - 1]) + 1

    def close(self) -> None:
        """Begin the next window where this one stands, full or not."""
        self.first += self.learned
        self.learned = 0
