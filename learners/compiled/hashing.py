"""Fields and values hashed to a fixed number of columns."""

from __future__ import annotations

import math

import numpy as np
from river import preprocessing
from river._river_rust.feature_hashing import feature_hash

from learners.base import Floats
from learners.compiled.chain import Stateless
from learners.compiled.flow import Flow
from learners.compiled.twins import twin
from learners.table import MISSING, Codes


class FeatureHasher(Stateless):
    """The hashing trick (Weinberger and others, 2009): colliding fields are added up.

    Twin of `river.preprocessing.FeatureHasher`, by its own hash. O(d) a row; a column for each
    place that the fields of a piece come to.

    Parameters
    ----------
    size
        How many places there are.
    seed
        Of the hash.
    signed
        Whether half of the values count as negative.
    """

    spreads = True

    def __init__(self, size: int, seed: int, signed: bool) -> None:
        self.size, self.seed, self.signed = size, seed, signed

    def run(self, flow: Flow) -> Flow:
        """See `learners.compiled.chain.Stage`."""
        marks = [[self._place(name, word) for word in words] for name, words in _words(flow)]
        numbers = [self._place(name, 1.0) for name in flow.names]
        names = sorted({place for place, _ in numbers} | {p for mark in marks for p, _ in mark})
        columns = {name: column for column, name in enumerate(names)}
        placed = [(columns[place], sign) for place, sign in numbers]
        words = [[(columns[place], sign) for place, sign in mark] for mark in marks]
        asked = _added(flow.asked, flow.codes, placed, words, len(names))
        taught = asked
        if flow.taught is not flow.asked:
            taught = _added(flow.taught, flow.codes, placed, words, len(names))
        hashed = flow.numbers(list(names), asked, taught)
        hashed.categories, hashed.words, hashed.codes = [], [], flow.codes[:, :0]
        return hashed

    def _place(self, name: object, value: object) -> tuple[int, float]:
        ((place, sign),) = feature_hash({name: value}, self.size, self.seed, self.signed).items()
        return place, float(sign)


@twin(preprocessing.FeatureHasher)
def _hasher(estimator: preprocessing.FeatureHasher) -> FeatureHasher:
    return FeatureHasher(estimator.n_features, estimator._seed, estimator.alternate_sign)


def _words(flow: Flow) -> zip[tuple[object, list[str]]]:
    return zip(flow.categories, flow.words, strict=True)


def _added(
    numbers: Floats,
    codes: Codes,
    placed: list[tuple[int, float]],
    words: list[list[tuple[int, float]]],
    width: int,
) -> Floats:
    sums = np.full((len(numbers), width), math.nan)
    for j, (column, sign) in enumerate(placed):
        rows = np.flatnonzero(~np.isnan(numbers[:, j]))
        sums[rows, column] = np.nan_to_num(sums[rows, column]) + numbers[rows, j] * sign
    for j, marks in enumerate(words):
        rows = np.flatnonzero(codes[:, j] != MISSING)
        if len(rows):
            columns, signs = np.array(marks).T
            cells = rows, columns[codes[rows, j]].astype(np.int64)
            sums[cells] = np.nan_to_num(sums[cells]) + signs[codes[rows, j]]
    return sums
