"""River's metrics that a configuration names, each fed what it reads."""

from __future__ import annotations

import logging
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np
from river import anomaly, dummy, metrics, stats
from river.utils.rolling import BaseRolling

from learners.base import Classes, Floats, Label, Task
from learners.errors import StateError
from learners.opaque import check, dumps, loads
from learners.pair import speaks_for_itself
from stream.config import Config
from stream.errors import ConfigError
from stream.imports import find, make, user_names

logger = logging.getLogger(__name__)

_SAMPLE = np.array([0.0, 1.0])
# A metric says which of river's models it works with.
_MODELS = {
    Task.CLASSIFICATION: dummy.PriorClassifier(),
    Task.REGRESSION: dummy.StatisticRegressor(stats.Mean()),
    Task.ANOMALY: anomaly.HalfSpaceTrees(),
}


class NamedMetric:
    """A river metric, updated row by row as `river.evaluate.progressive_val_score` does.

    It gets labels, or probabilities by label if it asks for them. A metric of two classes is told
    whether a label is the positive one: `positive`, else True or 1, else the second class that
    came, as in `learners.pair`. A class without a probability has 0.

    A row that was not answered is passed over, unlike in the usual scores, and so is one that the
    metric raises on.

    Parameters
    ----------
    path
        Where it comes from; its state is kept under that.
    metric
        The metric.
    task
        What the stream's labels and answers are.
    positive
        The positive class.
    trust
        Exact names of further globals that its saved state may refer to.

    Attributes
    ----------
    count
        How many rows it has counted.
    """

    def __init__(
        self,
        path: str,
        metric: Any,
        task: Task,
        positive: Label | None = None,
        trust: frozenset[str] = frozenset(),
    ) -> None:
        self.path = path
        self.count = 0
        self.two_classes = isinstance(_inner(metric), metrics.base.BinaryMetric)
        self._metric = metric
        self._task = task
        self._positive = positive
        self._trust = trust
        takes_labels = getattr(metric, "requires_labels", True)
        self._reads_proba = task is Task.CLASSIFICATION and not takes_labels
        self._failed = False

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return self.path.removeprefix("river.metrics.")

    def update(self, classes: Classes, y: Floats, value: Floats, proba: Floats | None) -> None:
        """See `stream.score.TaskScores`."""
        update = self._metric.update
        for true, guess in self._read(classes, y, value, proba):
            try:
                update(true, guess)
                self.count += 1
            except Exception as error:  # a metric may have no figure for a row, such as a log of 0
                if not self._failed:
                    logger.warning(
                        "the metric %s raised %r on a row: it passes over such rows",
                        self.path,
                        error,
                    )
                self._failed = True

    def figure(self) -> float | None:
        """Return its figure, None while it has none."""
        try:
            return float(self._metric.get()) if self.count else None
        except (ArithmeticError, ValueError):
            return None

    def state(self) -> bytes:
        """Return what it takes to go on."""
        return dumps((self._metric, self.count))

    def restore(self, state: bytes) -> None:
        """Go on from a state; begin anew if it is that of another kind of metric.

        Raises
        ------
        StateError
            The state is torn, or names what is not allowed.
        """
        metric, count = loads(state, self._trust)
        if type(metric) is type(self._metric) and type(_inner(metric)) is type(
            _inner(self._metric)
        ):
            self._metric, self.count = metric, count

    def try_out(self) -> Any:
        """Return the figure that two rows give, without a trace; raise what the metric raises."""
        metric: Any = loads(check(self._metric, self._trust), self._trust)
        for true, guess in self._read(Classes([False, True]), _SAMPLE, _SAMPLE, np.eye(2)):
            metric.update(true, guess)
        return metric.get()

    def _read(
        self, classes: Classes, y: Floats, value: Floats, proba: Floats | None
    ) -> Iterable[tuple[Any, Any]]:
        """Return what the metric reads of each answered row: what is true, and the answer."""
        answered = np.isfinite(value)
        if not self._reads_proba:
            proba = None
        elif proba is None:
            return ()
        else:
            answered &= proba.any(axis=1)
            proba = proba[answered]
        true, guess = y[answered], value[answered]
        if self._task is Task.REGRESSION:
            return zip(true.tolist(), guess.tolist(), strict=True)
        if self._task is Task.ANOMALY:
            return zip((true == 1.0).tolist(), guess.tolist(), strict=True)
        if self.two_classes:
            code = self._code(classes)
            sides = (true == code).tolist()
            if proba is None:
                return zip(sides, (guess == code).tolist(), strict=True)
            return zip(sides, _by_side(proba, code), strict=True)
        names = classes.labels
        labels = [names[int(code)] for code in true.tolist()]
        if proba is None:
            return zip(labels, [names[int(code)] for code in guess.tolist()], strict=True)
        by_label = [dict(zip(names, row, strict=True)) for row in proba.tolist()]
        return zip(labels, by_label, strict=True)

    def _code(self, classes: Classes) -> int:
        """Return the code of the positive class; an answer must not depend on later classes."""
        if self._positive is not None:
            return classes.codes.get(self._positive, -1)
        return classes.codes.get(True, -1) if speaks_for_itself(classes.labels[0]) else 1


