"""The flow: a block as columns, on its way from stage to stage of a compiled pipeline."""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.base import LEARN, PREDICT
from learners.compiled.jit import lean
from learners.errors import LearnerFailedError
from learners.table import MISSING, Codes, Floats

Ops = NDArray[np.uint8]
Places = NDArray[np.int64]

HEAD = 32
"""In so many rows of a block new columns are looked for first."""

UNKNOWN = -2
"""The code of a word that was only asked about, never learned."""


@dataclasses.dataclass(slots=True)
class Flow:
    """The rows of a block between two stages.

    Attributes
    ----------
    names
        Names of the columns of numbers.
    asked
        float64[n, d] in C order, NaN for a missing value: the rows as a prediction sees them.
    taught
        The same as learning sees them, which is after the stages before have learned the row.
        One array with `asked` until a stage makes them differ.
    categories
        Names of the columns of strings.
    codes
        int32[n, c], MISSING for a missing value.
    words
        By category the strings that its codes stand for.
    op
        uint8[n], PREDICT | LEARN; 0 for a row that is passed over.
    y
        float64[n], the target or the code of the class; NaN where there is none.
    weight
        float64[n].
    labels
        The classes that the codes in `y` stand for, where the model knows more than two.
    """

    names: list[Any]
    asked: Floats
    taught: Floats
    categories: list[Any]
    codes: Codes
    words: list[list[str]]
    op: Ops
    y: Floats
    weight: Floats
    labels: Sequence[Any] = ()

    def numbers(self, names: list[Any], asked: Floats, taught: Floats) -> Flow:
        """Return the flow with other columns of numbers."""
        return Flow(
            names,
            asked,
            taught,
            self.categories,
            self.codes,
            self.words,
            self.op,
            self.y,
            self.weight,
            self.labels,
        )

    def kept(self, numbers: list[int], categories: list[int]) -> Flow:
        """Return the flow with the columns at these places only."""
        if len(numbers) == len(self.names) and len(categories) == len(self.categories):
            return self
        asked, taught = self.asked, self.taught
        if len(numbers) < len(self.names):
            asked = np.ascontiguousarray(self.asked[:, numbers])
            taught = asked
            if self.taught is not self.asked:
                taught = np.ascontiguousarray(self.taught[:, numbers])
        return Flow(
            [self.names[j] for j in numbers],
            asked,
            taught,
            [self.categories[j] for j in categories],
            self.codes[:, categories],
            [self.words[j] for j in categories],
            self.op,
            self.y,
            self.weight,
            self.labels,
        )

    def only_numbers(self, name: str, of: int = PREDICT | LEARN) -> None:
        """Raise what an estimator of this name comes to at the first row with a string.

        Where `of` is LEARN, it does not look at the string of a row that is only asked about.
        """
        if not self.categories:
            return
        rows, places = np.nonzero((self.codes != MISSING) & (self.op & of != 0)[:, None])
        if len(rows):
            row, place = int(rows[0]), int(places[0])
            word = self.words[place][self.codes[row, place]]
            raise LearnerFailedError(
                f"{name} wants numbers, got {word!r} in the field {self.categories[place]!r}: "
                "leave the field out, or encode it before",
                row,
            )


