"""A model that is replaced when a drift detector says that its errors have changed."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import base, compose, drift

from learners.base import LEARN, PREDICT, Floats, State, Task
from learners.compiled.chain import Model, Stage
from learners.compiled.drift import ADWIN, DDM, DRIFT, WARNING, PageHinkley
from learners.compiled.flow import Flow
from learners.compiled.twins import NoTwinError, twin, twin_of
from learners.errors import LearnerFailedError

# Rows that are answered ahead of a drift that may be found among them, and then once more.
AHEAD = 256

Detector = ADWIN | PageHinkley | DDM


class Steps:
    """Stages and a classifier that learns some rows of a stream, with class codes of its own.

    Parameters
    ----------
    parts
        Untrained, the classifier last.
    """

    def __init__(self, parts: list[Any]) -> None:
        self.stages: list[Stage] = parts[:-1]
        self.model: Model = parts[-1]
        # The codes of the stream in the order in which the classes were learned here.
        self._codes: list[int] = []

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats]:
        """Answer and learn by the codes of the stream; see `learners.compiled.chain.Model`."""
        if self.model.two_classes:
            return self._through(flow, classes)
        for code in dict.fromkeys(flow.y[_learned(flow)].astype(int).tolist()):
            if code not in self._codes:
                self._codes.append(code)
        known = len(self._codes)
        own, theirs = np.full(classes + 1, math.nan), np.array([*self._codes, math.nan])
        own[self._codes] = range(known)
        y = own[np.where(np.isnan(flow.y), classes, flow.y).astype(int)]
        value, proba = self._through(dataclasses.replace(flow, y=y), known)
        whole = np.zeros((len(value), classes))
        whole[:, self._codes] = proba
        return theirs[np.where(np.isnan(value), known, value).astype(int)], whole

    def fresh(self) -> Steps:
        """Return untrained ones with the same parameters."""
        return Steps([part.fresh() for part in self._parts()])

    def state(self) -> State:
        """Return a copy of the state."""
        members = {str(i): part.state() for i, part in enumerate(self._parts())}
        return State(meta={"codes": list(self._codes)}, members=members)

    def restore(self, state: State) -> None:
        """Become the ones that gave this state."""
        self._codes = list(state.meta["codes"])
        for i, part in enumerate(self._parts()):
            part.restore(state.members[str(i)])

    def _parts(self) -> list[Stage | Model]:
        return [*self.stages, self.model]

    def _through(self, flow: Flow, classes: int) -> tuple[Floats, Floats]:
        for stage in self.stages:
            flow = stage.run(flow)
        value, proba = self.model.run(flow, classes)
        assert proba is not None, "only such models are taken"
        return value, proba


class Retraining:
    """Replaces a model when its errors drift (Gama et al., SBIA 2004).

    Twin of `river.drift.DriftRetrainingClassifier`. What the model takes for a row, and the
    detector; the memory of two models.

    Parameters
    ----------
    model
        What answers, untrained.
    detector
        What is told of each error, untrained.
    background
        Whether another model learns the rows at which the detector warns, to replace it; else an
        untrained one does.
    """

    task = Task.CLASSIFICATION
    takes_weight = False

    def __init__(self, model: Steps, detector: Detector, background: bool) -> None:
        self.two_classes = model.model.two_classes
        self._background = background
        self._active, self._next = model, model.fresh()
        self._detector, self._quiet = detector, detector.state()

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats]:
        """See `learners.compiled.chain.Model`."""
        n = len(flow.op)
        value, proba = np.full(n, math.nan), np.zeros((n, classes))
        start = 0
        while start < n:
            part = _rows(flow, start, min(start + AHEAD, n))
            # River asks the model before it learns a row, whoever else asks.
            op = np.where((part.op & LEARN) != 0, part.op | PREDICT, part.op)
            try:
                guess, chances = self._active.run(dataclasses.replace(part, op=op), classes)
                end = start + self._heed(part, guess, classes)
            except LearnerFailedError as error:
                raise LearnerFailedError(str(error), start + error.row) from error
            asked = (flow.op[start:end] & PREDICT) != 0
            value[start:end][asked] = guess[: end - start][asked]
            proba[start:end][asked] = chances[: end - start][asked]
            start = end
        return value, proba

    def fresh(self) -> Retraining:
        """See `learners.compiled.chain.Model`."""
        detector = copy.copy(self._detector)
        detector.restore(self._quiet)
        return Retraining(self._active.fresh(), detector, self._background)

    def state(self) -> State:
        """See `learners.compiled.chain.Model`."""
        members = {"active": self._active.state(), "next": self._next.state()}
        return State(members={**members, "detector": self._detector.state()})

    def restore(self, state: State) -> None:
        """See `learners.compiled.chain.Model`."""
        self._active.restore(state.members["active"])
        self._next.restore(state.members["next"])
        self._detector.restore(state.members["detector"])

    def _heed(self, part: Flow, guess: Floats, classes: int) -> int:
        """Tell the detector of errors, up to a drift; return how many rows are done with."""
        told = np.flatnonzero(_learned(part) & ~np.isnan(guess))
        errors = (guess != part.y)[told].astype(float)
        before = self._detector.state()
        signals = self._detector.update(errors)
        drifts = np.flatnonzero(signals == DRIFT)
        if len(drifts):
            told, signals = told[: drifts[0] + 1], signals[: drifts[0] + 1]
            self._detector.restore(before)
            self._detector.update(errors[: len(told)])
        if self._background and (signals == WARNING).any():
            self._next.run(_teaching(part, told[signals == WARNING]), classes)
        if not len(drifts):
            return len(part.op)
        # What the model before learned from here on goes with it.
        row = int(told[-1])
        self._active, self._next = self._next, self._active.fresh()
        self._active.run(_teaching(part, row), classes)
        return row + 1


@twin(drift.DriftRetrainingClassifier)
def _retraining(estimator: drift.DriftRetrainingClassifier) -> Retraining:
    model, detector = estimator.model, estimator.drift_detector
    parts = list(model.steps.values()) if isinstance(model, compose.Pipeline) else [model]
    for part in parts[:-1]:
        if not isinstance(part, base.Transformer):
            raise NoTwinError(f"{type(part).__name__} before the last step")
    if type(parts[-1]).predict_proba_one is base.Classifier.predict_proba_one:
        raise NoTwinError(
            f"DriftRetrainingClassifier around {type(parts[-1]).__name__}, which gives no "
            "probabilities"
        )
    if estimator.train_in_background and not hasattr(detector, "warning_detected"):
        raise NoTwinError(
            "DriftRetrainingClassifier that trains in the background on a detector that never warns"
        )
    steps = Steps([twin_of(part) for part in parts])
    return Retraining(steps, twin_of(detector), bool(estimator.train_in_background))


@twin(drift.ADWIN)
def _adwin(estimator: drift.ADWIN) -> ADWIN:
    if estimator.max_buckets < 2:
        raise NoTwinError("ADWIN with a max_buckets of 1")
    return ADWIN(
        estimator.delta,
        estimator.clock,
        estimator.max_buckets,
        estimator.min_window_length,
        estimator.grace_period,
    )


@twin(drift.PageHinkley)
def _page_hinkley(estimator: drift.PageHinkley) -> PageHinkley:
    return PageHinkley(
        estimator.min_instances,
        estimator.delta,
        estimator.threshold,
        estimator.alpha,
        estimator.mode,
    )


@twin(drift.binary.DDM)
def _ddm(estimator: drift.binary.DDM) -> DDM:
    return DDM(estimator.warm_start, estimator.warning_threshold, estimator.drift_threshold)


def _learned(flow: Flow) -> NDArray[np.bool_]:
    learned: NDArray[np.bool_] = ((flow.op & LEARN) != 0) & ~np.isnan(flow.y)
    return learned


def _teaching(flow: Flow, rows: int | NDArray[np.int64]) -> Flow:
    """Return a block in which these rows are learned, and nothing else is done."""
    op = np.zeros_like(flow.op)
    op[rows] = LEARN
    return dataclasses.replace(flow, op=op)


def _rows(flow: Flow, start: int, end: int) -> Flow:
    """Return some rows of a block; arrays are views."""
    part = slice(start, end)
    asked = flow.asked[part]
    return dataclasses.replace(
        flow,
        asked=asked,
        taught=asked if flow.taught is flow.asked else flow.taught[part],
        codes=flow.codes[part],
        op=flow.op[part],
        y=flow.y[part],
        weight=flow.weight[part],
    )
