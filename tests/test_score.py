import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import metrics
from sklearn import metrics as reference

from learners.base import LEARN, PREDICT, Classes, Examples, Predictions, Task
from stream.ring import Ring
from stream.score import Scores
from stream.score_anomalies import BINS, bin_of
from stream.score_metrics import NamedMetric

BOTH = PREDICT | LEARN
LABELS = ["a", "b", "c", "d"]
NAN = math.nan


class Stream:
    """A random stream of labels and answers; some are missing, classes come one after another."""

    def __init__(self, task: Task, seed: int, n: int = 400, unanswered: float = 0.1) -> None:
        rng = np.random.default_rng(seed)
        self.task = task
        self.classes = Classes(LABELS)
        self.op = rng.choice([BOTH, BOTH, BOTH, PREDICT, LEARN], n).astype(np.uint8)
        self.proba: np.ndarray[Any, np.dtype[np.float64]] | None = None
        if task is Task.CLASSIFICATION:
            known = np.minimum(np.arange(n) // (n // 4) + 1, 4)
            self.y = np.floor(rng.random(n) * known)
            right = rng.random(n) < 0.6
            self.value = np.where(right, self.y, np.floor(rng.random(n) * known))
            self.proba = rng.random((n, 4)) * (np.arange(4) < known[:, None])
            self.proba /= self.proba.sum(axis=1, keepdims=True)
        elif task is Task.REGRESSION:
            self.y = rng.normal(50.0, 10.0, n)
            self.value = self.y + rng.normal(0.0, 4.0, n)
        else:
            self.y = (rng.random(n) < 0.2).astype(np.float64)
            self.value = rng.normal(0.4, 0.3, n) + 0.3 * self.y
        self.value[rng.random(n) < unanswered] = NAN
        self.y[rng.random(n) < 0.1] = NAN
        if self.proba is not None:
            self.proba[np.isnan(self.value)] = 0.0

    def feed(
        self, scores: Scores, cuts: list[int] | None = None, start: int = 0, end: int | None = None
    ) -> Scores:
        edges = [start, *(cuts or []), len(self.y) if end is None else end]
        for first, stop in itertools.pairwise(edges):
            part = slice(first, stop)
            n = stop - first
            rows = Examples(
                [{}] * n, self.op[part], self.y[part], np.ones(n), np.zeros(n, int), self.classes
            )
            proba = None if self.proba is None else self.proba[part]
            scores.update(rows, Predictions(self.value[part], proba))
        return scores

    @property
    def scored(self) -> np.ndarray[Any, Any]:
        """Places of the rows that count."""
        return np.flatnonzero((self.op & PREDICT > 0) & ~np.isnan(self.y))


def close(value: float) -> Any:
    return pytest.approx(value, rel=1e-12, abs=1e-12)


def classes_by_hand(stream: Stream, places: Any, positive: int | None) -> dict[str, float]:
    """The same figures from river and scikit-learn; an unanswered row is a class that is none."""
    assert stream.proba is not None
    y = stream.y[places].astype(int)
    guess = np.nan_to_num(stream.value[places], nan=-1).astype(int)
    accuracy, kappa, macro = metrics.Accuracy(), metrics.CohenKappa(), metrics.MacroF1()
    for true, guessed in zip(y.tolist(), guess.tolist(), strict=True):
        accuracy.update(true, guessed)
        kappa.update(true, guessed)
        macro.update(true, guessed)
    met = sorted({*y, *guess} - {-1})
    recalls = reference.recall_score(y, guess, labels=sorted(set(y)), average=None)
    sure = np.maximum(stream.proba[places, y], 1e-15)
    figures = {
        "accuracy": accuracy.get(),
        "balanced_accuracy": float(np.mean(recalls)),
        "f1": reference.f1_score(y, guess, labels=met, average="macro"),
        "kappa": reference.cohen_kappa_score(y, guess),
        "log_loss": float(-np.log(sure).mean()),
    }
    if -1 not in guess:
        assert figures["f1"] == close(macro.get())
        assert figures["kappa"] == close(kappa.get())
    if positive is not None:
        figures["f1"] = reference.f1_score(y == positive, guess == positive)
    return figures


@pytest.mark.parametrize("unanswered", [0.0, 0.1])
@pytest.mark.parametrize("positive", [None, 1])
@pytest.mark.parametrize("seed", range(4))
def test_figures_of_classes(seed: int, positive: int | None, unanswered: float) -> None:
    stream = Stream(Task.CLASSIFICATION, seed, unanswered=unanswered)
    label = None if positive is None else LABELS[positive]
    report = stream.feed(Scores(stream.task, 100, label), [37, 150]).report()
    places = stream.scored
    assert report["count"] == len(places)
    assert report["unanswered"] == np.isnan(stream.value[places]).sum()
    for name, which in (("overall", places), ("recent", places[-100:])):
        for figure, value in classes_by_hand(stream, which, positive).items():
            assert report[name][figure] == close(value), (name, figure)


@pytest.mark.parametrize("seed", range(3))
def test_baselines_of_classes(seed: int) -> None:
    """Kappa-temporal and the error reduction by their definitions, from guesses made by hand."""
    stream = Stream(Task.CLASSIFICATION, seed)
    report = stream.feed(Scores(stream.task, 100), [5, 6, 300]).report()
    y = stream.y[stream.scored].astype(int).tolist()
    value = stream.value[stream.scored]
    repeat, majority, prior = [], [], []
    for i, true in enumerate(y):
        seen = y[:i]
        repeat.append(bool(seen) and seen[-1] == true)
        most = max(map(seen.count, range(4)))
        leaders = [c for c in range(4) if seen.count(c) == most]
        # Of several seen equally often the one that got there first stays.
        leader = min(leaders, key=lambda c: [*np.flatnonzero(np.array(seen) == c), i][most - 1])
        majority.append(bool(seen) and leader == true)
        prior.append(-math.log(max(seen.count(true) / i if i else 0.0, 1e-15)))
    for name, part in (("overall", slice(None)), ("recent", slice(-100, None))):
        accuracy = float(np.mean(value[part] == y[part]))
        guesses = report[f"{name}_baselines"]
        by_repeat, by_majority = float(np.mean(repeat[part])), float(np.mean(majority[part]))
        assert guesses["repeat_last"]["accuracy"] == close(by_repeat)
        assert guesses["majority"]["accuracy"] == close(by_majority)
        assert guesses["majority"]["log_loss"] == close(float(np.mean(prior[part])))
        temporal = (accuracy - by_repeat) / (1.0 - by_repeat)
        assert report[name]["kappa_temporal"] == close(temporal)
        reduction = 1.0 - (1.0 - accuracy) / (1.0 - by_majority)
        assert report[name]["error_reduction"] == close(reduction)


def test_without_probabilities_there_is_no_log_loss() -> None:
    stream = Stream(Task.CLASSIFICATION, 1)
    stream.proba = None
    report = stream.feed(Scores(stream.task)).report()
    assert "log_loss" not in report["overall"]
    assert "log_loss" not in report["overall_baselines"]["majority"]


@pytest.mark.parametrize("seed", range(4))
def test_figures_of_numbers(seed: int) -> None:
    stream = Stream(Task.REGRESSION, seed)
    report = stream.feed(Scores(stream.task, 100), [37, 150]).report()
    y, value = stream.y[stream.scored], stream.value[stream.scored].copy()
    means = np.concatenate(([0.0], np.cumsum(y)[:-1] / np.arange(1, len(y))))
    value[np.isnan(value)] = means[np.isnan(value)]
    last = np.concatenate(([0.0], y[:-1]))
    assert report["count"] == len(y)
    assert report["unanswered"] == np.isnan(stream.value[stream.scored]).sum()
    for name, part in (("overall", slice(None)), ("recent", slice(-100, None))):
        guesses = report[f"{name}_baselines"]
        for figures, guess in (
            (report[name], value),
            (guesses["mean"], means),
            (guesses["repeat_last"], last),
        ):
            mae, rmse, r2 = metrics.MAE(), metrics.RMSE(), metrics.R2()
            for true, guessed in zip(y[part].tolist(), guess[part].tolist(), strict=True):
                for metric in (mae, rmse, r2):
                    metric.update(true, guessed)
            assert figures["mae"] == pytest.approx(mae.get(), rel=1e-9)
            assert figures["rmse"] == pytest.approx(rmse.get(), rel=1e-9)
            assert figures["r2"] == pytest.approx(r2.get(), rel=1e-9)
        reduction = 1.0 - report[name]["mae"] / guesses["mean"]["mae"]
        assert report[name]["error_reduction"] == close(reduction)


def test_an_infinite_answer_does_not_spoil_the_figures() -> None:
    stream = Stream(Task.REGRESSION, 1, unanswered=0.0)
    infinite = Stream(Task.REGRESSION, 1, unanswered=0.0)
    stream.value[::7] = NAN
    infinite.value[::7] = math.inf
    reports = [s.feed(Scores(s.task)).report() for s in (stream, infinite)]
    assert reports[0] == reports[1]


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("seed", range(4))
def test_area_of_anomalies(seed: int, scale: float) -> None:
    stream = Stream(Task.ANOMALY, seed)
    stream.value = np.round(stream.value, 2) * scale
    report = stream.feed(Scores(stream.task, 100), [37, 150]).report()
    y = stream.y[stream.scored]
    value = np.nan_to_num(stream.value[stream.scored])
    assert report["count"] == len(y)
    assert report["overall"]["anomalies"] == y.sum()
    recent = reference.roc_auc_score(y[-100:], value[-100:])
    assert report["recent"]["roc_auc"] == close(recent)
    # Rounded scores lie in bins of their own up to 10 or so; far out some share one, as a tie.
    overall = reference.roc_auc_score(y, value)
    tolerance = 1e-12 if scale == 1.0 else 0.02
    assert report["overall"]["roc_auc"] == pytest.approx(overall, abs=tolerance)


def test_area_needs_rows_of_both_kinds() -> None:
    stream = Stream(Task.ANOMALY, 1)
    stream.y[:] = 0.0
    report = stream.feed(Scores(stream.task)).report()
    assert report["overall"] == {"anomalies": 0}
    assert report["recent"] == {"anomalies": 0}


@given(st.lists(st.floats(allow_nan=False), min_size=2))
def test_bins_rise_with_the_score(scores: list[float]) -> None:
    bins = bin_of(np.sort(np.array(scores)))
    assert (np.diff(bins) >= 0).all()
    assert bins.min() >= 0
    assert bins.max() < BINS


TASKS = st.sampled_from(list(Task))
CUTS = st.lists(st.integers(0, 120), max_size=8).map(sorted)


NAMED = {
    Task.CLASSIFICATION: [metrics.Accuracy, metrics.CrossEntropy, metrics.ROCAUC, metrics.F1],
    Task.REGRESSION: [metrics.MAE, metrics.RMSLE],
    Task.ANOMALY: [metrics.RollingROCAUC],
}


def metrics_of(task: Task) -> list[NamedMetric]:
    return [NamedMetric(kind.__name__, kind(), task) for kind in NAMED[task]]


@settings(max_examples=60)
@given(TASKS, st.integers(0, 5), CUTS, st.sampled_from([7, 50, 1_000]))
def test_where_blocks_are_cut_changes_no_bit(
    task: Task, seed: int, cuts: list[int], window: int
) -> None:
    stream = Stream(task, seed, 120)
    whole = stream.feed(Scores(task, window, None, metrics_of(task)))
    parts = stream.feed(Scores(task, window, None, metrics_of(task)), cuts)
    assert json.dumps(parts.report()) == json.dumps(whole.report())


@settings(max_examples=60)
@given(TASKS, st.integers(0, 5), st.integers(0, 120), st.sampled_from([7, 50, 1_000]))
def test_scores_go_on_from_their_state(task: Task, seed: int, cut: int, window: int) -> None:
    stream = Stream(task, seed, 120)
    whole = stream.feed(Scores(task, window, None, metrics_of(task)), [cut])
    first = stream.feed(Scores(task, window, None, metrics_of(task)), end=cut)
    report = json.dumps(first.report())
    second = Scores(task, window, None, metrics_of(task))
    second.restore(first.state())
    assert json.dumps(first.report()) == report
    assert json.dumps(second.report()) == report
    stream.feed(second, start=cut)
    assert json.dumps(second.report()) == json.dumps(whole.report())


def test_a_state_is_private_to_its_holder() -> None:
    for task in Task:
        stream = Stream(task, 1, 120)
        scores = stream.feed(Scores(task, 50))
        state = scores.state()
        before = {name: array.copy() for name, array in state.arrays.items()}
        stream.feed(scores)
        assert all((before[name] == array).all() for name, array in state.arrays.items())


def test_rows_that_were_refused_or_only_learned_do_not_count() -> None:
    classes = Classes(["a", "b"])
    rows = Examples(
        [{}] * 4,
        np.array([BOTH, LEARN, BOTH, PREDICT], np.uint8),
        np.array([0.0, 0.0, 1.0, NAN]),
        np.ones(4),
        np.zeros(4, int),
        classes,
    )
    scores = Scores(Task.CLASSIFICATION)
    scores.update(rows, Predictions(np.array([0.0, 1.0, 0.0, 0.0]), None, {2: "no"}))
    report = scores.report()
    assert report["count"] == 1
    assert report["overall"]["accuracy"] == 1.0


def test_a_score_of_nothing_can_be_shown() -> None:
    for task in Task:
        report = Scores(task).report()
        assert report["count"] == 0
        json.dumps(report, allow_nan=False)


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.lists(st.lists(st.integers(0, 99), max_size=8), max_size=5),
    st.lists(st.lists(st.integers(0, 99), max_size=8), max_size=5),
)
def test_a_ring_holds_the_last_rows(
    size: int, other: int, before: list[list[int]], after: list[list[int]]
) -> None:
    """Also after it was restored in another size, as far as the rows were still there."""
    first, second = Ring(size, 1), Ring(other, 1)
    for part in before:
        first.extend(np.array(part, float).reshape(-1, 1))
    held = list(itertools.chain(*before))[-size:]
    assert first.rows().ravel().tolist() == held
    second.restore(first.cells.copy(), first.count)
    for part in after:
        second.extend(np.array(part, float).reshape(-1, 1))
    assert second.rows().ravel().tolist() == list(itertools.chain(held, *after))[-other:]
