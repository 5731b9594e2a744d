"""Kernels of aggregated Mondrian trees: how one tree is asked and how it learns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learners.base import LEARN, PREDICT, Floats
from learners.compiled.flow import Ops
from learners.compiled.jit import njit
from learners.compiled.twister import SHEET, Words, turn

# Columns of nodes. WEIGHT is the log likelihood of what a node answered, WHOLE that of all prunings
# of what is below it, MINE the share of the node in these. Then comes what is known of the labels,
# which is counts by class or the mean.
TIME, THRESHOLD, WEIGHT, WHOLE, MINE, COUNT = range(6)
LABELS = 6
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
# By tree and node: nodes, the least and the largest value by field, and links; by tree: marks, and
# the words and sheet of its random numbers.
Forest = tuple[Floats, Floats, Links, Integers, Words, Floats]
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
    nodes, ranges, links, marks, words, sheets = forest
    failed = -1
    for t in range(len(marks)):
        if failed < 0:
            failed = _tree(
                asked,
                taught,
                op,
                y,
                order,
                classes,
                rules,
                nodes[t],
                ranges[t],
                links[t],
                marks[t],
                words[t],
                sheets[t],
                len(marks),
                answers,
            )
    return failed


@njit
def _tree(
    asked: Floats,
    taught: Floats,
    op: Ops,
    y: Floats,
    order: Integers,
    known: int,
    rules: Rules,
    nodes: Floats,
    ranges: Floats,
    links: Links,
    marks: Integers,
    words: Words,
    sheet: Floats,
    trees: int,
    answers: Floats,
) -> int:
    """Let one tree answer and learn a block; see `grow`.

    It is written out in one piece: an inner call counts references to each array it is given,
    which took a third of the time.
    """
    step, dirichlet, aggregate, split_pure, cap = rules
    d = taught.shape[1]
    numbers = known < 0
    scores = np.zeros(answers.shape[1])
    for i in range(len(op)):
        if op[i] & PREDICT and nodes[0, COUNT] > 0.0:
            width = 1 if numbers else known
            node: Index = np.int64(0)
            while links[node, LEFT] >= 0:
                left, right = links[node, LEFT], links[node, RIGHT]
                value = asked[i, links[node, FEATURE]]
                if value == value:
                    node = left if value <= nodes[node, THRESHOLD] else right
                else:
                    # Without the field of the split, to the child with the larger weight.
                    node = right if nodes[left, WEIGHT] < nodes[right, WEIGHT] else left
            # What the leaf answers is mixed with what the nodes above it do.
            share = 1.0
            while node >= 0:
                if share > 0.0:
                    below = 1.0 / (nodes[node, COUNT] + dirichlet * known)
                    for c in range(width):
                        score = nodes[node, LABELS + c]
                        if not numbers:
                            score = (score + dirichlet) * below
                        scores[c] = share * score + (1.0 - share) * scores[c]
                node = np.int64(links[node, PARENT]) if aggregate else np.int64(-1)
                if node >= 0:
                    share = nodes[node, MINE]
            total = 1.0
            if not numbers:
                total = 0.0
                for c in range(width):
                    total += scores[c]
            for c in range(width):
                answers[i, c] += scores[c] / total / trees
                scores[c] = 0.0
        if not op[i] & LEARN or y[i] != y[i]:
            continue
        label = np.int64(LABELS)
        if not numbers:
            known = max(known, int(y[i]) + 1)
            label += int(y[i])
        node = np.int64(0)
        # A node that has not seen a row, the root or a new leaf, takes it without a loss.
        seen = nodes[node, COUNT] > 0.0
        while True:
            # Counted without a branch, so that the compiler looks at several fields at once.
            strange = 0
            for j in range(d):
                x, low, high = taught[i, j], ranges[node, 0, j], ranges[node, 1, j]
                strange += int((x < low) | (x > high) | ((low != low) & (x == x)))
            child: Index = np.int64(-1)
            mixed = numbers or split_pure or nodes[node, COUNT] != nodes[node, label]
            if strange > 0 and seen and mixed and marks[SIZE] < cap:
                extension = 0.0
                for j in range(d):
                    extension += _beyond(taught[i, j], ranges[node, 0, j], ranges[node, 1, j])
                # A field that is new in this node does not extend what it has.
                if extension > 0.0:
                    if marks[PLACE] == SHEET:
                        turn(words, sheet)
                        marks[PLACE] = 0
                    drawn = sheet[marks[PLACE]]
                    marks[PLACE] += 1
                    time, end = nodes[node, TIME], np.inf
                    if links[node, LEFT] >= 0:
                        end = nodes[links[node, LEFT], TIME]
                    # The logarithm is at least what was drawn: most nodes go on without it.
                    if drawn < (end - time) * extension * 1.000001:
                        # When it would have been split, had the row been there from the start.
                        time -= math.log(1.0 - drawn) / extension
                        if 0.0 < time < end:
                            child = _split(
                                taught[i],
                                node,
                                time,
                                order,
                                nodes,
                                ranges,
                                links,
                                marks,
                                words,
                                sheet,
                            )
                            if child < 0:
                                return i
            if strange > 0:
                for j in range(d):
                    # A range that is NaN is of a field not met before in this node.
                    x, low, high = taught[i, j], ranges[node, 0, j], ranges[node, 1, j]
                    ranges[node, 0, j] = x if x < low or low != low else low
                    ranges[node, 1, j] = x if x > high or high != high else high
            nodes[node, COUNT] += 1.0
            if numbers:
                error = nodes[node, label] - y[i]
                if seen and aggregate:
                    nodes[node, WEIGHT] -= step * (error * error / 2.0)
                nodes[node, label] -= (1.0 / nodes[node, COUNT]) * error
            else:
                if seen and aggregate:
                    below = nodes[node, COUNT] + dirichlet * known
                    chance = (nodes[node, label] + dirichlet) / below
                    nodes[node, WEIGHT] += step * math.log(chance)
                nodes[node, label] += 1.0
            left, right = links[node, LEFT], links[node, RIGHT]
            if child >= 0:
                node, seen = child, False
            elif left < 0:
                break
            else:
                value = taught[i, links[node, FEATURE]]
                if value == value:
                    node = left if value <= nodes[node, THRESHOLD] else right
                else:
                    node = right if nodes[left, WEIGHT] < nodes[right, WEIGHT] else left
        # From the leaf to the root, the weights of all prunings of what is below each node.
        while aggregate and node >= 0:
            whole = nodes[node, WEIGHT]
            if links[node, LEFT] >= 0:
                below = nodes[links[node, LEFT], WHOLE] + nodes[links[node, RIGHT], WHOLE]
                gap = abs(whole - below)
                # To 1e-16 what log1p would give, which takes ten times as long.
                less = math.exp(-gap) if gap < NOTHING else 0.0
                nodes[node, MINE] = (1.0 if whole > below else less) / (1.0 + less)
                whole = max(whole, below) + HALF
                if less > 0.0:
                    whole += math.log(1.0 + less)
            nodes[node, WHOLE] = whole
            node = np.int64(links[node, PARENT])
    return -1


@njit
def _beyond(x: float, low: float, high: float) -> float:
    """Return how far a value is outside of a range, 0 where either is missing."""
    below = low - x if x < low else 0.0
    above = x - high if x > high else 0.0
    return below + above


@njit
def _split(
    x: Floats,
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
    lows, highs = ranges[node, 0], ranges[node, 1]
    total = 0.0
    for j in order:
        total += _beyond(x[j], lows[j], highs[j])
    if not total < np.inf:
        return -1
    goal = _draw(marks, words, sheet) * total
    passed, feature = 0.0, -1
    for j in order:
        beyond = _beyond(x[j], lows[j], highs[j])
        if beyond > 0.0:
            passed += beyond
            feature = j
            if passed > goal:
                break
    to_right = x[feature] > highs[feature]
    if to_right:
        start, end = highs[feature], x[feature]
    else:
        start, end = x[feature], lows[feature]
    threshold = start + (end - start) * _draw(marks, words, sheet)
    old, new = marks[SIZE], marks[SIZE] + 1
    marks[SIZE] += 2
    for column in range(nodes.shape[1]):
        nodes[old, column] = nodes[node, column]
        nodes[new, column] = 0.0
    for j in range(len(x)):
        ranges[old, 0, j], ranges[old, 1, j] = lows[j], highs[j]
        ranges[new, 0, j] = ranges[new, 1, j] = np.nan
    for column in range(links.shape[1]):
        links[old, column] = links[node, column]
    if links[old, LEFT] >= 0:
        links[links[old, LEFT], PARENT] = old
        links[links[old, RIGHT], PARENT] = old
    nodes[old, TIME] = nodes[new, TIME] = time
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
