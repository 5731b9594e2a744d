"""How the members of an ensemble vote together, and how their votes are weighted.

Every operation is elementwise, or a sum over members in their order, and none calls a
transcendental function: how many rows are in a block cannot change a bit of the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learners.base import Floats, Predictions
from learners.compiled.jit import lean

VOTES = ("recent_loss", "uniform", "age")

_FLOOR = 1e-12


def age_weights(ages: Sequence[int], decay: float) -> Floats:
    """Return decay ** age: float64[m], 1 for a member of age 0.

    Examples
    --------
    >>> age_weights([2, 1, 0], 0.5).tolist()
    [0.25, 0.5, 1.0]
    """
    return np.array([decay**age for age in ages], np.float64)


def discounted(
    losses: Floats, total: Sequence[float] | Floats, count: Sequence[float] | Floats, decay: float
) -> tuple[Floats, Floats]:
    """Discount members' losses: total = decay * total + loss, count = decay * count + 1.

    Parameters
    ----------
    losses
        float64[m, n], each member's loss on each row; NaN leaves total and count as they are.
    total, count
        What both are before the first row, by member.
    decay
        What an older loss counts against the one after it, in (0, 1].

    Returns
    -------
    totals, counts
        What both are before each row, and after the last: float64[m, n + 1].

    Examples
    --------
    >>> totals, counts = discounted(np.array([[1.0, 0.0]]), [0.0], [0.0], 0.5)
    >>> totals.tolist(), counts.tolist()
    ([[0.0, 1.0, 0.5]], [[0.0, 1.0, 1.5]])
    """
    totals, counts = (np.empty((len(losses), losses.shape[1] + 1)) for _ in range(2))
    totals[:, 0], counts[:, 0] = total, count
    _discount(losses, decay, totals, counts)
    return totals, counts


@lean
def _discount(losses: Floats, decay: float, totals: Floats, counts: Floats) -> None:
    for i in range(losses.shape[0]):
        for j in range(losses.shape[1]):
            totals[i, j + 1], counts[i, j + 1] = totals[i, j], counts[i, j]
            if losses[i, j] == losses[i, j]:
                totals[i, j + 1] = decay * totals[i, j] + losses[i, j]
                counts[i, j + 1] = decay * counts[i, j] + 1.0


def loss_weights(totals: Floats, counts: Floats) -> Floats:
    """Weigh members by their recent loss: (lowest / own mean discounted squared error) ** 4.

    The inverse of the mean squared error weighs forecasts that are independent best (Bates and
    Granger, "The combination of forecasts", 1969). Its fourth power follows drift faster, since
    members of windows before a drift lose their say. A member without losses weighs what the
    others weigh on average, or 1.

    Parameters
    ----------
    totals, counts
        float64[m, n], from `discounted`.

    Returns
    -------
    float64[m, n].

    Examples
    --------
    >>> totals, counts = np.array([[1.0], [0.5], [0.0]]), np.array([[2.0], [2.0], [0.0]])
    >>> loss_weights(totals, counts).round(2).tolist()
    [[0.06], [1.0], [0.53]]
    """
    judged = counts > 0
    mean = np.where(judged, totals / np.where(judged, counts, 1.0) + _FLOOR, math.inf)
    lowest = mean.min(axis=0)
    ratio = np.where(judged, np.where(judged.any(axis=0), lowest, 1.0) / mean, 0.0)
    squared = ratio * ratio
    weights = squared * squared
    if judged.all():
        return np.asarray(weights)
    others = ordered_sum(judged.astype(np.float64))
    average = np.where(others > 0, ordered_sum(weights) / np.maximum(others, 1.0), 1.0)
    return np.asarray(np.where(judged, weights, average))


def class_votes(weights: Floats, values: Floats, probas: Floats) -> Predictions:
    """Average members' probabilities; the answer is the class of the highest.

    Among classes within 1e-9 of it, it is the one that most of the weight answered, then the
    first.

    Parameters
    ----------
    weights
        float64[m, n].
    values
        float64[m, n], NaN where a member has no answer and so no vote.
    probas
        float64[m, n, k].
    """
    given = np.where(np.isnan(values), 0.0, weights)
    total = ordered_sum(given)
    summed = ordered_sum(given[:, :, None] * probas)
    answered = total > 0
    proba = summed / np.where(answered, total, 1.0)[:, None]
    if not proba.shape[1]:
        return Predictions(np.full(len(total), math.nan), proba)
    best = proba.argmax(axis=1)
    leads = proba >= proba.max(axis=1, keepdims=True) - 1e-9
    tied = np.flatnonzero(leads.sum(axis=1) > 1)
    if len(tied):
        codes = np.arange(proba.shape[1])
        answers = given[:, tied, None] * (values[:, tied, None] == codes)
        best[tied] = np.where(leads[tied], ordered_sum(answers), -1.0).argmax(axis=1)
    return Predictions(np.where(answered, best, math.nan), proba)


def number_votes(weights: Floats, values: Floats) -> Predictions:
    """Average members' numbers: weights and values float64[m, n], NaN in `values` for no vote."""
    silent = np.isnan(values)
    given = np.where(silent, 0.0, weights)
    total = ordered_sum(given)
    summed = ordered_sum(given * np.where(silent, 0.0, values))
    answered = total > 0
    return Predictions(np.where(answered, summed / np.where(answered, total, 1.0), math.nan))


def class_losses(codes: NDArray[np.int64], values: Floats, probas: Floats) -> Floats:
    """Return (1 - p)**2 of the true class's probability: float64[m, n], NaN where no answer."""
    missed = 1.0 - probas[:, np.arange(len(codes)), codes]
    return np.where(np.isnan(values), math.nan, missed * missed)


def number_losses(targets: Floats, values: Floats) -> Floats:
    """Return squared errors: float64[m, n], NaN where a member has no answer."""
    missed = values - targets
    return missed * missed


def ordered_sum(terms: Floats) -> Floats:
    """Sum over members one after the other; numpy's own sum groups them by the block's shape."""
    return np.asarray(np.add.accumulate(terms, axis=0)[-1])
