"""The learner that a configuration asks for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import sklearn.pipeline
from river import base, compose
from river.active.base import ActiveLearningClassifier
from sklearn.base import is_classifier, is_outlier_detector, is_regressor

from ensembles.rolling import RollingClassifier, RollingRegressor
from learners.base import Learner, Task
from learners.compiled.chain import Chain
from learners.compiled.pipeline import compiled
from learners.compiled.twins import NoTwinError
from learners.errors import LearnerError, no_weights
from learners.from_river import FromRiver
from learners.roads import as_learner
from learners.tabular import Tabular
from stream.config import Config
from stream.errors import ConfigError
from stream.imports import find, make, user_names
from stream.sections import WindowConfig
from stream.seeds import seeded

_IS_FOR = {
    Task.CLASSIFICATION: is_classifier,
    Task.REGRESSION: is_regressor,
    Task.ANOMALY: is_outlier_detector,
}


def build(config: Config) -> Learner:
    """Return the untrained learner of a configuration, every seed set.

    Raises
    ------
    ConfigError
        Something named is not there, refuses its parameters, or cannot be served; with the reason.

    Examples
    --------
    >>> config = Config.of({
    ...     "name": "elec2", "task": "classification", "record": {"label": "class"},
    ...     "model": {"learner": "river.naive_bayes.GaussianNB"}})
    >>> build(config).estimator
    GaussianNB ()
    """
    learner, _ = _learner(_inner(config), config)
    return learner


def describe(config: Config) -> str:
    """Return what `build` makes, for a person: the road it takes, its windows and parameters.

    Raises
    ------
    ConfigError
        As `build` does.
    """
    inner = _inner(config)
    _, compilation = _learner(inner, config)
    window = config.model.window
    lines = [f"{_name(inner)}, {_road(inner)}"]
    if compilation:
        lines.append(compilation)
    if window:
        close = "is frozen" if window.on_close == "freeze" else "goes on learning"
        lines.append(
            f"in a rolling ensemble: a member for every {window.records:,} learned records, "
            f"which then {close}; the last {window.keep} vote by {window.vote.replace('_', ' ')}"
        )
    return "\n".join([*lines, _shown(inner)])


def _shown(inner: Any) -> str:
    """Return the estimator with its parameters; river cannot write out all that it can run."""
    try:
        return repr(inner)
    except Exception:
        return _name(inner)


def _learner(inner: Any, config: Config) -> tuple[Learner, str]:
    """Return the estimator as a learner, in a rolling ensemble where one is asked for.

    And tell whether it is compiled, if that is asked for.
    """
    record, model = config.record, config.model
    try:
        twinned = model.compile == "auto" and not isinstance(inner, Chain)
        taken, compilation = _twin(inner, config) if twinned else (inner, "")
        learner = as_learner(
            taken,
            config.task,
            positive=record.positive,
            gather=model.gather,
            classes=record.classes or None,
            window=model.window.records if model.window else 1,
            trust=user_names(config.folder).union(model.trust),
        )
        kinds = FromRiver | Tabular | Chain
        if record.weight and isinstance(learner, kinds) and not learner.takes_weight:
            raise no_weights(_name(inner))
        if model.window:
            learner = _rolling(learner, config, model.window)
        return learner, compilation
    except LearnerError as error:
        raise ConfigError(f"[model]: {error}") from error


def _twin(inner: Any, config: Config) -> tuple[Any, str]:
    """Return the compiled twin of an estimator, itself where it has none; and tell which."""
    try:
        twin = compiled(seeded(inner, config.seed), config.record.positive, config.record.classes)
    except NoTwinError as error:
        return inner, f"not compiled: there is no compiled form of {error}"
    twin.source = inner  # a rolling ensemble fills its open seeds, member by member
    if twin.draws:
        return twin, "compiled: its twin draws otherwise, and is right as often"
    return twin, "compiled: its twin gives the same answers"


def _inner(config: Config) -> Any:
    """Return the estimator, seeded where no rolling ensemble around it does that."""
    model = config.model
    if model.learner is not None:
        made = make(find(model.learner, config.folder), model.params, model.learner, config.folder)
    else:
        made = _pipeline([_step(step, config) for step in model.pipeline or ()])
    # Seeds left open in a rolling ensemble differ by member, and the ensemble draws them.
    estimator = made if model.window else seeded(made, config.seed)
    _refuse_unserved(estimator, config)
    return estimator


def _step(step: Mapping[str, Any], config: Config) -> Any:
    path = step["use"]
    factory = find(path, config.folder)
    params = {name: value for name, value in step.items() if name != "use"}
    if inspect.isfunction(factory) and not params and _takes_a_record(factory):
        return compose.FuncTransformer(factory)
    return make(factory, params, path, config.folder)


def _takes_a_record(function: Any) -> bool:
    known = inspect.signature(function).parameters.values()
    return sum(one.default is one.empty for one in known) == 1


def _pipeline(steps: list[Any]) -> Any:
    of_river = [isinstance(step, base.Base) for step in steps]
    if len(steps) == 1:
        return steps[0]
    if all(of_river):
        return compose.Pipeline(*steps)
    if any(of_river):
        odd = steps[of_river.index(False)]
        raise ConfigError(
            f"[model] pipeline: wanted steps of one library, got {_name(odd)} beside river's: "
            "use river.compat's wrapper for it, or the same step of one library"
        )
    return sklearn.pipeline.make_pipeline(*steps)


def _refuse_unserved(estimator: Any, config: Config) -> None:
    last = getattr(estimator, "_last_step", estimator)
    if isinstance(last, ActiveLearningClassifier):
        raise ConfigError(
            f"[model]: {_name(estimator)} changes itself when it predicts, so a resumed run would "
            "differ: use the classifier inside it"
        )
    methods = ("learn_one", "partial_fit", "fit", "predict_learn")
    can = [name for name in methods if hasattr(estimator, name)]
    if not can:
        raise ConfigError(
            f"[model]: wanted an estimator with {', '.join(methods[:2])} or fit, "
            f"got {_name(estimator)}: name a river or scikit-learn estimator"
        )
    if not {"learn_one", "predict_learn"}.intersection(can) and not _IS_FOR[config.task](estimator):
        raise ConfigError(
            f'[model]: wanted an estimator for task "{config.task}", got {_name(estimator)}, '
            "which is for another: change task, or name another learner"
        )
    if can == ["fit"] and not config.model.window:
        remedy = "add [model.window], and it is fitted when each window closes"
        if config.task is Task.ANOMALY:
            remedy = "name one that can, such as river.anomaly.HalfSpaceTrees"
        raise ConfigError(
            f"[model]: {_name(estimator)} cannot learn from one record more, it is fitted as a "
            f"whole: {remedy}"
        )


def _rolling(learner: Learner, config: Config, window: WindowConfig) -> Learner:
    """Return the ensemble of a learner, whose copies know its classes and what it may load."""
    params: dict[str, Any] = {
        "model": learner,
        "window": window.records,
        "keep": window.keep,
        "on_close": window.on_close,
        "vote": window.vote,
        "random_state": config.seed,
    }
    ensemble: Learner
    if learner.task is Task.CLASSIFICATION:
        ensemble = RollingClassifier(**params, classes=config.record.classes or None)
    else:
        ensemble = RollingRegressor(**params)
    return ensemble


def _name(estimator: Any) -> str:
    return type(getattr(estimator, "_last_step", estimator)).__name__


def _road(estimator: Any) -> str:
    if hasattr(estimator, "predict_learn"):
        return "a compiled learner of this project's own"
    if hasattr(estimator, "learn_one"):
        return "a river estimator, one record at a time"
    if hasattr(estimator, "partial_fit"):
        return "a scikit-learn estimator, one record at a time by partial_fit"
    return "a batch estimator, fitted when its window closes"
