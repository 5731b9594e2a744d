"""The outbox: messages that are owed to topics of the log, kept with the checkpoint."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from learners.base import Predictions, Task
from stream.answers import notices_of
from stream.block import Block
from stream.dead_topic import message_of
from stream.log import Message

Owed = tuple[int, Message]
"""A message with the sequence of the record that it tells of."""

OVERHEAD = 64
"""Bytes that a message takes beside key, value and headers, about."""
FULL = 32 * 1024 * 1024

_decode = msgspec.msgpack.Decoder(dict[str, list[Owed]]).decode


class Outbox:
    """What a service owes to its topics; equal records in equal order owe equal messages.

    Parameters
    ----------
    service
        The service's name.
    dead
        The topic of dead letters; None: they go elsewhere.
    predictions
        The topic of predictions; None: there is none.

    Attributes
    ----------
    size
        Bytes of what is owed, about.
    sent
        The lineage and the sequence up to which all was sent before: what is made again from an
        earlier checkpoint is not owed.
    """

    def __init__(self, service: str, dead: str | None, predictions: str | None) -> None:
        self._service, self._dead, self._predictions = service, dead, predictions
        self._owed: dict[str, list[Owed]] = {}
        self._kept: dict[str, int] = {}
        self.sent = (0, 0)
        self.size = self._kept_size = 0

    @property
    def full(self) -> bool:
        """Whether so much is owed that it is to be sent now."""
        return self.size >= FULL

    def add(self, block: Block, answers: Predictions, task: Task, lineage: int) -> None:
        """Owe what a block's records have to tell."""
        if self._dead is not None and block.dead:
            letters = sorted(block.dead, key=lambda letter: letter.sequence)
            self._owe(
                self._dead,
                [(one.sequence, message_of(one, self._service, lineage)) for one in letters],
                lineage,
            )
        if self._predictions is not None:
            self._owe(self._predictions, notices_of(block, answers, task, lineage), lineage)

    def pack(self) -> bytes | None:
        """Return all that is owed, None if that is nothing; a checkpoint is to keep it."""
        return msgspec.msgpack.encode(self._owed) if self._owed else None

    def restore(self, packed: bytes | None) -> None:
        """Owe what a checkpoint has kept, and nothing else."""
        self._owed = {} if packed is None else _decode(packed)
        self.size = sum(_weight(message) for owed in self._owed.values() for _, message in owed)
        self.keep()

    def keep(self) -> None:
        """Note that a checkpoint has kept all that is owed."""
        self._kept = {topic: len(owed) for topic, owed in self._owed.items()}
        self._kept_size = self.size

    def back(self) -> None:
        """Forget what no checkpoint has kept: it comes once more."""
        self._owed = {topic: self._owed[topic][:kept] for topic, kept in self._kept.items()}
        self.size = self._kept_size

    def messages(self) -> Iterator[tuple[str, Message]]:
        """Yield all that is owed, each message with its topic."""
        for topic, owed in self._owed.items():
            for _, message in owed:
                yield topic, message

    def clear(self) -> None:
        """Owe nothing any more."""
        self.restore(None)

    def _owe(self, topic: str, owed: list[Owed], lineage: int) -> None:
        if lineage == self.sent[0]:
            owed = [one for one in owed if one[0] > self.sent[1]]
        if owed:
            self._owed.setdefault(topic, []).extend(owed)
            self.size += sum(_weight(message) for _, message in owed)


def _weight(message: Message) -> int:
    parts = [message.key or b"", message.value or b""]
    parts += [data for _, data in message.headers]
    return OVERHEAD + sum(map(len, parts))
