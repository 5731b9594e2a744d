"""Kernels of aggregated Mondrian trees: how one tree is asked and how it learns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learners.base import LEARN, PREDICT, Floats
from learners.compiled.flow import Ops
from learners.compiled.jit import njit
from learners.compiled.twister import Words, uniform

# Columns of facts.
TIME, THRESHOLD, WEIGHT, WHOLE, COUNT = range(5)
# Columns of links; a leaf has no left child, which is -1.
PARENT, LEFT, RIGHT, FEATURE = range(4)

Links = NDArray[np.int32]
Integers = NDArray[np.int64]
# Of all trees, by tree and node: facts, links, ranges (least and largest by field), and what is
# known of the labels, which is counts by class or the mean. Then by tree how many nodes there are.
Forest = tuple[Floats, Links, Floats, Floats, Integers]
# The same of one tree, the number of nodes apart.
Tree = tuple[Floats, Links, Floats, Floats]
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
    draws: NDArray[np.uint32],
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
    draws
        By tree the state of its random numbers.
    answers
        float64[n, k]: the mean over the trees of probabilities, or of the answers, is added.
    """
    facts, links, ranges, labels, sizes = forest
    trees = len(sizes)
    scores = np.empty(answers.shape[1])
    for t in range(trees):
        tree = (facts[t], links[t], ranges[t], labels[t])
        known = classes
        for i in range(len(op)):
            if op[i] & PREDICT and facts[t, 0, COUNT] > 0.0:
                _ask(asked[i], tree, rules, known, scores)
                for c in range(max(known, 1)):
                    answers[i, c] += scores[c] / trees
            if op[i] & LEARN and y[i] == y[i]:
                if known >= 0:
                    known = max(known, int(y[i]) + 1)
                size = _learn(taught[i], y[i], order, known, rules, tree, int(sizes[t]), draws[t])
                if size < 0:
                    return i
                sizes[t] = size
    return -1


@njit
def _ask(x: Floats, tree: Tree, rules: Rules, known: int, scores: Floats) -> None:
    """Write what a tree answers: the leaf's answer mixed with those of the nodes above it."""
    facts, links, _, labels = tree
    _, dirichlet, aggregate, _, _ = rules
    node = np.int64(0)
    while links[node, LEFT] >= 0:
        node = _next(x, node, tree)
    width = known if known >= 0 else 1
    for c in range(width):
        scores[c] = 0.0
    share = 1.0
    while node >= 0:
        below = facts[node, COUNT] + dirichlet * known
        for c in range(width):
            score = (labels[node, c] + dirichlet) / below if known >= 0 else labels[node, c]
            scores[c] = share * score + (1.0 - share) * scores[c]
        node = links[node, PARENT]
        if not aggregate:
            return
        if node >= 0:
            share = 0.5 * math.exp(facts[node, WEIGHT] - facts[node, WHOLE])
    if known >= 0:
        total = 0.0
        for c in range(width):
            total += scores[c]
        for c in range(width):
            scores[c] /= total


@njit
def _next(x: Floats, node: int, tree: Tree) -> int:
    """Return the child for a row; without the field, the one with the larger weight."""
    facts, links, _, _ = tree
    left, right = links[node, LEFT], links[node, RIGHT]
    value = x[links[node, FEATURE]]
    if value != value:
        return int(right if facts[left, WEIGHT] < facts[right, WEIGHT] else left)
    return int(left if value <= facts[node, THRESHOLD] else right)


@njit
def _learn(
    x: Floats,
    y: float,
    order: Integers,
    known: int,
    rules: Rules,
    tree: Tree,
    size: int,
    words: Words,
) -> int:
    """Let a tree learn a row; return how many nodes it has then, -1 if a range is infinite."""
    facts, links, ranges, labels = tree
    _, _, aggregate, split_pure, cap = rules
    node = np.int64(0)
    # A node that has not seen a row, the root or a new leaf, takes it without a loss.
    seen = facts[node, COUNT] > 0.0
    while True:
        child = np.int64(-1)
        mixed = known < 0 or split_pure or facts[node, COUNT] != labels[node, int(y)]
        if seen and mixed and size < cap:
            extension = _extension(x, ranges[node])
            if extension > 0.0:
                # When the node would have been split, had the row been there from the start.
                time = facts[node, TIME] - math.log(1.0 - uniform(words)) / extension
                left = links[node, LEFT]
                if time > 0.0 and (left < 0 or time < facts[left, TIME]):
                    child = _split(x, node, time, order, tree, size, words)
                    if child < 0:
                        return -1
                    size += 2
        _update(x, y, node, known, rules, tree, seen)
        if child >= 0:
            node, seen = child, False
        elif links[node, LEFT] >= 0:
            node = _next(x, node, tree)
        else:
            break
    if aggregate:
        _climb(node, tree)
    return size


