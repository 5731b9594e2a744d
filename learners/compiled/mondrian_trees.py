"""Kernels of aggregated Mondrian trees: how one tree is asked and how it learns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learners.base import LEARN, PREDICT, Floats
from learners.compiled.flow import Ops
from learners.compiled.jit import njit
from learners.compiled.twister import SHEET, Words, turn

# Columns of facts.
TIME, THRESHOLD, WEIGHT, WHOLE, COUNT = range(5)
# Columns of links; a leaf has no left child, which is -1.
PARENT, LEFT, RIGHT, FEATURE = range(4)
# Marks of a tree: how many nodes it has, and its place on the sheet of random numbers.
SIZE, PLACE = range(2)

# exp(-40) beside 1 is lost in rounding, and what the library takes longest for.
NOTHING = 40.0
HALF = math.log(0.5)

Links = NDArray[np.int32]
Integers = NDArray[np.int64]
# A constant given as np.int64 is not compiled for as a type of its own.
Index = int | np.int64
# By tree and node: facts, links, ranges (least and largest value by field), and what is known of
# the labels, which is counts by class or the mean; then by tree the marks, and the words and
# sheet of its random numbers.
Forest = tuple[Floats, Links, Floats, Floats, Integers, Words, Floats]
# Step, dirichlet, whether to aggregate, whether to split what is pure, and the cap on nodes.
Rules = tuple[float, float, bool, bool, int]


@njit
def grow(
    asked: Floats,
    taught: Floats,
    op: Ops,
    y: Floats,
    order: Integers,
    classes: int,
    rules: Rules,
    forest: Forest,
    answers: Floats,
) -> int:
    """Answer and learn a block, tree by tree; return the row that cannot be learned, or -1.

    Parameters
    ----------
    asked, taught, op, y
        The block, by own columns and codes.
    order
        The columns in the order of their names.
    classes
        How many classes were learned; -1 for trees of numbers.
    rules, forest
        See above; a forest is written to.
    answers
        float64[n, k]: the mean over the trees of probabilities, or of the answers, is added.
    """
    facts, links, ranges, labels, marks, words, sheets = forest
    trees = len(marks)
    scores = np.empty(answers.shape[1])
    for t in range(trees):
        # Taken out of the loop over rows: each counts a reference.
        f, k, r, b, m = facts[t], links[t], ranges[t], labels[t], marks[t]
        w, s = words[t], sheets[t]
        known = classes
        for i in range(len(op)):
            if op[i] & PREDICT and f[0, COUNT] > 0.0:
                _ask(asked, i, f, k, b, rules, known, scores)
                for c in range(max(known, 1)):
                    answers[i, c] += scores[c] / trees
            if op[i] & LEARN and y[i] == y[i]:
                if known >= 0:
                    known = max(known, int(y[i]) + 1)
                if not _learn(taught, i, y[i], order, known, rules, f, k, r, b, m, w, s):
                    return i
    return -1


@njit
def _ask(
    rows: Floats,
    i: int,
    facts: Floats,
    links: Links,
    labels: Floats,
    rules: Rules,
    known: int,
    scores: Floats,
) -> None:
    """Write what a tree answers: the leaf's answer mixed with those of the nodes above it."""
    _, dirichlet, aggregate, _, _ = rules
    node = np.int64(0)
    while links[node, LEFT] >= 0:
        # Without the field of the split, to the child with the larger weight.
        left, right = links[node, LEFT], links[node, RIGHT]
        value = rows[i, links[node, FEATURE]]
        if value != value:
            node = right if facts[left, WEIGHT] < facts[right, WEIGHT] else left
        else:
            node = left if value <= facts[node, THRESHOLD] else right
    width = known if known >= 0 else 1
    for c in range(width):
        scores[c] = 0.0
    share = 1.0
    while node >= 0:
        if share > 0.0:
            below = facts[node, COUNT] + dirichlet * known
            for c in range(width):
                score = (labels[node, c] + dirichlet) / below if known >= 0 else labels[node, c]
                scores[c] = share * score + (1.0 - share) * scores[c]
        node = np.int64(links[node, PARENT])
        if not aggregate:
            return
        if node >= 0:
            gap = facts[node, WHOLE] - facts[node, WEIGHT]
            share = 0.5 * math.exp(-gap) if gap < NOTHING else 0.0
    if known >= 0:
        total = 0.0
        for c in range(width):
            total += scores[c]
        for c in range(width):
            scores[c] /= total


