"""The rolling ensemble as a learner: members of windows, voting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ensembles.abreast import abreast
from ensembles.ballot import Rules, hold, joined, silence, weights_of
from ensembles.members import Asked, Member
from ensembles.windows import CountWindow
from learners.base import (
    LEARN,
    PREDICT,
    Examples,
    Label,
    Learner,
    MemberView,
    Predictions,
    State,
    Task,
)
from learners.errors import LearnerFailedError, StateError
from learners.schema import plain

SKIPPED = 10
"""How many reasons of members that could not be fitted are kept."""


class Ensemble:
    """Members that each learned one window of the stream, voting on every row.

    A row is answered by the closed members and the open one, then learned by the open one (by
    all, where closed members go on). A row that the open member cannot take, because it brings a
    class or a field, closes the window early, if an untrained member can take it.

    Parameters
    ----------
    make
        Returns the untrained learner of the member of an index.
    rules
        How it rolls and votes.
    classes
        Classes known before the first row.
    """

    def __init__(
        self, make: Callable[[int], Learner], rules: Rules, classes: Sequence[Label] = ()
    ) -> None:
        self.make = make
        self.rules = rules
        self.window = CountWindow(rules.window)
        self.declared = bool(classes)
        self.known: dict[Label, None] = dict.fromkeys(classes)
        self.opened = 0
        self.skipped = 0
        self.reasons: list[str] = []
        self.closed: list[Member] = []
        self._last: Asked | None = None
        self._open(self._member(classes, None), odd=False)
        self.task = self.open.learner.task

    def predict_learn(self, rows: Examples) -> Predictions:
        """See `learners.base.Learner`; a row that is only to be predicted is never refused.

        A record of weight 0 teaches nothing and is not counted as learned.
        """
        rows = without_idle(rows)
        pieces: list[Predictions] = []
        refused: dict[int, str] = {}
        start, n = 0, len(rows)
        while start < n:
            part = rows[start : start + self.window.reach(rows.op[start:])]
            taken, reason = self._admitted(part, start)
            if taken:
                pieces.append(self._roll(part[:taken], start))
            elif not part.op[0] & LEARN:
                taken = 1
                pieces.append(self._vote(part[:1], self._answers(part[:1], start)))
            elif not self._begin_with(part[:1]):
                taken = 1
                refused[start] = reason
                pieces.append(silence(1, self.task, rows))
            start += taken
        pieces = pieces or [silence(0, self.task, rows)]
        return joined(pieces, refused)

    def admit(self, rows: Examples) -> tuple[int, str]:
        """See `learners.base.Learner`."""
        i = 0
        while i < len(rows):
            taken, reason = self.open.learner.admit(rows[i:])
            i += taken
            if reason:
                row = rows[i : i + 1]
                if row.op[0] & LEARN and self._successor(row) is None:
                    return i, reason
                i += 1
        return len(rows), ""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    @property
    def began(self) -> bool:
        """Whether a row was ever learned."""
        return self.window.first + self.window.learned > 0

    @property
    def estimator(self) -> object:
        """The members' estimators, and the numbers that decide how they vote."""
        members = [*self.closed, self.open]
        numbers = [member.to_json() for member in members]
        return [numbers, list(self.known), *(member.learner.estimator for member in members)]

    def finish(self) -> None:
        """Close the open window, full or not, where no member could answer otherwise."""
        if not self.closed and self.open.learned and not self.open.answers:
            self._end_window()

    def views(self) -> list[MemberView]:
        """Return the members as they are now, the oldest first, the open one last."""
        members = [*self.closed, self.open]
        totals = np.array([[member.total] for member in members])
        counts = np.array([[member.count] for member in members])
        weights = weights_of(members, totals, counts, self.rules, self.open.index)[:, 0].tolist()
        if self.closed and self.open.learned < self.rules.vote_after:
            weights[-1] = 0.0
        whole = sum(weights)
        return [
            MemberView(
                member.index,
                member.first,
                member.first + member.learned - 1,
                member.learned,
                member is not self.open,
                weight / whole,
                member.total / member.count if member.count else None,
            )
            for member, weight in zip(members, weights, strict=True)
        ]

    def state(self) -> State:
        """See `learners.base.Learner`."""
        members = [*self.closed, self.open]
        meta = {
            "road": "rolling",
            "members": [member.to_json() for member in members],
            "known": [plain(label) for label in self.known],
            "opened": self.opened,
            "odd": self.odd,
            "skipped": self.skipped,
            "reasons": list(self.reasons),
        }
        states = {str(member.index): member.learner.state() for member in members}
        return State(meta=meta, members=states)

    def restore(self, state: State) -> None:
        """See `learners.base.Learner`."""
        meta = state.meta
        if meta.get("road") != "rolling":
            raise StateError(
                f"wanted the state of a rolling ensemble, got that of a {meta.get('road')!r} "
                "learner: give the model another name, or its old configuration back"
            )
        members = []
        for saved in meta["members"]:
            learner = self.make(saved["index"])
            learner.restore(state.members[str(saved["index"])])
            members.append(Member(learner=learner, **saved))
        *self.closed, self.open = members
        self.known = dict.fromkeys(meta["known"])
        self.opened, self.odd = meta["opened"], meta["odd"]
        self.skipped, self.reasons = meta["skipped"], list(meta["reasons"])
        self.window = CountWindow(self.rules.window, self.open.first, self.open.learned)

    def _roll(self, rows: Examples, start: int) -> Predictions:
        """Answer and learn rows of the open window that its member takes."""
        learned = (rows.op & LEARN) != 0
        both = rows.with_op(rows.op | np.uint8(PREDICT))
        try:
            if self.rules.go_on:
                answers = abreast(lambda member: member.go_on(both), self.closed, both)
            else:
                answers = self._answers(rows, start)
            answers.append(self._learned(both, start))
        except LearnerFailedError as error:
            error.row += start
            raise
        answer = self._vote(rows, answers)
        if learned.any():
            self._count(rows, learned)
        return answer

    def _admitted(self, rows: Examples, start: int) -> tuple[int, str]:
        """Return what the open member says of rows at a place of the block, see `admit`."""
        return self.open.learner.admit(rows)

    def _learned(self, rows: Examples, start: int) -> Predictions:
        """Let the open member answer and learn rows that lie at a place of the block."""
        return self.open.learner.predict_learn(rows)

    def _answers(self, rows: Examples, start: int) -> list[Predictions]:
        """Return what the closed members answer; a record just asked about is not asked again.

        Where closed members go on, what they answered just now says nothing.
        """
        single = len(rows) == 1 and not self.rules.go_on
        if single and self._last and self._last.is_for(rows, self.closed):
            return list(self._last.answers)
        asked = only_asked(rows)
        answers = abreast(lambda member: member.answer(asked), self.closed, asked)
        if single:
            self._last = Asked.of(rows, self.closed, answers)
        return answers

    def _count(self, rows: Examples, learned: Any) -> None:
        if self.task is Task.CLASSIFICATION:
            labels = rows.classes.labels
            for code in dict.fromkeys(rows.y[learned].tolist()):
                self.known[labels[int(code)]] = None
        count = int(learned.sum())
        self.open.learned += count
        self.window.learned += count
        if self.window.full:
            self._end_window()

    def _end_window(self) -> None:
        schema = self.open.schema
        self._close()
        fields = list(schema.fields or ()) if schema and schema.missing else None
        self._open(self._member(list(self.known), fields), odd=False)

    def _vote(self, rows: Examples, answers: list[Predictions]) -> Predictions:
        if not answers:
            return silence(len(rows), self.task, rows)
        members = [*self.closed, self.open][: len(answers)]
        return hold(rows, members, answers, self.task, self.rules, self.open.index)

    def _begin_with(self, row: Examples) -> bool:
        """Begin a window at a row that the open member cannot take, if a new member can."""
        found = self._successor(row)
        if found is None:
            return False
        member, keep = found
        if keep and self.open.learned:
            self._close()
        else:
            self.window.close()
        member.first = self.window.first
        self._open(member, odd=True)
        return True

    def _successor(self, row: Examples) -> tuple[Member, bool] | None:
        """Return a new member that takes a row the open one cannot, and whether to keep that one.

        The new member knows the fields of the open one too, so that a row which only lacks some
        is not taken for a change of the stream. But where the open member itself began with an
        odd row and is still young, that row was the exception, and it is not kept.
        """
        schema = self.open.schema
        if schema is None:
            return None
        classes: list[Label] | None = None
        if self.declared or schema.settled:
            classes = list(self.known)
            if self.task is Task.CLASSIFICATION:
                classes.append(row.classes.labels[int(row.y[0])])
        fields = [*dict.fromkeys([*(schema.fields or ()), *row.rows[0]])]
        member = self._member(classes, fields)
        if member.learner.admit(row)[0]:
            return member, True
        if self.odd and self.open.learned < self.rules.vote_after:
            member = self._member(classes, None)
            if member.learner.admit(row)[0]:
                return member, False
        return None

    def _member(self, classes: Sequence[Label] | None, fields: Sequence[Any] | None) -> Member:
        member = Member(self.opened, self.window.first, self.make(self.opened))
        if classes or fields:
            member.declare(classes or None, fields)
        return member

    def _open(self, member: Member, odd: bool) -> None:
        self.open, self.odd = member, odd
        self.opened += 1

    def _close(self) -> None:
        """Close the open window; its member joins the closed ones if it can answer now."""
        self.window.close()
        try:
            self.open.close()
        except LearnerFailedError as error:
            self.skipped += 1
            self.reasons = [*self.reasons, str(error)][-SKIPPED:]
            return
        members = [*self.closed, self.open]
        self.closed = members[max(0, len(members) - self.rules.keep) :]


def without_idle(rows: Examples) -> Examples:
    """Return the rows; what has no weight is not learned."""
    if rows.weight.all():
        return rows
    return rows.with_op(np.where(rows.weight == 0, rows.op & PREDICT, rows.op).astype(np.uint8))


def only_asked(rows: Examples) -> Examples:
    """Return the rows, to be predicted and not learned."""
    return rows.with_op(np.full(len(rows), PREDICT, np.uint8))
