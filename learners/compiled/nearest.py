"""Kernels of nearest neighbours: distances to all rows of a ring, then the few least."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learners.base import LEARN, PREDICT, Floats
from learners.compiled.flow import Ops
from learners.compiled.jit import njit, part

Columns = tuple[Floats, Floats, Floats]
Ring = tuple[Floats, Floats, NDArray[np.int64]]


@njit
def classify(
    columns: Columns,
    op: Ops,
    y: Floats,
    ring: Ring,
    parameters: tuple[int, float, bool, bool, int],
    value: Floats,
    proba: Floats,
) -> int:
    """Answer and learn a block; return the row that cannot be answered, or -1.

    Parameters
    ----------
    columns
        asked, taught, strangers; see `learners.compiled.strangers.introduced`.
    op, y
        By row the operation and the class.
    ring
        float64[d, window] points, float64[window] targets, int64[1] how many rows were learned.
    parameters
        Neighbours, power, whether votes are weighted, whether they go through softmax, and how
        many classes were learned.
    value, proba
        Written to.
    """
    asked, taught, strangers = columns
    points, targets, learned = ring
    neighbors, power, weighted, softmax, known = parameters
    distances, zeros = np.empty(points.shape[1]), np.zeros(points.shape[1])
    near, least = np.empty(neighbors, np.int64), np.empty(neighbors)
    for i in range(len(op)):
        if op[i] & PREDICT and known > 0:
            if not _measure(asked[i], strangers[i], points, zeros, learned[0], power, distances):
                return i
            found = _nearest(distances, learned[0], power == 2.0, near, least)
            if least[0] == 0.0:
                proba[i, int(targets[near[0]])] = 1.0
            else:
                for f in range(found):
                    vote = 1.0 / least[f] if weighted else 1.0
                    proba[i, int(targets[near[f]])] += vote
                if not _share(proba[i], known, softmax):
                    return i
            best = 0
            for c in range(known):
                if proba[i, c] > proba[i, best]:
                    best = c
            value[i] = best
        if op[i] & LEARN and y[i] == y[i]:
            _put(taught[i], y[i], points, targets, learned)
            known = max(known, int(y[i]) + 1)
    return -1


@njit
def regress(
    columns: Columns,
    op: Ops,
    y: Floats,
    ring: Ring,
    parameters: tuple[int, float, int],
    value: Floats,
) -> int:
    """Answer and learn a block; return the row that cannot be answered, or -1.

    The parameters are the neighbours, the power, and how their targets become one: 0 mean,
    1 median, 2 mean weighted by 1 / distance. For the rest see `classify`.
    """
    asked, taught, strangers = columns
    points, targets, learned = ring
    neighbors, power, way = parameters
    distances, zeros = np.empty(points.shape[1]), np.zeros(points.shape[1])
    near, least = np.empty(neighbors, np.int64), np.empty(neighbors)
    for i in range(len(op)):
        if op[i] & PREDICT:
            value[i] = 0.0
            if learned[0] > 0:
                if not _measure(
                    asked[i], strangers[i], points, zeros, learned[0], power, distances
                ):
                    return i
                found = _nearest(distances, learned[0], power == 2.0, near, least)
                value[i] = _one_of(targets, near, least, found, way)
        if op[i] & LEARN and y[i] == y[i]:
            _put(taught[i], y[i], points, targets, learned)
    return -1


@part
def _share(votes: Floats, known: int, softmax: bool) -> bool:
    """Turn votes into probabilities; return False if they sum to 0."""
    if softmax:
        largest = 0.0
        for c in range(known):
            largest = max(largest, votes[c])
        for c in range(known):
            votes[c] = math.exp(votes[c] - largest)
    total = 0.0
    for c in range(known):
        total += votes[c]
    for c in range(known):
        votes[c] /= total
    return total != 0.0


@part
def _put(x: Floats, y: float, points: Floats, targets: Floats, learned: NDArray[np.int64]) -> None:
    """Put a row in the place of the oldest."""
    place = learned[0] % len(targets)
    for j in range(len(x)):
        points[j, place] = x[j] if x[j] == x[j] else 0.0
    targets[place] = y
    learned[0] += 1


@part
def _measure(
    x: Floats,
    strangers: Floats,
    points: Floats,
    zeros: Floats,
    learned: int,
    power: float,
    distances: Floats,
) -> bool:
    """Write the distance of x to each point, squared if the power is 2.

    Return whether river gets these distances.

    Fields that x has come first, as river adds them, so that the sums are the same to the last
    bit: two rows equally far stay equally far. Only a general power raises where it overflows.
    """
    size = min(learned, points.shape[1])
    for w in range(size):
        distances[w] = 0.0
    for j in range(len(x)):
        if x[j] == x[j]:
            _add(x[j], points[j], size, power, distances)
    for j in range(len(x)):
        if x[j] != x[j]:
            _add(0.0, points[j], size, power, distances)
    for s in range(len(strangers)):
        if strangers[s] == strangers[s]:
            _add(strangers[s], zeros, size, power, distances)
    if power not in (1.0, 2.0):
        for w in range(size):
            distances[w] = distances[w] ** (1.0 / power)
            if distances[w] == np.inf:
                return False
    return True


@part
def _add(x: float, column: Floats, size: int, power: float, distances: Floats) -> None:
    """Add a field's part of the distances; over a column the compiler does several at once."""
    if power == 2.0:
        for w in range(size):
            distances[w] += (x - column[w]) * (x - column[w])
    elif power == 1.0:
        for w in range(size):
            distances[w] += abs(x - column[w])
    else:
        for w in range(size):
            distances[w] += abs(x - column[w]) ** power


