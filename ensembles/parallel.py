"""The rolling ensemble whose windows are learned side by side, with the same results."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from ensembles.engine import Ensemble, only_asked, without_idle
from ensembles.foresight import Declared, Judged, Outcome, Part, Rows, Shared, work
from ensembles.members import Member
from ensembles.pool import Pool
from learners.base import LEARN, Examples, Label, Predictions, Task
from learners.schema import Schema

SIDE_BY_SIDE = 2
"""The fewest windows in a block for which it pays to ask others."""


class ParallelEnsemble(Ensemble):
    """An ensemble that has the windows of a block learned in a pool, and then votes in order.

    Members must be frozen when they close.
    """

    pool: Pool | None = None
    _told: tuple[Member, Declared] | None = None
    _declared: Declared | None = None

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"pool": None, "_told": None}

    def predict_learn(self, rows: Examples) -> Predictions:
        """See `Ensemble`."""
        rows = without_idle(rows)
        self._foreseen: dict[int, tuple[Part, Outcome]] = {}
        self._known: dict[tuple[int, Rows], Predictions] = {}
        if self.pool is not None and not self.rules.go_on:
            self._foresee(rows, self.pool)
        try:
            return super().predict_learn(rows)
        finally:
            self._foreseen, self._known = {}, {}

    def _foresee(self, rows: Examples, pool: Pool) -> None:
        """Have the parts of a block done, if they are many enough."""
        parts = self._parts(rows)
        learning = [part for part in parts if part.learns]
        if len(learning) < SIDE_BY_SIDE:
            return
        outcomes = pool.run(work, Shared(self.make, rows), parts)
        for part, outcome in zip(parts, outcomes, strict=True):
            if outcome is None:
                continue
            if part.learns is None:
                self._remember(part, outcome)
            else:
                self._foreseen[part.learns[0]] = part, outcome

    def _parts(self, rows: Examples) -> list[Part]:
        """Return the work of each member as far as it can be foreseen, the longest first."""
        window = dataclasses.replace(self.window)
        known, schema = dict(self.known), _growing(self.open)
        part = Part(self.open.index, self.open.learner.state())
        learning: list[Part] = []
        closed = [Part(member.index, None) for member in self.closed]
        older = closed
        start = 0
        while start < len(rows):
            stop = start + window.reach(rows.op[start:])
            learns = (rows.op[start:stop] & LEARN) != 0
            for other in closed:
                other.asked.append((start, stop))
            part.learns = start, stop
            learning.append(part)
            self._meet(rows[start:stop], learns, known, schema)
            window.learned += int(learns.sum())
            if window.full:
                part.closes = True
                window.close()
                closed = [*closed, part]
                closed = closed[max(0, len(closed) - self.rules.keep) :]
                fields = list(schema.fields or ()) if schema else None
                schema = _growing(super()._member(list(known), fields))
                index = self.opened + len(learning) - 1
                part = Part(index, None, (list(known) or None, fields or None))
            start = stop
        for member, other in zip(self.closed, older, strict=True):
            other.state = member.learner.state()
        # Nobody waits long for the last one then.
        parts = learning + [other for other in older if other.asked]
        return sorted(
            parts, key=lambda part: len(part.asked) + (part.learns is not None), reverse=True
        )

    def _meet(
        self, rows: Examples, learns: Any, known: dict[Label, None], schema: Schema | None
    ) -> None:
        """Take note of the classes and fields of rows that are learned."""
        if self.task is Task.CLASSIFICATION:
            labels = rows.classes.labels
            for code in dict.fromkeys(rows.y[learns].tolist()):
                known[labels[int(code)]] = None
        if schema is not None:
            for row in itertools.compress(rows.rows, learns.tolist()):
                schema.take(row, None)

    def _member(self, classes: Sequence[Label] | None, fields: Sequence[Any] | None) -> Member:
        member = super()._member(classes, fields)
        self._told = member, (list(classes or ()) or None, list(fields or ()) or None)
        return member

    def _open(self, member: Member, odd: bool) -> None:
        super()._open(member, odd)
        self._declared = self._told[1] if self._told and self._told[0] is member else None

    def _found(self, start: int, count: int) -> tuple[Part, Outcome] | None:
        """Return what was foreseen of the open member at a place, if that is how it came."""
        found = self._foreseen.get(start)
        if found is None:
            return None
        part, _ = found
        begun = part.state is not None or part.declared == self._declared
        same = part.index == self.open.index and part.learns == (start, start + count)
        return found if same and begun else None

    def _admitted(self, rows: Examples, start: int) -> tuple[int, str]:
        if self._found(start, len(rows)) is not None:
            return len(rows), ""
        return super()._admitted(rows, start)

    def _learned(self, rows: Examples, start: int) -> Predictions:
        found = self._found(start, len(rows))
        if found is None:
            return super()._learned(rows, start)
        part, outcome = found
        assert outcome.state is not None and outcome.learned is not None
        self.open.learner.restore(outcome.state)
        if part.closes:
            told = {field.name: getattr(self.open, field.name) for field in _FIELDS}
            self.open = Judged(**told, failure=outcome.failure)
            self._remember(part, outcome)
        return outcome.learned

    def _remember(self, part: Part, outcome: Outcome) -> None:
        for span, answer in zip(part.asked, outcome.asked, strict=False):
            self._known[part.index, span] = answer

    def _answers(self, rows: Examples, start: int) -> list[Predictions]:
        if not self._known:
            return super()._answers(rows, start)
        span = start, start + len(rows)
        answers = []
        for member in self.closed:
            known = self._known.get((member.index, span))
            answers.append(member.answer(only_asked(rows)) if known is None else known)
        return answers


def _growing(member: Member) -> Schema | None:
    """Return a copy of a member's schema, where its fields are what the next one is told of."""
    schema = member.schema
    return schema.copy() if schema and schema.missing else None


_FIELDS = dataclasses.fields(Member)
