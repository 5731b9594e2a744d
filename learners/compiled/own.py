"""Learners under this project's own name, and how what they are made with is checked."""

from __future__ import annotations

import inspect
import math
from typing import Any, Self

from learners.compiled.chain import Chain, Model
from learners.errors import LearnerError


class Own(Chain):
    """A model under this project's own name, as a learner.

    Parameters
    ----------
    model
        What answers.

    Attributes
    ----------
    parameters
        What the subclass was made with, by name.
    """

    parameters: dict[str, Any]

    def __new__(cls, *args: Any, **parameters: Any) -> Self:
        """Note the parameters, so that each subclass names them once."""
        own = super().__new__(cls)
        own.parameters = dict(inspect.signature(cls).bind(*args, **parameters).arguments)
        return own

    def __init__(self, model: Model) -> None:
        super().__init__([], model, self)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"{type(self).__name__}({given})"

    def fresh(self) -> Self:
        """See `learners.base.Learner`."""
        return type(self)(**self.parameters)

    @property
    def open_seed(self) -> bool:
        """Whether it draws by a seed, and was given none."""
        drawn = "seed" in inspect.signature(type(self)).parameters
        return drawn and self.parameters.get("seed") is None

    def with_seed(self, seed: int) -> Self:
        """Return an untrained one with this seed, if none was given."""
        given = self.parameters | ({"seed": seed} if self.open_seed else {})
        return type(self)(**given)


def positive(name: str, value: float, most: float = math.inf) -> float:
    """Return a parameter as a float above 0 and up to `most`."""
    if not _number(value) or not 0 < value <= most or value == math.inf:
        bound = f" and up to {most:g}" if most < math.inf else ""
        raise LearnerError(f"wanted {name} above 0{bound}, got {value!r}: give it another value")
    return float(value)


def share(name: str, value: float) -> float:
    """Return a parameter as a float between 0 and 1."""
    if not _number(value) or not 0.0 < value < 1.0:
        raise LearnerError(f"wanted {name} between 0 and 1, got {value!r}: give it another value")
    return float(value)


def whole(name: str, value: int, least: int = 1, most: int = 2**31 - 1) -> int:
    """Return a parameter as a whole number from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise LearnerError(
            f"wanted {name} as a whole number from {least} to {most}, got {value!r}: "
            "give it another value"
        )
    return value


def seed_of(seed: int | None) -> int:
    """Return a seed; 0 for one that nobody gave."""
    return 0 if seed is None else whole("seed", seed, 0, 2**64 - 1)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
