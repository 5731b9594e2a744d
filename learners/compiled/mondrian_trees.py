"""Kernels of aggregated Mondrian trees: how they are asked and how they learn."""

from __future__ import annotations

import math

import numpy as np

from learners.base import LEARN, PREDICT, Floats
from learners.compiled.flow import Ops
from learners.compiled.jit import njit
from learners.compiled.mondrian_nodes import (
    COUNT,
    FEATURE,
    LABELS,
    LEFT,
    MASS,
    MASS_POWER,
    MINE,
    PARENT,
    PLACE,
    RIGHT,
    SIZE,
    SPAN,
    THRESHOLD,
    TIME,
    WEIGHT,
    WHOLE,
    WHOLE_POWER,
    Index,
    Integers,
    Links,
    likelihood,
    outside,
    split,
)
from learners.compiled.twister import SHEET, Words, turn

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
    """Answer and learn a block, tree by tree; return the first row that a tree cannot learn, or -1.

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
        row = _tree(
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
        if row >= 0 and (failed < 0 or row < failed):
            failed = row
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
                    extension += outside(taught[i, j], ranges[node, 0, j], ranges[node, 1, j])
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
                            child = split(
                                taught,
                                i,
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
                nodes[node, label] -= (1.0 / nodes[node, COUNT]) * error
                gain = -step * (error * error / 2.0)
                factor, power = likelihood(gain)
            else:
                below = nodes[node, COUNT] + dirichlet * known
                factor, power = (nodes[node, label] + dirichlet) / below, 0.0
                nodes[node, label] += 1.0
                gain = step * math.log(factor)
                if step != 1.0:
                    factor, power = likelihood(gain)
            if seen and aggregate:
                nodes[node, WEIGHT] += gain
                nodes[node, MASS] *= factor
                nodes[node, MASS_POWER] += power
                if nodes[node, MASS] < 1.0 / SPAN:
                    nodes[node, MASS] *= SPAN
                    nodes[node, MASS_POWER] -= 1.0
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
        # From the leaf to the root, the likelihoods of all prunings of what is below each node.
        while aggregate and node >= 0:
            whole, power = nodes[node, MASS], nodes[node, MASS_POWER]
            left, right = links[node, LEFT], links[node, RIGHT]
            if left >= 0:
                both = nodes[left, WHOLE] * nodes[right, WHOLE]
                apart = nodes[left, WHOLE_POWER] + nodes[right, WHOLE_POWER] - power
                if both < 1.0 / SPAN:
                    both *= SPAN
                    apart -= 1.0
                # Beside the other, what is two powers less is nothing.
                if apart > 0.0:
                    whole = whole / SPAN if apart == 1.0 else 0.0
                    power += apart
                elif apart < 0.0:
                    both = both / SPAN if apart == -1.0 else 0.0
                nodes[node, MINE] = whole / (whole + both)
                whole = 0.5 * (whole + both)
                if whole < 1.0 / SPAN:
                    whole *= SPAN
                    power -= 1.0
            nodes[node, WHOLE], nodes[node, WHOLE_POWER] = whole, power
            node = np.int64(links[node, PARENT])
    return -1
