"""Naive Bayes: each field on its own, given the class."""

from __future__ import annotations

import math

import numpy as np
from river import naive_bayes

from learners.base import LEARN, PREDICT, Floats, State, Task
from learners.compiled.flow import Fields, Flow, Ops
from learners.compiled.growing import grown
from learners.compiled.jit import njit
from learners.compiled.strangers import introduced, only_numbers
from learners.compiled.twins import NoTwinError, twin
from learners.errors import LearnerFailedError

# What river adds to a density, so that its logarithm exists.
FLOOR = 1e-9


class GaussianNB:
    """Naive Bayes with a normal distribution for each class and field, by Welford's moments.

    Twin of `river.naive_bayes.GaussianNB` (Duda and Hart, "Pattern Classification and Scene
    Analysis", 1973; Welford, Technometrics, 1962). O(k d) to answer a row of d fields among k
    classes, O(d) to learn it; three numbers for each class and field.
    """

    task = Task.CLASSIFICATION
    two_classes = False
    takes_weight = False

    def __init__(self) -> None:
        self.fields = Fields()
        # Rows of each class; by class, moment and field: count, mean, sum of squared deviations.
        self._counts = np.zeros(0)
        self._moments = np.zeros((0, 3, 0))

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats]:
        """See `learners.compiled.chain.Model`."""
        only_numbers(flow, "GaussianNB")
        asked, taught, _ = introduced(flow, self.fields)
        self._counts = grown(self._counts, (classes,))
        self._moments = grown(self._moments, (classes, 3, len(self.fields)))
        value, proba = np.full(len(asked), math.nan), np.zeros((len(asked), classes))
        _gaussian(asked, taught, flow.op, flow.y, self._counts, self._moments, value, proba)
        return value, proba

    def fresh(self) -> GaussianNB:
        """See `learners.compiled.chain.Model`."""
        return GaussianNB()

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        arrays = {"counts": self._counts.copy(), "moments": self._moments.copy()}
        return State(meta={"names": list(self.fields.names)}, arrays=arrays)

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self.fields = Fields(state.meta["names"])
        self._counts = state.arrays["counts"].copy()
        self._moments = state.arrays["moments"].copy()


class MultinomialNB:
    """Naive Bayes over counts, as of words, with additive smoothing.

    Twin of `river.naive_bayes.MultinomialNB` (McCallum and Nigam, "A comparison of event models
    for naive Bayes text classification", 1998). O(k d) to answer a row of d fields among k
    classes, O(d) to learn it; a number for each class and field.

    Parameters
    ----------
    alpha
        What is added to each count.
    """

    task = Task.CLASSIFICATION
    two_classes = False
    takes_weight = False

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha
        self.fields = Fields()
        # Rows of each class; by class and field: the sum of the counts.
        self._counts = np.zeros(0)
        self._sums = np.zeros((0, 0))
        self._totals = np.zeros(0)

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats]:
        """See `learners.compiled.chain.Model`."""
        only_numbers(flow, "MultinomialNB", PREDICT | LEARN)
        known = np.ones(len(self.fields))
        asked, taught, strangers = introduced(flow, self.fields)
        known = grown(known, (len(self.fields),))
        self._counts = grown(self._counts, (classes,))
        self._totals = grown(self._totals, (classes,))
        self._sums = grown(self._sums, (classes, len(self.fields)))
        value, proba = np.full(len(asked), math.nan), np.zeros((len(asked), classes))
        state = (self._counts, self._totals, self._sums)
        failed = _multinomial(
            asked, taught, strangers, flow.op, flow.y, self.alpha, known, state, value, proba
        )
        if failed >= 0:
            raise LearnerFailedError(
                "wanted counts that with alpha are above 0, got less in a field: MultinomialNB "
                "cannot answer; give it counts or a larger alpha",
                failed,
            )
        return value, proba

    def fresh(self) -> MultinomialNB:
        """See `learners.compiled.chain.Model`."""
        return MultinomialNB(self.alpha)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        arrays = {
            "counts": self._counts.copy(),
            "totals": self._totals.copy(),
            "sums": self._sums.copy(),
        }
        return State(meta={"names": list(self.fields.names)}, arrays=arrays)

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self.fields = Fields(state.meta["names"])
        self._counts = state.arrays["counts"].copy()
        self._totals = state.arrays["totals"].copy()
        self._sums = state.arrays["sums"].copy()


@twin(naive_bayes.GaussianNB)
def _gaussian_nb(estimator: naive_bayes.GaussianNB) -> GaussianNB:
    return GaussianNB()


@twin(naive_bayes.MultinomialNB)
def _multinomial_nb(estimator: naive_bayes.MultinomialNB) -> MultinomialNB:
    if estimator.alpha < 0.0:
        raise NoTwinError("MultinomialNB with an alpha below 0")
    return MultinomialNB(float(estimator.alpha))


