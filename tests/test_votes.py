"""Votes against a second implementation, written from the formulas in plain Python."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensembles import votes
from learners.base import Floats

Block = tuple[Floats, Floats, Floats]
LOSSES = st.lists(st.one_of(st.just(math.nan), st.floats(0, 1)), max_size=30)


def block(members: int, n: int, k: int, seed: int) -> Block:
    """Weights, values (some missing) and probabilities of members for n rows of k classes."""
    random = np.random.default_rng(seed)
    probas = random.dirichlet(np.ones(k), (members, n))
    values = probas.argmax(axis=2).astype(float)
    values[random.random((members, n)) < 0.2] = math.nan
    return random.random((members, n)), values, probas


@given(LOSSES, st.floats(0.5, 1))
def test_discounted_is_the_sum_over_all_losses_so_far(losses: list[float], decay: float) -> None:
    # The second member shows that none has a part in another.
    both = np.array([losses, [1.0] * len(losses)]).reshape(2, len(losses))
    (totals, _), (counts, _) = votes.discounted(both, [0.0, 7.0], [0.0, 7.0], decay)
    for row in range(len(losses) + 1):
        told = [loss for loss in losses[:row] if not math.isnan(loss)]
        powers = [decay ** (len(told) - 1 - i) for i in range(len(told))]
        total = math.fsum(p * loss for p, loss in zip(powers, told, strict=True))
        assert totals[row] == pytest.approx(total, abs=1e-12)
        assert counts[row] == pytest.approx(math.fsum(powers))


@given(LOSSES, st.integers(0, 30))
def test_discounting_can_stop_and_go_on(losses: list[float], cut: int) -> None:
    row = np.array([losses]).reshape(1, len(losses))
    whole = votes.discounted(row, [0.3], [1.0], 0.9)
    totals, counts = votes.discounted(row[:, :cut].copy(), [0.3], [1.0], 0.9)
    second = votes.discounted(row[:, cut:].copy(), totals[:, -1], counts[:, -1], 0.9)
    np.testing.assert_array_equal(np.hstack([totals[:, :-1], second[0]]), whole[0])
    np.testing.assert_array_equal(np.hstack([counts[:, :-1], second[1]]), whole[1])


@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 3)), min_size=1, max_size=12))
def test_loss_weights_are_fourth_powers_of_the_lowest_mean_over_the_own(
    pairs: list[tuple[float, int]],
) -> None:
    totals = np.array([[total if count else 0.0] for total, count in pairs])
    counts = np.array([[float(count)] for _, count in pairs])
    means = [total / count + 1e-12 if count else math.inf for total, count in pairs]
    expected: list[Any] = [(min(means) / mean) ** 4 if mean < math.inf else None for mean in means]
    known = [weight for weight in expected if weight is not None]
    average = sum(known) / len(known) if known else 1.0
    expected = [average if weight is None else weight for weight in expected]
    np.testing.assert_allclose(votes.loss_weights(totals, counts)[:, 0], expected, rtol=1e-12)


@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_class_votes_are_weighted_averages(members: int, n: int, k: int, seed: int) -> None:
    weights, values, probas = block(members, n, k, seed)
    answer = votes.class_votes(weights, values, probas)
    assert answer.proba is not None
    for i in range(n):
        voting = [m for m in range(members) if not math.isnan(values[m, i])]
        whole = sum(weights[m, i] for m in voting)
        if not voting:
            assert math.isnan(answer.value[i])
            continue
        expected = [sum(weights[m, i] * probas[m, i, c] for m in voting) / whole for c in range(k)]
        np.testing.assert_allclose(answer.proba[i], expected, rtol=1e-12)
        assert expected[int(answer.value[i])] == pytest.approx(max(expected))


@given(st.integers(1, 14), st.integers(2, 40), st.integers(1, 39), st.integers(0, 2**32 - 1))
def test_cutting_a_block_changes_no_bit(members: int, n: int, cut: int, seed: int) -> None:
    weights, values, probas = block(members, n, 3, seed)
    whole = votes.class_votes(weights, values, probas)
    numbers = votes.number_votes(weights, values)
    for part in (slice(None, cut), slice(cut, None)):
        piece = votes.class_votes(weights[:, part], values[:, part], probas[:, part])
        assert whole.proba is not None and piece.proba is not None
        np.testing.assert_array_equal(piece.value, whole.value[part])
        np.testing.assert_array_equal(piece.proba, whole.proba[part])
        number = votes.number_votes(weights[:, part], values[:, part])
        np.testing.assert_array_equal(number.value, numbers.value[part])


def test_a_tie_goes_to_what_most_of_the_weight_answered() -> None:
    probas = np.array([[[0.5, 0.5]], [[0.5, 0.5]]])
    answer = votes.class_votes(np.array([[1.0], [2.0]]), np.array([[0.0], [1.0]]), probas)
    assert answer.value.tolist() == [1.0]


@given(st.integers(1, 9), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_number_votes_are_weighted_averages(members: int, n: int, seed: int) -> None:
    weights, values, _ = block(members, n, 4, seed)
    answer = votes.number_votes(weights, values)
    for i in range(n):
        voting = [m for m in range(members) if not math.isnan(values[m, i])]
        expected = (
            sum(weights[m, i] * values[m, i] for m in voting) / sum(weights[m, i] for m in voting)
            if voting
            else math.nan
        )
        assert answer.value[i] == pytest.approx(expected, nan_ok=True)


def test_losses_are_squared_and_missing_without_an_answer() -> None:
    probas = np.array([[[0.2, 0.8], [0.5, 0.5]]])
    losses = votes.class_losses(np.array([1, 0]), np.array([[1.0, math.nan]]), probas)
    np.testing.assert_allclose(losses, [[0.04, math.nan]])
    numbers = votes.number_losses(np.array([1.0, 2.0]), np.array([[3.0, math.nan]]))
    np.testing.assert_allclose(numbers, [[4.0, math.nan]])
