"""One vote of the members over a block of rows, and what the labels then say of each member."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from ensembles.members import Member
from ensembles.votes import (
    age_weights,
    class_losses,
    class_votes,
    discounted,
    loss_weights,
    number_losses,
    number_votes,
)
from learners.base import LEARN, PREDICT, Examples, Floats, Predictions, Task


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """How an ensemble rolls and votes.

    Attributes
    ----------
    window
        Learned records in a member's window.
    keep
        Closed members that are kept; the oldest goes first.
    go_on
        Whether a closed member goes on learning.
    vote
        "recent_loss", "uniform" or "age", see `ensembles.votes`.
    decay
        What the vote discounts with.
    vote_after
        Records the open member learns before it votes beside closed ones.
    """

    window: int
    keep: int
    go_on: bool
    vote: str
    decay: float
    vote_after: int


def hold(
    rows: Examples,
    members: list[Member],
    answers: list[Predictions],
    task: Task,
    rules: Rules,
    newest: int,
) -> Predictions:
    """Combine the members' answers to all rows; discount the loss of each by the labels learned.

    A loss counts from the row after its own. The member of index `newest` is the open one: it
    votes once it has learned `rules.vote_after` records, or where no closed one has an answer.
    """
    learns = (rows.op & LEARN) != 0
    values = np.array([answer.value for answer in answers])
    probas = None
    if task is Task.CLASSIFICATION:
        probas = stacked(answers, values, len(rows.classes))
        values = np.where(np.isnan(probas).any(axis=2), math.nan, values)
    if len(members) > 1 or learns.any():
        weights = _judged(rows, learns, members, values, probas, rules, newest)
    if len(members) == 1:
        # Not weighted, so that a lone member's answer is what it is to the last bit.
        answer = Predictions(values[0], None if probas is None else probas[0])
    else:
        if members[-1].index == newest:
            before = members[-1].learned + np.cumsum(learns) - learns
            closed = ~np.isnan(values[:-1]).all(axis=0)
            weights[-1] = np.where((before < rules.vote_after) & closed, 0.0, weights[-1])
        if probas is None:
            answer = number_votes(weights, values)
        else:
            answer = class_votes(weights, values, probas)
    silent = (rows.op & PREDICT) == 0
    if silent.any():
        answer.value[silent] = math.nan
        if answer.proba is not None:
            answer.proba[silent] = 0.0
    return answer


def weights_of(
    members: list[Member], totals: Floats, counts: Floats, rules: Rules, newest: int
) -> Floats:
    """Return float64[m, n], the weight of each member's vote; totals and counts are as large."""
    if rules.vote == "recent_loss":
        return loss_weights(totals, counts)
    decay = rules.decay if rules.vote == "age" else 1.0
    ages = [newest - member.index for member in members]
    return np.repeat(age_weights(ages, decay)[:, None], totals.shape[1], axis=1)


def silence(n: int, task: Task, rows: Examples) -> Predictions:
    """Return no answer to n of the rows."""
    known = task is Task.CLASSIFICATION
    return Predictions(np.full(n, math.nan), np.zeros((n, len(rows.classes))) if known else None)


def joined(pieces: list[Predictions], refused: dict[int, str]) -> Predictions:
    """Return the answers to consecutive rows, at least one piece of them, as one."""
    if len(pieces) == 1:
        return Predictions(pieces[0].value, pieces[0].proba, refused)
    probas = [piece.proba for piece in pieces if piece.proba is not None]
    return Predictions(
        np.concatenate([piece.value for piece in pieces]),
        np.concatenate(probas) if probas else None,
        refused,
    )


def stacked(answers: list[Predictions], values: Floats, k: int) -> Floats:
    """Return float64[m, n, k]; an answer without probabilities is certain of its class."""
    nothing = np.zeros((values.shape[1], k))
    probas = np.array([nothing if a.proba is None else a.proba for a in answers])
    certain = ~(probas.any(axis=2) | np.isnan(values))
    if certain.any():
        probas[certain, values[certain].astype(np.int64)] = 1.0
    return probas


def _judged(
    rows: Examples,
    learns: Any,
    members: list[Member],
    values: Floats,
    probas: Floats | None,
    rules: Rules,
    newest: int,
) -> Floats:
    """Return the weights before each row, and leave each member with its losses after the last."""
    n = len(rows)
    if not learns.any():
        totals = np.array([[member.total] for member in members])
        counts = np.array([[member.count] for member in members])
        weights = weights_of(members, totals, counts, rules, newest)
        return np.repeat(weights, n, axis=1)
    if probas is None:
        losses = number_losses(rows.y, values)
    else:
        codes = np.where(learns, rows.y, 0.0).astype(np.int64)
        losses = class_losses(codes, values, probas)
    losses = np.where(learns, losses, math.nan)
    had = [member.total for member in members], [member.count for member in members]
    totals, counts = discounted(np.ascontiguousarray(losses), *had, rules.decay)
    for member, total, count in zip(members, totals[:, -1], counts[:, -1], strict=True):
        member.total, member.count = float(total), float(count)
    return weights_of(members, totals[:, :-1], counts[:, :-1], rules, newest)
