"""The transactional producer: messages and positions that appear at once, or never."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from stream.log import Message, Place


class Producer(Protocol):
    """Sends messages to topics of the log, together with the positions of a consumer group.

    There is one at a time under a name: who begins ends what an earlier one left open, and
    fences it. Calls come one at a time, though not all from one thread.
    """

    def create(self, topic: str, partitions: int) -> bool:
        """Make a topic if it is missing; return whether it was made."""
        ...

    def begin(self, places: Iterable[Place]) -> list[str]:
        """Become the only producer under the name; return what the group's positions say then.

        Parameters
        ----------
        places
            Where to look for committed positions.

        Returns
        -------
        list of str
            Their metadata: what the last transaction that took place was sent with.

        Raises
        ------
        UnavailableError
            The log does not answer for now.
        LogError
            It refuses, and will go on to refuse.
        """
        ...

    def send(
        self,
        messages: Iterable[tuple[str, Message]],
        positions: Mapping[Place, int],
        metadata: str,
    ) -> None:
        """Append messages to their topics and commit positions, in one transaction.

        After an error it is not known whether that took place: `begin` again, which tells.

        Raises
        ------
        ProducerFencedError
            Another one has begun since.
        UnavailableError
            The log does not answer for now.
        LogError
            It refuses, and will go on to refuse.
        """
        ...

    def close(self) -> None:
        """Let go at once, whatever is under way."""
        ...