@part
def _nearest(
    distances: Floats, learned: int, squared: bool, near: NDArray[np.int64], least: Floats
) -> int:
    """Write places and distances of the nearest, the older of equals first; return how many.

    Squared distances are given as such, and the root is taken of few: of a larger square it is
    not less. But roots decide, as in river: those of two squares can be the same.
    """
    window = len(distances)
    size = min(learned, window)
    oldest = learned % window if learned > window else 0
    found, bound = 0, np.inf
    for age in range(size):
        place = oldest + age
        if place >= window:
            place -= window
        if found == len(near) and not distances[place] < bound:
            continue
        distance = math.sqrt(distances[place]) if squared else distances[place]
        if found == len(near) and not distance < least[found - 1]:
            continue
        if found < len(near):
            found += 1
        f = found - 1
        while f > 0 and distance < least[f - 1]:
            near[f], least[f] = near[f - 1], least[f - 1]
            f -= 1
        near[f], least[f] = place, distance
        bound = distances[near[found - 1]]
    return found


@njit
def _one_of(targets: Floats, near: NDArray[np.int64], least: Floats, found: int, way: int) -> float:
    """Return the mean, median or weighted mean of the targets of the nearest."""
    if least[0] == 0.0:
        return float(targets[near[0]])
    if way == 1:
        return _median(targets, near, found)
    whole, shares, weighted = 0.0, 0.0, 0.0
    for f in range(found):
        whole += targets[near[f]]
        shares += 1.0 / least[f]
        weighted += targets[near[f]] / least[f]
    return weighted / shares if way == 2 and shares > 0.0 else whole / found


@njit
def _median(targets: Floats, near: NDArray[np.int64], found: int) -> float:
    ordered = np.empty(found)
    for f in range(found):
        place = f
        while place > 0 and targets[near[f]] < ordered[place - 1]:
            ordered[place] = ordered[place - 1]
            place -= 1
        ordered[place] = targets[near[f]]
    middle = found // 2
    lower = ordered[middle] if found % 2 else ordered[middle - 1]
    return float((lower + ordered[middle]) / 2.0)
