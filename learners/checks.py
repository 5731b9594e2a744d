"""The contract of a learner as plain functions, to be run on any of them.

Each takes `make`, which returns an untrained learner, and `rows`, which it is run on; it raises
`AssertionError` where the contract is broken.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from learners.base import PREDICT, Examples, Learner, Predictions, State
from learners.digests import digest

Make = Callable[[], Learner]


def check_cuts(make: Make, rows: Examples, cuts: Sequence[int]) -> None:
    """Require that blocks cut before the numbers in `cuts` give the same answers and state."""
    whole, parts = make(), make()
    answer = whole.predict_learn(rows)
    same_answers(answer, predict_learn_cut(parts, rows, cuts))
    same_states(whole.state(), parts.state())
    assert digest(whole.estimator) == digest(parts.estimator), "the cut changed the digest"


def check_resumes(make: Make, rows: Examples, cuts: Sequence[int]) -> None:
    """Require the same where each block is taken by one restored from the one before."""
    whole = make()
    answer = whole.predict_learn(rows)
    answers, last = predict_learn_resumed(make(), rows, cuts)
    same_answers(answer, answers)
    same_states(whole.state(), last.state())
    assert digest(whole.estimator) == digest(last.estimator), "the cut changed the digest"


def check_predict_is_pure(make: Make, rows: Examples) -> None:
    """Require that predicting and saving change no state, digest or answer."""
    learner = make()
    learner.predict_learn(rows)
    before, state = digest(learner.estimator), learner.state()
    asked = rows.with_op(np.full(len(rows), PREDICT, np.uint8))
    first = learner.predict_learn(asked)
    same_answers(first, learner.predict_learn(asked))
    same_states(state, learner.state())
    assert digest(learner.estimator) == before, "predicting changed the digest"


def check_resume(make: Make, rows: Examples, cut: int) -> None:
    """Require that a learner restored from a state goes on as the one that gave it."""
    first, second = make(), make()
    first.predict_learn(rows[:cut])
    state = first.state()
    second.restore(state)
    same_states(state, second.state())
    same_answers(first.predict_learn(rows[cut:]), second.predict_learn(rows[cut:]))
    same_states(first.state(), second.state())
    assert digest(first.estimator) == digest(second.estimator), "the digest was not restored"


def check_state_is_private(make: Make, rows: Examples) -> None:
    """Require that a state does not change when its learner goes on, and that it is JSON."""
    learner, half = make(), len(rows) // 2
    learner.predict_learn(rows[:half])
    # One is read now, the other only when the learner has gone on, as by a thread that saves it.
    now, state = copy.deepcopy(learner.state()), learner.state()
    learner.predict_learn(rows[half:])
    same_states(now, state)
    for part in states_in(state):
        json.dumps(part.meta, allow_nan=False)


def check_fresh(make: Make, rows: Examples) -> None:
    """Require that an untrained copy of a trained learner is as one made anew."""
    learner, new = make(), make()
    untrained = new.state()
    learner.predict_learn(rows)
    fresh = learner.fresh()
    same_states(untrained, fresh.state())
    same_answers(new.predict_learn(rows), fresh.predict_learn(rows))


def check_refused(make: Make, rows: Examples, strange: Examples) -> None:
    """Require that refused rows leave the learner as if they had not been there."""
    without, among = make(), make()
    half = len(rows) // 2
    answer = without.predict_learn(rows)
    first = among.predict_learn(rows[:half])
    taken, reason = among.admit(strange)
    refused = among.predict_learn(strange).refused
    assert taken == 0 and reason, "the strange row is not refused"
    assert set(refused) == set(range(len(strange))), "admit and predict_learn do not agree"
    same_answers(answer, joined([first, among.predict_learn(rows[half:])]))
    same_states(without.state(), among.state())


def check_answers_come_first(make: Make, rows: Examples) -> None:
    """Require that no answer depends on the label of its own row, or of one after it."""
    half = len(rows) // 2
    y = rows.y.copy()
    y[half:] = np.roll(y[half:], 1)
    other = Examples(rows.rows, rows.op, y, rows.weight, rows.time, rows.classes)
    first, second = make().predict_learn(rows), make().predict_learn(other)
    np.testing.assert_array_equal(first.value[: half + 1], second.value[: half + 1])


def predict_learn_cut(learner: Learner, rows: Examples, cuts: Sequence[int]) -> Predictions:
    """Give the rows in blocks, cut before the numbers in `cuts`, and return one answer."""
    return joined([learner.predict_learn(block) for block in blocks(rows, cuts)])


def predict_learn_resumed(
    learner: Learner, rows: Examples, cuts: Sequence[int]
) -> tuple[Predictions, Learner]:
    """Do the same, saved and restored between blocks; return the last learner too."""
    pieces = []
    for block in blocks(rows, cuts):
        pieces.append(learner.predict_learn(block))
        state = learner.state()
        learner = learner.fresh()
        learner.restore(state)
    return joined(pieces), learner


def blocks(rows: Examples, cuts: Sequence[int]) -> Iterator[Examples]:
    """Yield the rows in blocks, cut before the numbers in `cuts`."""
    edges = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(rows)), len(rows)]
    for start, end in itertools.pairwise(edges):
        yield rows[start:end]


def joined(pieces: Sequence[Predictions]) -> Predictions:
    """Return answers to consecutive blocks as one."""
    probas = [piece.proba for piece in pieces if piece.proba is not None]
    refused: dict[int, str] = {}
    start = 0
    for piece in pieces:
        refused |= {start + i: reason for i, reason in piece.refused.items()}
        start += len(piece.value)
    return Predictions(
        np.concatenate([piece.value for piece in pieces]),
        np.concatenate(probas) if probas else None,
        refused,
    )


def same_answers(first: Predictions, second: Predictions) -> None:
    """Require equal answers, to the last bit."""
    np.testing.assert_array_equal(first.value, second.value)
    assert (first.proba is None) == (second.proba is None), "only one has probabilities"
    if first.proba is not None and second.proba is not None:
        np.testing.assert_array_equal(first.proba, second.proba)
    assert first.refused == second.refused, "other rows are refused"


def same_states(first: State, second: State) -> None:
    """Require equal states; opaque parts may be other bytes of equal estimators."""
    assert first.meta == second.meta, f"{first.meta} is not {second.meta}"
    assert first.arrays.keys() == second.arrays.keys(), "other arrays"
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name])
    assert first.opaque.keys() == second.opaque.keys(), "other opaque parts"
    assert first.members.keys() == second.members.keys(), "other members"
    for name, member in first.members.items():
        same_states(member, second.members[name])


def states_in(state: State) -> Iterator[State]:
    """Yield a state and those of its members."""
    yield state
    for member in state.members.values():
        yield from states_in(member)
