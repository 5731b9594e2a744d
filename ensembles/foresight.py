"""Foresight: what members will learn and answer in a block, worked out side by side.

Windows without a warm start are independent: what a member learns depends on the rows of its
window alone, and what it answers once closed on nothing after. Which rows those are is foreseen
by counting; where the stream has it otherwise, nothing of what was foreseen is used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ensembles.engine import only_asked
from ensembles.members import Member
from learners.base import PREDICT, Examples, Label, Learner, Predictions, State
from learners.errors import LearnerFailedError, StateError

Declared = tuple[list[Label] | None, list[Any] | None]
"""The classes and the fields that a member is told of before its first row."""
Rows = tuple[int, int]
"""From and to, in a block."""


@dataclasses.dataclass(slots=True)
class Judged(Member):
    """A member whose window was learned elsewhere, and closed there."""

    failure: str | None = None

    def close(self) -> None:
        """Say how closing went."""
        if self.failure is not None:
            raise LearnerFailedError(self.failure, 0)


@dataclasses.dataclass(slots=True)
class Part:
    """The work of one member in a block.

    Attributes
    ----------
    index
        Of the member.
    state
        What it goes on from; None: it begins, and is told what is `declared`.
    learns
        The rows it answers and learns while it is open; None: it is closed already.
    closes
        Whether its window ends with them.
    asked
        The rows of each later window, which it only answers.
    """

    index: int
    state: State | None
    declared: Declared = (None, None)
    learns: Rows | None = None
    closes: bool = False
    asked: list[Rows] = dataclasses.field(default_factory=list)


class Outcome(NamedTuple):
    """What came of a part: the answers to what was learned and asked, and the state at the end."""

    state: State | None
    learned: Predictions | None
    asked: list[Predictions]
    failure: str | None


class Shared(NamedTuple):
    """What every part needs: how members are made, and the rows of the block."""

    make: Callable[[int], Learner]
    rows: Examples


def work(shared: Shared, part: Part) -> Outcome | None:
    """Do a part; None where the member does not take its rows, which is for its owner to see."""
    member = Member(part.index, 0, shared.make(part.index))
    if part.state is not None:
        member.learner.restore(part.state)
    elif any(part.declared):
        member.declare(*part.declared)
    answers, failure, state = None, None, None
    if part.learns is not None:
        rows = shared.rows[slice(*part.learns)]
        try:
            if member.learner.admit(rows)[0] < len(rows):
                return None
            answers = member.learner.predict_learn(rows.with_op(rows.op | np.uint8(PREDICT)))
            failure = _closed(member) if part.closes else None
            state = member.learner.state()
        except (LearnerFailedError, StateError):
            return None
    asked = [] if failure is not None else part.asked
    given = [member.answer(only_asked(shared.rows[slice(*span)])) for span in asked]
    return Outcome(state, answers, given, failure)


def _closed(member: Member) -> str | None:
    try:
        member.close()
    except LearnerFailedError as error:
        return str(error)
    return None