class Fields:
    """The columns of numbers that a stage or model has learned from, in the order they came.

    Those of one row go by the alphabet. Only a learned row lets a column join: asking changes
    nothing.

    Parameters
    ----------
    names
        Those known before.
    """

    def __init__(self, names: Iterable[Any] = ()) -> None:
        self.names: list[Any] = list(names)
        self._places = {name: place for place, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def match(self, flow: Flow) -> tuple[Floats, Floats]:
        """Return the flow's `asked` and `taught` by own columns; new ones join at the end."""
        if flow.names != self.names:
            self._join(flow)
        if flow.names == self.names:
            return flow.asked, flow.taught
        theirs = {name: j for j, name in enumerate(flow.names)}
        places = np.array([theirs.get(name, -1) for name in self.names], np.int64)
        return placed(flow, places)

    def some(self, flow: Flow) -> tuple[Places, Places]:
        """Return where the flow's columns are here, ascending, and there; new ones join."""
        self._join(flow)
        own = np.array([self._places.get(name, -1) for name in flow.names], np.int64)
        order = np.argsort(own, kind="stable")
        order = order[own[order] >= 0]
        return own[order], order

    def _join(self, flow: Flow) -> None:
        new = [j for j, name in enumerate(flow.names) if name not in self._places]
        if not new:
            return
        # Most are there from the first row on: then the others need no look.
        for head in (slice(HEAD), slice(None)):
            learned = (flow.op[head, None] & LEARN) != 0
            firsts = _first_rows(~np.isnan(flow.taught[head, new]) & learned)
            if -1 not in firsts:
                break
        for name in _in_order(firsts, [flow.names[j] for j in new]):
            self._places[name] = len(self.names)
            self.names.append(name)


class Categories:
    """The columns of strings that a stage or model has learned from, and the words in each.

    Parameters
    ----------
    names
        Those known before.
    words
        By category the words known before.
    """

    def __init__(self, names: Iterable[Any] = (), words: Iterable[Iterable[str]] = ()) -> None:
        self.names: list[Any] = list(names)
        self.words: list[list[str]] = [list(known) for known in words]
        self._codes = [{word: i for i, word in enumerate(known)} for known in self.words]
        # By category the codes of its words in sorted order, as far as they were ranked.
        self._sorted: list[Places] = [np.empty(0, np.int64) for _ in self.names]
        self._ranks = np.zeros((0, 0), np.int32)

    def __len__(self) -> int:
        return len(self.names)

    def match(self, flow: Flow) -> Codes:
        """Return the flow's codes by own columns and words; new ones join at the end.

        A word in a row that only asks is UNKNOWN if no row of this block or before taught it.
        """
        learned = (flow.op & LEARN) != 0
        self._join(flow, learned)
        codes = np.full((len(flow.op), len(self.names)), MISSING, np.int32)
        places = {name: place for place, name in enumerate(self.names)}
        for j, name in enumerate(flow.categories):
            if name in places:
                place = places[name]
                codes[:, place] = self._own(flow.codes[:, j], flow.words[j], learned, place)
        return codes

    def ranks(self) -> Codes:
        """Return int32[categories, words], the place of each word in sorted order.

        Not to be written to: it is kept until a word joins, which takes a search among the sorted.
        """
        lengths = list(map(len, self.words))
        if list(map(len, self._sorted)) == lengths and len(self._ranks) == len(self):
            return self._ranks
        self._ranks = np.zeros((len(self), max(lengths, default=0)), np.int32)
        for place, words in enumerate(self.words):
            order = self._sorted[place] = _with_new(self._sorted[place], words)
            self._ranks[place, order] = np.arange(len(words))
        return self._ranks

    def _join(self, flow: Flow, learned: NDArray[np.bool_]) -> None:
        new = [j for j, name in enumerate(flow.categories) if name not in self.names]
        if new:
            firsts = _first_rows((flow.codes[:, new] != MISSING) & learned[:, None])
            for name in _in_order(firsts, [flow.categories[j] for j in new]):
                self.names.append(name)
                self.words.append([])
                self._codes.append({})
                self._sorted.append(np.empty(0, np.int64))

    def _own(
        self, column: Codes, words: list[str], learned: NDArray[np.bool_], place: int
    ) -> Codes:
        known = self._codes[place]
        # The last two are for MISSING and UNKNOWN, which index from the end.
        table = np.array([known.get(word, UNKNOWN) for word in words] + [UNKNOWN, MISSING])
        own = table[column]
        for code in dict.fromkeys(column[(own == UNKNOWN) & learned & (column >= 0)].tolist()):
            table[code] = known[words[code]] = len(self.words[place])
            self.words[place].append(words[code])
        return table[column].astype(np.int32)


def _with_new(order: Places, words: list[str]) -> Places:
    """Return the codes of all words in sorted order, given those of the first `len(order)`."""
    new = sorted(range(len(order), len(words)), key=words.__getitem__)
    key = words.__getitem__
    places = [bisect.bisect_left(order, words[code], key=key) for code in new]
    return np.insert(order, np.array(places, np.int64), new)


def _first_rows(present: NDArray[np.bool_]) -> list[int]:
    """Return by column the first row that is true, -1 if none is."""
    if not len(present):
        return [-1] * present.shape[1]
    firsts: list[int] = np.where(present.any(axis=0), present.argmax(axis=0), -1).tolist()
    return firsts


def _in_order(firsts: list[int], names: list[Any]) -> list[Any]:
    """Return the names by the first row of each, without those that have none.

    Those that came with one row go by the alphabet: their order in a block depends on its cut.
    """
    met = [(row, str(name), name) for row, name in zip(firsts, names, strict=True) if row >= 0]
    return [name for _, _, name in sorted(met, key=lambda first: first[:2])]


def placed(flow: Flow, places: Places) -> tuple[Floats, Floats]:
    """Return the flow's `asked` and `taught` with the columns at these places, NaN for -1."""
    asked = np.empty((len(flow.asked), len(places)))
    _place(flow.asked, places, asked)
    if flow.taught is flow.asked:
        return asked, asked
    taught = np.empty(asked.shape)
    _place(flow.taught, places, taught)
    return asked, taught


@lean
def _place(matrix: Floats, places: Places, placed: Floats) -> None:
    """Fill in the columns at these places, NaN for one at -1; numpy goes by column, not by row."""
    for i in range(len(matrix)):
        for j in range(len(places)):
            placed[i, j] = math.nan if places[j] < 0 else matrix[i, places[j]]
