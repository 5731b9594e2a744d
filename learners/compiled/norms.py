"""Stages that look at one row alone: its norm, its signs."""

from __future__ import annotations

import math

import numpy as np
from river import preprocessing

from learners.base import LEARN, PREDICT, Floats
from learners.compiled.chain import Stateless
from learners.compiled.flow import Flow, Ops
from learners.compiled.jit import njit
from learners.compiled.twins import NoTwinError, twin
from learners.errors import LearnerFailedError


class Normalizer(Stateless):
    """Divides a row by its norm. Twin of `river.preprocessing.Normalizer`. O(d) a row.

    Parameters
    ----------
    order
        1 for the sum of magnitudes, 2 for the Euclidean norm.
    """

    def __init__(self, order: int) -> None:
        self.order = order

    def run(self, flow: Flow) -> Flow:
        """See `learners.compiled.chain.Stage`."""
        flow.only_numbers("Normalizer")
        asked = self._divided(flow.asked, flow.op, PREDICT)
        return flow.numbers(flow.names, asked, self._divided(flow.taught, flow.op, LEARN))

    def _divided(self, matrix: Floats, op: Ops, of: int) -> Floats:
        divided = np.empty(matrix.shape)
        failed = _divide(matrix, op, of, self.order, divided)
        if failed >= 0:
            raise LearnerFailedError(
                "Normalizer raised ZeroDivisionError on a row: all its numbers are 0", failed
            )
        return divided


class Binarizer(Stateless):
    """Gives 1 for what is above a threshold, else 0. Twin of `river.preprocessing.Binarizer`.

    Parameters
    ----------
    threshold
        What is not above.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def run(self, flow: Flow) -> Flow:
        """See `learners.compiled.chain.Stage`."""
        asked = self._above(flow.asked)
        same = flow.taught is flow.asked
        return flow.numbers(flow.names, asked, asked if same else self._above(flow.taught))

    def _above(self, matrix: Floats) -> Floats:
        return np.where(np.isnan(matrix), math.nan, matrix > self.threshold)


@twin(preprocessing.Normalizer)
def _normalizer(estimator: preprocessing.Normalizer) -> Normalizer:
    if estimator.order not in (1, 2):
        raise NoTwinError(f"Normalizer with order {estimator.order!r}")
    return Normalizer(int(estimator.order))


@twin(preprocessing.Binarizer)
def _binarizer(estimator: preprocessing.Binarizer) -> Binarizer:
    if estimator.dtype not in (bool, int, float):
        raise NoTwinError(f"Binarizer with dtype {estimator.dtype!r}")
    return Binarizer(float(estimator.threshold))


@njit
def _divide(matrix: Floats, op: Ops, of: int, order: int, divided: Floats) -> int:
    """Fill in the rows asked for; return the first whose norm is 0, or -1."""
    for i in range(len(op)):
        if not op[i] & of:
            divided[i] = math.nan
            continue
        norm, there = 0.0, False
        for j in range(matrix.shape[1]):
            x = matrix[i, j]
            if x == x:
                there = True
                norm += abs(x) if order == 1 else x * x
        norm = norm if order == 1 else math.sqrt(norm)
        if there and norm == 0.0:
            return i
        for j in range(matrix.shape[1]):
            divided[i, j] = matrix[i, j] / norm
    return -1
