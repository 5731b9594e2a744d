"""Where independent work is done: in processes of this machine, or wherever a pool has it done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

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


@runtime_checkable
class Shares(Protocol):
    """A learner that can have its work done elsewhere."""

    def share(self, pool: Pool) -> None:
        """Have what is independent done in a pool from now on, with the same results."""
        ...