@njit
def _gaussian(
    asked: Floats,
    taught: Floats,
    op: Ops,
    y: Floats,
    counts: Floats,
    moments: Floats,
    value: Floats,
    proba: Floats,
) -> None:
    n, d = taught.shape
    classes = len(counts)
    total = counts.sum()
    # By class: mean, inverse deviation and height of each bell; height 0 where there is none.
    bells = np.zeros((classes, 3, d))
    for c in range(classes):
        _shape(moments[c], bells[c])
    for i in range(n):
        if op[i] & PREDICT and total > 0.0:
            for c in range(classes):
                if counts[c] > 0.0:
                    proba[i, c] = math.log(counts[c] / total) + _densities(asked[i], bells[c])
            value[i] = normalised(proba[i], counts)
        if op[i] & LEARN and y[i] == y[i]:
            c = int(y[i])
            counts[c] += 1.0
            total += 1.0
            for j in range(d):
                x = taught[i, j]
                if x == x:
                    moments[c, 0, j] += 1.0
                    old = moments[c, 1, j]
                    moments[c, 1, j] += (1.0 / moments[c, 0, j]) * (x - old)
                    moments[c, 2, j] += (x - old) * (x - moments[c, 1, j])
            _shape(moments[c], bells[c])


@njit
def _shape(moments: Floats, bells: Floats) -> None:
    """Write the bells of one class."""
    for j in range(moments.shape[1]):
        if moments[2, j] > 0.0:
            inverse = 1.0 / math.sqrt(moments[2, j] / moments[0, j])
            bells[0, j] = moments[1, j]
            bells[1, j] = inverse
            bells[2, j] = inverse / math.sqrt(2.0 * math.pi)


@njit
def _densities(x: Floats, bells: Floats) -> float:
    """Return the sum of the logarithms of the densities of what is there.

    One logarithm is taken of a product of several, as long as that is far from overflow.
    """
    whole, product = 0.0, 1.0
    for j in range(len(x)):
        if x[j] == x[j]:
            z = (x[j] - bells[0, j]) * bells[1, j]
            product *= FLOOR + bells[2, j] * math.exp(-0.5 * z * z)
            if product < 1e-100 or product > 1e100:
                whole += math.log(product)
                product = 1.0
    return whole + math.log(product)


@njit
def normalised(logs: Floats, counts: Floats) -> float:
    """Turn logarithms into probabilities in place; return the class that has the largest.

    Classes without a count are passed over; of equal ones the first wins.
    """
    largest = -np.inf
    for c in range(len(logs)):
        if counts[c] > 0.0 and logs[c] > largest:
            largest = logs[c]
    total = 0.0
    for c in range(len(logs)):
        if counts[c] > 0.0:
            total += math.exp(logs[c] - largest)
    whole = largest + math.log(total)
    best = -1
    for c in range(len(logs)):
        if counts[c] > 0.0:
            logs[c] = math.exp(logs[c] - whole)
            if best < 0 or logs[c] > logs[best]:
                best = c
    return float(best)


@njit
def _multinomial(
    asked: Floats,
    taught: Floats,
    strangers: Floats,
    op: Ops,
    y: Floats,
    alpha: float,
    known: Floats,
    state: tuple[Floats, Floats, Floats],
    value: Floats,
    proba: Floats,
) -> int:
    """Return the row that has no answer, or -1."""
    counts, totals, sums = state
    n, d = taught.shape
    classes = len(counts)
    rows, terms = counts.sum(), known.sum()
    logs = np.log(sums + alpha)
    for i in range(n):
        if op[i] & PREDICT and rows > 0.0:
            strange, met = 0.0, False
            for s in range(strangers.shape[1]):
                if strangers[i, s] == strangers[i, s]:
                    strange += strangers[i, s]
                    met = True
            for c in range(classes):
                if counts[c] == 0.0:
                    continue
                log_total = math.log(totals[c] + alpha * terms)
                whole = math.log(counts[c] / rows)
                for j in range(d):
                    if asked[i, j] == asked[i, j]:
                        whole += asked[i, j] * (logs[c, j] - log_total)
                if met:
                    whole += strange * (math.log(alpha) - log_total)
                if not abs(whole) < np.inf:
                    return i
                proba[i, c] = whole
            value[i] = normalised(proba[i], counts)
        if op[i] & LEARN and y[i] == y[i]:
            c = int(y[i])
            counts[c] += 1.0
            rows += 1.0
            for j in range(d):
                if taught[i, j] == taught[i, j]:
                    if known[j] == 0.0:
                        known[j] = 1.0
                        terms += 1.0
                    sums[c, j] += taught[i, j]
                    totals[c] += taught[i, j]
                    logs[c, j] = math.log(sums[c, j] + alpha)
    return -1
