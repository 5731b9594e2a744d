"""The dead letters of a service, listed."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from stream.block import DeadLetter
from stream.config import Config, load
from stream.dead import has_dead, open_dead
from stream.dead_topic import letters_in
from stream.errors import MissingTopicError
from stream.letters import printed
from stream.log_kinds import read_topic
from stream.vault_kinds import shards_of

SHOWN_BYTES = 200


def dead(path: Path, limit: int | None, full: bool) -> None:
    """Print the dead letters of the newest lineage.

    Raises
    ------
    AlluviaError
        The configuration, the file of letters or their topic cannot be read.
    """
    for letter in itertools.islice(_letters(load(path)), limit):
        print(printed(letter, None if full else SHOWN_BYTES))


def _letters(config: Config) -> Iterator[DeadLetter]:
    for shard in shards_of(config):
        yield from _letters_of(shard)


def _letters_of(config: Config) -> Iterator[DeadLetter]:
    topic = config.dead.topic
    if topic is not None:
        with contextlib.suppress(MissingTopicError):  # no service has made it
            yield from letters_in(lambda: read_topic(config, topic), config.owner)
    elif has_dead(config):
        with contextlib.closing(open_dead(config)) as letters:
            yield from letters.letters()
