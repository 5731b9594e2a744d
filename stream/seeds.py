"""Seeds that an estimator leaves open, filled so that the same input gives the same model."""

from __future__ import annotations

import inspect
from typing import Any

from river import base, compose

from learners.compiled.own import Own

_NAMES = ("seed", "random_state")


def seeded(value: Any, seed: int) -> Any:
    """Return an untrained estimator with every open seed in it set, at any depth.

    A river estimator with an open seed is cloned, so anything it has learned is lost; where no
    seed is open the estimator itself comes back.

    Examples
    --------
    >>> from river.forest import ARFClassifier
    >>> seeded(ARFClassifier(), 7).seed, seeded(ARFClassifier(seed=3), 7).seed
    (7, 3)
    """
    if isinstance(value, compose.Pipeline | compose.TransformerUnion):
        return _seeded_steps(value, seed)
    if isinstance(value, base.Base):
        return _seeded_river(value, seed)
    if isinstance(value, Own):
        return value.with_seed(seed) if value.open_seed else value
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        inner = [seeded(one, seed) for one in value]
        return value if _same(inner, value) else type(value)(inner)
    if isinstance(value, dict):
        filled = {name: seeded(one, seed) for name, one in value.items()}
        return value if _same(filled.values(), value.values()) else filled
    if hasattr(value, "get_params") and not inspect.isclass(value):
        _seed_sklearn(value, seed)
    return value


def _same(new: Any, old: Any) -> bool:
    return all(one is other for one, other in zip(new, old, strict=True))


def _seeded_steps(value: Any, seed: int) -> Any:
    steps = value.steps if isinstance(value, compose.Pipeline) else value.transformers
    filled = {name: seeded(step, seed) for name, step in steps.items()}
    return value if _same(filled.values(), steps.values()) else type(value)(*filled.items())


def _seeded_river(value: Any, seed: int) -> Any:
    changed: dict[str, Any] = {}
    for name in inspect.signature(type(value)).parameters:
        old = getattr(value, name, None)
        new = seed if old is None and name in _NAMES else seeded(old, seed)
        if new is not old and hasattr(value, name):
            changed[name] = new
    return value.clone(changed) if changed else value


def _seed_sklearn(value: Any, seed: int) -> None:
    params = value.get_params(deep=True)
    value.set_params(
        **{
            name: seed
            for name, old in params.items()
            if old is None and name.rpartition("__")[2] in _NAMES
        }
    )