@njit
def _learn(
    rows: Floats,
    i: int,
    y: float,
    order: Integers,
    known: int,
    rules: Rules,
    facts: Floats,
    links: Links,
    ranges: Floats,
    labels: Floats,
    marks: Integers,
    words: Words,
    sheet: Floats,
) -> bool:
    """Let a tree learn a row; return False where the row is at no finite distance.

    What is done to each node is written out here: a call with arrays counts references to them,
    which took a third of the time.
    """
    step, dirichlet, aggregate, split_pure, cap = rules
    numbers = known < 0
    label = np.int64(0) if numbers else np.int64(y)
    node: Index = np.int64(0)
    # A node that has not seen a row, the root or a new leaf, takes it without a loss.
    seen = facts[node, COUNT] > 0.0
    while True:
        child: Index = np.int64(-1)
        mixed = numbers or split_pure or facts[node, COUNT] != labels[node, label]
        if seen and mixed and marks[SIZE] < cap:
            extension = 0.0
            for j in range(rows.shape[1]):
                extension += _outside(rows[i, j], ranges[node, 0, j], ranges[node, 1, j])
            if extension > 0.0:
                if marks[PLACE] == SHEET:
                    turn(words, sheet)
                    marks[PLACE] = 0
                drawn = sheet[marks[PLACE]]
                marks[PLACE] += 1
                time, end = facts[node, TIME], np.inf
                if links[node, LEFT] >= 0:
                    end = facts[links[node, LEFT], TIME]
                # The logarithm is at least what was drawn: most nodes go on without it.
                if drawn < (end - time) * extension * 1.000001:
                    # When the node would have been split, had the row been there from the start.
                    time -= math.log(1.0 - drawn) / extension
                    if 0.0 < time < end:
                        child = _split(
                            rows[i],
                            node,
                            time,
                            order,
                            facts,
                            links,
                            ranges,
                            labels,
                            marks,
                            words,
                            sheet,
                        )
                        if child < 0:
                            return False
        for j in range(rows.shape[1]):
            # A range that is NaN is of a field not met before in this node.
            x, low, high = rows[i, j], ranges[node, 0, j], ranges[node, 1, j]
            ranges[node, 0, j] = x if x < low or low != low else low
            ranges[node, 1, j] = x if x > high or high != high else high
        facts[node, COUNT] += 1.0
        if numbers:
            error = labels[node, 0] - y
            if seen and aggregate:
                facts[node, WEIGHT] -= step * (error * error / 2.0)
            labels[node, 0] -= (1.0 / facts[node, COUNT]) * error
        else:
            if seen and aggregate:
                below = facts[node, COUNT] + dirichlet * known
                facts[node, WEIGHT] += step * math.log((labels[node, label] + dirichlet) / below)
            labels[node, label] += 1.0
        left, right = links[node, LEFT], links[node, RIGHT]
        if child >= 0:
            node, seen = child, False
        elif left < 0:
            break
        else:
            value = rows[i, links[node, FEATURE]]
            if value != value:
                node = right if facts[left, WEIGHT] < facts[right, WEIGHT] else left
            else:
                node = left if value <= facts[node, THRESHOLD] else right
    while aggregate and node >= 0:
        # From the leaf to the root, the weights of all prunings of what is below each node.
        whole = facts[node, WEIGHT]
        if links[node, LEFT] >= 0:
            below = facts[links[node, LEFT], WHOLE] + facts[links[node, RIGHT], WHOLE]
            gap = abs(whole - below)
            whole = max(whole, below) + HALF
            if gap < NOTHING:
                # To 1e-16 what log1p would give, which takes ten times as long.
                whole += math.log(1.0 + math.exp(-gap))
        facts[node, WHOLE] = whole
        node = np.int64(links[node, PARENT])
    return True


@njit
def _outside(x: float, low: float, high: float) -> float:
    below = low - x if x < low else 0.0
    above = x - high if x > high else 0.0
    return below + above


@njit
def _split(
    x: Floats,
    node: Index,
    time: float,
    order: Integers,
    facts: Floats,
    links: Links,
    ranges: Floats,
    labels: Floats,
    marks: Integers,
    words: Words,
    sheet: Floats,
) -> Index:
    """Split a node above what it was, and return the new leaf, or -1 if a range is infinite.

    A field is drawn by how far the row is outside of its range, then a threshold in between. What
    the node was goes one level down, beside the new leaf; the node stays at its place.
    """
    limits = ranges[node]
    total = 0.0
    for j in order:
        total += _outside(x[j], limits[0, j], limits[1, j])
    if not total < np.inf:
        return -1
    goal = _draw(marks, words, sheet) * total
    passed, feature = 0.0, -1
    for j in order:
        outside = _outside(x[j], limits[0, j], limits[1, j])
        if outside > 0.0:
            passed += outside
            feature = j
            if passed > goal:
                break
    to_right = x[feature] > limits[1, feature]
    if to_right:
        low, high = limits[1, feature], x[feature]
    else:
        low, high = x[feature], limits[0, feature]
    threshold = low + (high - low) * _draw(marks, words, sheet)
    old, new = marks[SIZE], marks[SIZE] + 1
    marks[SIZE] += 2
    _copy(node, old, facts, links, ranges, labels)
    facts[old, TIME] = time
    links[old, PARENT] = node
    if links[old, LEFT] >= 0:
        links[links[old, LEFT], PARENT] = old
        links[links[old, RIGHT], PARENT] = old
    for column in range(facts.shape[1]):
        facts[new, column] = 0.0
    for c in range(labels.shape[1]):
        labels[new, c] = 0.0
    for j in range(len(x)):
        ranges[new, 0, j] = ranges[new, 1, j] = np.nan
    facts[new, TIME] = time
    links[new, PARENT], links[new, LEFT], links[new, RIGHT] = node, -1, -1
    facts[node, THRESHOLD] = threshold
    links[node, FEATURE] = feature
    links[node, LEFT] = old if to_right else new
    links[node, RIGHT] = new if to_right else old
    return int(new)


@njit
def _copy(
    node: Index, to: Index, facts: Floats, links: Links, ranges: Floats, labels: Floats
) -> None:
    for column in range(facts.shape[1]):
        facts[to, column] = facts[node, column]
    for column in range(links.shape[1]):
        links[to, column] = links[node, column]
    for j in range(ranges.shape[2]):
        ranges[to, 0, j] = ranges[node, 0, j]
        ranges[to, 1, j] = ranges[node, 1, j]
    for c in range(labels.shape[1]):
        labels[to, c] = labels[node, c]


@njit
def _draw(marks: Integers, words: Words, sheet: Floats) -> float:
    if marks[PLACE] == SHEET:
        turn(words, sheet)
        marks[PLACE] = 0
    marks[PLACE] += 1
    return float(sheet[marks[PLACE] - 1])
