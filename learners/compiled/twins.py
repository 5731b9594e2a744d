"""Which river estimators have a twin in compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from learners.errors import LearnerError

Factory = TypeVar("Factory", bound=Callable[..., object])

_FACTORIES: dict[type, Callable[[Any], Any]] = {}


class NoTwinError(LearnerError):
    """An estimator, or a parameter of it, that has no compiled form; the text names it."""


def twin(kind: type) -> Callable[[Factory], Factory]:
    """Register a function that makes the twin of an estimator of exactly this type."""

    def register(factory: Factory) -> Factory:
        _FACTORIES[kind] = factory
        return factory

    return register


def twin_of(estimator: Any) -> Any:
    """Return the twin of one untrained estimator, a stage or a model.

    Raises
    ------
    NoTwinError
        There is none.
    """
    factory = _FACTORIES.get(type(estimator))
    if factory is None:
        raise NoTwinError(type(estimator).__name__)
    return factory(estimator)
