"""Where independent work is done: in processes of this machine, or wherever a pool has it done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

S = TypeVar("S")
P = TypeVar("P")
R = TypeVar("R")


class Pool(Protocol):
    """Workers that have nothing in common but what they are sent."""

    def run(self, work: Callable[[S, P], R], shared: S, parts: Sequence[P]) -> list[R]:
        """Return `work(shared, part)` for each part; `shared` is sent to each worker once.

        Raises
        ------
        LearnerError
            Something cannot be sent, or a worker has ended.
        """
        ...
