"""The nodes of aggregated Mondrian trees: what is kept of one, and how it is split."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learners.base import Floats
from learners.compiled.jit import njit
from learners.compiled.twister import SHEET, Words, turn

# Columns of nodes. WEIGHT is the log likelihood of what a node answered, by which a row without the
# field of a split is sent on. MASS is that likelihood and WHOLE that of all prunings of what is
# below the node, each times SPAN to its power; MINE is the share of the node in these. Then comes
# what is known of the labels, which is counts by class or the mean.
TIME, THRESHOLD, COUNT, WEIGHT, MASS, MASS_POWER, WHOLE, WHOLE_POWER, MINE = range(9)
LABELS = 9
# Columns of links; a leaf has no left child, which is -1.
PARENT, LEFT, RIGHT, FEATURE = range(4)
# Marks of a tree: how many nodes it has, and its place on the sheet of random numbers.
SIZE, PLACE = range(2)

# Likelihoods are kept from 1 / SPAN to 1, so that neither they nor products of two underflow. On
# the way up, multiplying them is several times as fast as adding logarithms.
SPAN = 2.0**256
LOG_SPAN = 256.0 * math.log(2.0)

Links = NDArray[np.int32]
Integers = NDArray[np.int64]
# A constant given as np.int64 is not compiled for as a type of its own.
Index = int | np.int64


@njit
def likelihood(log: float) -> tuple[float, float]:
    """Return exp of what is not above 0, as a number from 1 / SPAN to 1 and a power of SPAN."""
    # Of what is below this, no digit after the point is known.
    log = max(log, -1e15)
    power = math.ceil(log / LOG_SPAN)
    return math.exp(min(log - power * LOG_SPAN, 0.0)), float(power)


@njit
def outside(x: float, low: float, high: float) -> float:
    """Return how far a value is outside of a range, 0 where either is missing."""
    below = low - x if x < low else 0.0
    above = x - high if x > high else 0.0
    return below + above


@njit
def split(
    rows: Floats,
    i: int,
    node: Index,
    time: float,
    order: Integers,
    nodes: Floats,
    ranges: Floats,
    links: Links,
    marks: Integers,
    words: Words,
    sheet: Floats,
) -> Index:
    """Split a node above what it was, and return the new leaf, or -1 if a range is infinite.

    A field is drawn by how far the row is outside of its range, then a threshold in between. What
    the node was goes one level down, beside the new leaf; the node stays at its place.
    """
    total = 0.0
    for j in order:
        total += outside(rows[i, j], ranges[node, 0, j], ranges[node, 1, j])
    if not total < np.inf:
        return -1
    goal = _draw(marks, words, sheet) * total
    passed, feature = 0.0, -1
    for j in order:
        beyond = outside(rows[i, j], ranges[node, 0, j], ranges[node, 1, j])
        if beyond > 0.0:
            passed += beyond
            feature = j
            if passed > goal:
                break
    value = rows[i, feature]
    to_right = value > ranges[node, 1, feature]
    start = ranges[node, 1, feature] if to_right else value
    end = value if to_right else ranges[node, 0, feature]
    threshold = start + (end - start) * _draw(marks, words, sheet)
    old, new = marks[SIZE], marks[SIZE] + 1
    marks[SIZE] += 2
    for column in range(nodes.shape[1]):
        nodes[old, column] = nodes[node, column]
        nodes[new, column] = 0.0
    for j in range(rows.shape[1]):
        ranges[old, 0, j], ranges[old, 1, j] = ranges[node, 0, j], ranges[node, 1, j]
        ranges[new, 0, j] = ranges[new, 1, j] = np.nan
    for column in range(links.shape[1]):
        links[old, column] = links[node, column]
    if links[old, LEFT] >= 0:
        links[links[old, LEFT], PARENT] = old
        links[links[old, RIGHT], PARENT] = old
    nodes[old, TIME] = nodes[new, TIME] = time
    nodes[new, MASS] = nodes[new, WHOLE] = 1.0
    nodes[node, THRESHOLD] = threshold
    links[old, PARENT] = links[new, PARENT] = node
    links[new, LEFT], links[new, RIGHT], links[new, FEATURE] = -1, -1, 0
    links[node, FEATURE] = feature
    links[node, LEFT] = old if to_right else new
    links[node, RIGHT] = new if to_right else old
    return int(new)


@njit
def _draw(marks: Integers, words: Words, sheet: Floats) -> float:
    if marks[PLACE] == SHEET:
        turn(words, sheet)
        marks[PLACE] = 0
    marks[PLACE] += 1
    return float(sheet[marks[PLACE] - 1])
