"""What a trial of damaged files is judged by."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from stream import dead
from stream.cli import REFUSED
from tests.faults.damage import Damage

WENT_ON, REFUSING = "went on", "refused"
SAID = "went on, and said which letters are lost"
"""The end of SQLite's file of letters, which is no part of a checkpoint, may be lost."""
LOST = "letters lost"
"""How a run differs of which no letter is another one, and some are not there."""
REMEDY = re.compile(r": (bring|rebuild|make|move|set|choose|start|check|install|is) ")
LETTERS = {f"{dead.FILE}{suffix}" for suffix in ("", "-wal", "-shm")}
SAYS = "dead letters that were set aside"


@dataclasses.dataclass(frozen=True)
class Try:
    """What came of one try: `outcome` is one of the three above, or what must not be."""

    damages: list[Damage]
    outcome: str
    sentence: str

    @property
    def fine(self) -> bool:
        """Whether the service did what it may."""
        return self.outcome in (WENT_ON, REFUSING, SAID)


def refuses(code: int | None, sentence: str) -> bool:
    """Return whether a service refused to go on, with a remedy."""
    return code == REFUSED and REMEDY.search(sentence) is not None


def compared(left: list[Any], whole: list[Any]) -> list[str]:
    """Return how dead letters differ: some are lost, or there is one that should not be there."""
    if left == whole:
        return []
    rest = iter(whole)
    return [LOST if all(one in rest for one in left) else "dead"]


def told(outcome: str, differs: list[str], damages: list[Damage], sentence: str) -> str:
    """Return the outcome of a try that came to its end, and in what it differs."""
    if differs == [LOST] and {one.kind for one in damages} & LETTERS and SAYS in sentence:
        return SAID
    return f"{outcome}, and differs in {differs}" if differs else outcome


def judged(tries: Sequence[Try]) -> dict[str, Any]:
    """Return the figures of tries and whether all passed."""
    damages = [one for each in tries for one in each.damages]
    refusals = collections.Counter(
        re.sub("[0-9a-f]*[0-9][0-9a-f]*|/[^ ]*", "#", one.sentence)
        for one in tries if one.outcome == REFUSING
    )  # fmt: skip
    return {
        "tries": len(tries),
        "went_on": sum(one.outcome == WENT_ON for one in tries),
        "refused": sum(one.outcome == REFUSING for one in tries),
        "letters_lost_and_said": sum(one.outcome == SAID for one in tries),
        "kinds": collections.Counter(one.kind for one in damages),
        "ways": collections.Counter(one.way for one in damages),
        "refusals": refusals,
        "strange": [dataclasses.asdict(one) for one in tries if not one.fine],
        "passed": len(tries) > 0 and all(one.fine for one in tries),
    }
