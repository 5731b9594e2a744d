"""Schedules of learning rates."""

from __future__ import annotations

import math
from typing import Any

from river import optim

from learners.compiled.jit import part
from learners.compiled.twins import NoTwinError

CONSTANT, INVERSE, OPTIMAL = range(3)

Rate = tuple[int, float, float]


def rate_of(scheduler: Any) -> Rate:
    """Return the code of a river scheduler and its two parameters.

    Raises
    ------
    NoTwinError
        It has none.
    """
    kind = type(scheduler)
    if kind is optim.schedulers.Constant:
        return CONSTANT, float(scheduler.learning_rate), 0.0
    if kind is optim.schedulers.InverseScaling:
        return INVERSE, float(scheduler.learning_rate), float(scheduler.power)
    if kind is optim.schedulers.Optimal:
        return OPTIMAL, float(scheduler.alpha), float(scheduler.t0)
    raise NoTwinError(f"the scheduler {kind.__name__}")


@part
def rate(schedule: Rate, steps: float) -> float:
    """Return the learning rate after so many steps."""
    code, a, b = schedule
    if code == CONSTANT:
        return a
    if code == INVERSE:
        return a / math.pow(steps + 1.0, b)
    return 1.0 / (a * (b + steps))