@njit
def _extension(x: Floats, limits: Floats) -> float:
    """Return how far outside of a node's ranges a row is, summed over the fields of both."""
    total = 0.0
    for j in range(len(x)):
        total += _outside(x[j], limits[0, j], limits[1, j])
    return total


@njit
def _outside(x: float, low: float, high: float) -> float:
    if x < low:
        return low - x
    if x > high:
        return x - high
    return 0.0


@njit
def _split(
    x: Floats, node: int, time: float, order: Integers, tree: Tree, size: int, words: Words
) -> int:
    """Split a node above what it was, and return the new leaf, or -1 if a range is infinite.

    A field is drawn by how far the row is outside of its range, then a threshold in between. What
    the node was goes one level down, beside the new leaf; the node stays at its place.
    """
    facts, links, ranges, labels = tree
    limits = ranges[node]
    total = 0.0
    for j in order:
        total += _outside(x[j], limits[0, j], limits[1, j])
    if not total < np.inf:
        return -1
    goal = uniform(words) * total
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
    threshold = low + (high - low) * uniform(words)
    old, new = size, size + 1
    _copy(node, old, tree)
    facts[old, TIME] = time
    links[old, PARENT] = node
    if links[old, LEFT] >= 0:
        links[links[old, LEFT], PARENT] = old
        links[links[old, RIGHT], PARENT] = old
    for column in range(facts.shape[1]):
        facts[new, column] = 0.0
    for c in range(labels.shape[1]):
        labels[new, c] = 0.0
    facts[new, TIME] = time
    links[new, PARENT], links[new, LEFT], links[new, RIGHT] = node, -1, -1
    facts[node, THRESHOLD] = threshold
    links[node, FEATURE] = feature
    links[node, LEFT] = old if to_right else new
    links[node, RIGHT] = new if to_right else old
    return new


@njit
def _copy(node: int, to: int, tree: Tree) -> None:
    facts, links, ranges, labels = tree
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
def _update(
    x: Floats, y: float, node: int, known: int, rules: Rules, tree: Tree, seen: bool
) -> None:
    """Take a row into a node: its ranges, its weight by the loss of its answer, its labels."""
    facts, _, ranges, labels = tree
    step, dirichlet, aggregate, _, _ = rules
    for j in range(len(x)):
        # A range that is NaN is of a field not met before in this node.
        if not seen or ranges[node, 0, j] != ranges[node, 0, j]:
            ranges[node, 0, j] = ranges[node, 1, j] = x[j]
        elif x[j] < ranges[node, 0, j]:
            ranges[node, 0, j] = x[j]
        elif x[j] > ranges[node, 1, j]:
            ranges[node, 1, j] = x[j]
    facts[node, COUNT] += 1.0
    if known >= 0:
        c = int(y)
        if seen and aggregate:
            chance = (labels[node, c] + dirichlet) / (facts[node, COUNT] + dirichlet * known)
            facts[node, WEIGHT] += step * math.log(chance)
        labels[node, c] += 1.0
    else:
        error = labels[node, 0] - y
        if seen and aggregate:
            facts[node, WEIGHT] -= step * (error * error / 2.0)
        labels[node, 0] -= (1.0 / facts[node, COUNT]) * error


@njit
def _climb(node: int, tree: Tree) -> None:
    """From a leaf to the root, sum the weights of all prunings of what is below each node."""
    facts, links, _, _ = tree
    facts[node, WHOLE] = facts[node, WEIGHT]
    node = links[node, PARENT]
    while node >= 0:
        a = facts[node, WEIGHT]
        b = facts[links[node, LEFT], WHOLE] + facts[links[node, RIGHT], WHOLE]
        facts[node, WHOLE] = max(a, b) - math.log(2.0) + math.log1p(math.exp(-abs(a - b)))
        node = links[node, PARENT]
