"""Losses of linear models: their slopes, and what a raw answer means."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from river import optim

from learners.compiled.jit import part
from learners.compiled.twins import NoTwinError

LOG, HINGE, FOCAL, SQUARED, ABSOLUTE, HUBER, QUANTILE, EPSILON_HINGE, CAUCHY, POISSON = range(10)

Loss = tuple[int, float, float]

_losses = optim.losses
_CODES: dict[type, tuple[int, Callable[[Any], tuple[float, float]]]] = {
    _losses.Log: (LOG, lambda loss: (loss.weight_pos, loss.weight_neg)),
    _losses.Hinge: (HINGE, lambda loss: (loss.threshold, 0.0)),
    _losses.BinaryFocalLoss: (FOCAL, lambda loss: (loss.gamma, loss.beta)),
    _losses.Squared: (SQUARED, lambda loss: (0.0, 0.0)),
    _losses.Absolute: (ABSOLUTE, lambda loss: (0.0, 0.0)),
    _losses.Huber: (HUBER, lambda loss: (loss.epsilon, 0.0)),
    _losses.Quantile: (QUANTILE, lambda loss: (loss.alpha, 0.0)),
    _losses.EpsilonInsensitiveHinge: (EPSILON_HINGE, lambda loss: (loss.eps, 0.0)),
    _losses.Cauchy: (CAUCHY, lambda loss: (loss.C, 0.0)),
    _losses.Poisson: (POISSON, lambda loss: (0.0, 0.0)),
}


def loss_of(loss: Any) -> Loss:
    """Return the code of a river loss and its two parameters.

    Raises
    ------
    NoTwinError
        It has none.
    """
    found = _CODES.get(type(loss))
    if found is None:
        raise NoTwinError(f"the loss {type(loss).__name__}")
    code, parameters = found
    first, second = parameters(loss)
    if code == CAUCHY and first == 0.0:
        raise NoTwinError("the loss Cauchy with C 0")
    return code, float(first), float(second)


def is_binary(code: int) -> bool:
    """Return whether a loss takes 0 and 1 for the target."""
    return code in (LOG, HINGE, FOCAL)


@part
def sigmoid(z: float) -> float:
    """Return the logistic function, 0 and 1 beyond 30 as river has it."""
    if z < -30.0:
        return 0.0
    if z > 30.0:
        return 1.0
    return 1.0 / (1.0 + math.exp(-z))


@part
def slope(loss: Loss, y: float, z: float) -> float:
    """Return the derivative of a loss at the raw answer `z`; infinite where river overflows."""
    code, a, b = loss
    if code == LOG:
        sign, weight = (-1.0, b) if y == 0.0 else (1.0, a)
        margin = z * sign
        if margin > 18.0:
            return weight * math.exp(-margin) * -sign
        if margin < -18.0:
            return weight * -sign
        return weight * -sign / (math.exp(margin) + 1.0)
    if code == SQUARED:
        return 2.0 * (z - y)
    if code == HINGE:
        sign = y * 2.0 - 1.0
        return -sign if sign * z <= a else 0.0
    if code == FOCAL:
        sign = y * 2.0 - 1.0
        return sign * (sigmoid(a * (sign * z) + b) - 1.0)
    if code == ABSOLUTE:
        return 1.0 if z > y else -1.0
    if code == HUBER:
        if abs(z - y) <= a:
            return z - y
        return a if z - y > 0.0 else -a
    if code == QUANTILE:
        return (1.0 if y < z else 0.0) - a
    if code == EPSILON_HINGE:
        y = y * 2.0 - 1.0
        if z > y + a:
            return 1.0
        return -1.0 if z + a < y else 0.0
    if code == CAUCHY:
        return (z - y) / (((z - y) / a) ** 2 + 1.0)
    return math.exp(z) - y


@part
def meaning(code: int, z: float) -> float:
    """Return what a raw answer stands for: a probability, a count or the number itself."""
    if code <= FOCAL:
        return sigmoid(z)
    return math.exp(z) if code == POISSON else z


@part
def overflows(loss: Loss, y: float, z: float, learning: bool) -> bool:
    """Return whether Python's arithmetic, and river with it, would raise at a raw answer."""
    code, a, _ = loss
    if code == POISSON:
        return math.isinf(math.exp(z)) and not math.isinf(z)
    if code == CAUCHY and learning:
        parts = (z - y) / a
        return math.isinf(parts * parts) and not math.isinf(parts)
    return False