def named_metrics(config: Config) -> list[NamedMetric]:
    """Return the metrics of `[score] metrics`, which have counted nothing.

    Raises
    ------
    ConfigError
        One is not there, is no river metric, gives no number, or is for another task.
    """
    paths = config.score.metrics
    if len(set(paths)) < len(paths):
        raise ConfigError(f"[score] metrics: wanted each once, got {paths!r}: remove the double")
    try:
        return [_named(path, config) for path in paths]
    except ConfigError as error:
        raise ConfigError(f"[score] metrics: {error}") from error


def _named(path: str, config: Config) -> NamedMetric:
    metric = make(find(path, config.folder), {}, path, config.folder)
    if not all(hasattr(metric, name) for name in ("update", "get", "works_with")):
        raise ConfigError(
            f"wanted a river metric, got {path}, which makes a {type(metric).__name__}: name one "
            "such as river.metrics.MAE"
        )
    if not metric.works_with(_MODELS[config.task]):
        raise ConfigError(
            f"wanted a metric for task {config.task.value!r}, got {path}, which is for another: "
            "name one for this task, or take it out"
        )
    trust = user_names(config.folder).union(config.model.trust)
    named = NamedMetric(path, metric, config.task, config.record.positive, trust)
    _refuse_unclear(named, metric, config)
    try:
        figure = named.try_out()
    except StateError as error:
        raise ConfigError(f"{path} cannot be kept in a checkpoint: {error}") from error
    except Exception as error:  # a metric may refuse what it is given with any error
        raise ConfigError(
            f"wanted a metric that gives a number, got {path}, which raised {error!r} when it was "
            "tried: name another"
        ) from error
    if not isinstance(figure, numbers.Real):
        raise ConfigError(
            f"wanted a metric that gives a number, got {path}, which gives a "
            f"{type(figure).__name__}: name another"
        )
    return named


def _refuse_unclear(named: NamedMetric, metric: Any, config: Config) -> None:
    """Refuse a metric of two classes where it is not clear which of them is the positive one."""
    if named.two_classes and getattr(metric, "pos_val", True) not in (True,):
        raise ConfigError(
            f"wanted {named.path} with pos_val left alone, got {metric.pos_val!r}: river's metrics "
            "count True, and [record] positive says which class that is"
        )
    record = config.record
    if named.two_classes and len(record.classes) > 2 and record.positive is None:
        raise ConfigError(
            f"wanted [record] positive for {named.path}, which tells two classes apart, got "
            f"{len(record.classes)} classes: name the positive one, or take the metric out"
        )


def _by_side(proba: Floats, code: int) -> list[dict[bool, float]]:
    """Return the probabilities of the class of a code, and of all others together."""
    known = 0 <= code < proba.shape[1]
    sure = proba[:, code] if known else np.zeros(len(proba))
    return [{False: 1.0 - p, True: p} for p in sure.tolist()]


def _inner(metric: Any) -> Any:
    return metric.obj if isinstance(metric, BaseRolling) else metric
