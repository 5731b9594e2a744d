"""Dead letters as messages of a topic, there and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from stream.block import DeadLetter
from stream.log import Message

LONGEST = 16_384
"""Bytes of a reason: a message must not grow beyond what its topic takes."""

Reading = Iterable[tuple[int, int, Message]]


def message_of(letter: DeadLetter, service: str, lineage: int) -> Message:
    """Return a dead letter as a message: key and value as they came, all else in headers."""
    said = {
        "service": service,
        "version": f"{lineage}@{letter.sequence}",
        "topic": letter.topic,
        "partition": str(letter.partition),
        "offset": str(letter.offset),
        "timestamp": str(letter.time),
        "reason": letter.reason,
        "error": letter.error,
    }
    value = letter.value
    if letter.key is None and value is None:
        # Clients refuse to send a message of nothing.
        said["null"] = "value"
        value = b""
    headers = ((f"alluvia.{name}", _text(text)) for name, text in said.items())
    return Message(letter.key, value, letter.time, tuple(headers))


def letters_in(read: Callable[[], Reading], service: str) -> Iterator[DeadLetter]:
    """Yield the dead letters of a service's newest lineage from a topic, which is read twice."""
    newest = max((lineage for lineage, _ in _letters(read(), service)), default=0)
    yield from (letter for lineage, letter in _letters(read(), service) if lineage == newest)


def _letters(messages: Reading, service: str) -> Iterator[tuple[int, DeadLetter]]:
    """Yield the letters of a service with their lineages; other messages may be there too."""
    for _, _, message in messages:
        said = dict(_ours(message))
        if said.get("service") == service.encode():
            with suppress(KeyError, ValueError):  # whoever wrote it, no service did
                yield _letter({name: data.decode() for name, data in said.items()}, message)


def _letter(said: dict[str, str], message: Message) -> tuple[int, DeadLetter]:
    lineage, _, sequence = said["version"].partition("@")
    letter = DeadLetter(
        said["topic"],
        int(said["partition"]),
        int(said["offset"]),
        int(said["timestamp"]),
        message.key,
        None if said.get("null") == "value" else message.value,
        said["reason"],
        said["error"],
        int(sequence),
    )
    return int(lineage), letter


def _ours(message: Message) -> Iterator[tuple[str, bytes]]:
    return (
        (name.removeprefix("alluvia."), data)
        for name, data in message.headers
        if name.startswith("alluvia.")
    )


def _text(text: str) -> bytes:
    cut = text.encode("utf-8", "replace")[:LONGEST]
    return cut.decode("utf-8", "ignore").encode()  # the cut may have split a character
