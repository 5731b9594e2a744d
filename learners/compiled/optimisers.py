"""Optimisers of river: how a row's gradient moves the weights.

All are O(d) a row. A feature that a row lacks keeps its weight and its memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from river import optim

from learners.compiled.jit import part
from learners.compiled.rates import Rate, rate_of
from learners.compiled.twins import NoTwinError
from learners.table import Floats

# Robbins and Monro, 1951; Polyak, 1964; Nesterov, 1983; Duchi, Hazan and Singer, 2011;
# Zeiler, 2012; Hinton, 2012; Kingma and Ba, 2014 (two); Reddi, Kale and Kumar, 2018;
# Dozat, 2016; Luo, Xiong, Liu and Sun, 2019; McMahan and others, 2013.
SGD, MOMENTUM, NESTEROV, ADAGRAD, ADADELTA, RMSPROP = range(6)
ADAM, ADAMAX, AMSGRAD, NADAM, ADABOUND, FTRL = range(6, 12)

MEMORY = 3
"""How many numbers an optimiser keeps by weight, at most."""

_ADAM = ("beta_1", "beta_2", "eps")
# By type the code and the names of the parameters, at most four.
_RULES: dict[type, tuple[int, Sequence[str]]] = {
    optim.SGD: (SGD, ()),
    optim.Momentum: (MOMENTUM, ("rho",)),
    optim.NesterovMomentum: (NESTEROV, ("rho",)),
    optim.AdaGrad: (ADAGRAD, ("eps",)),
    optim.AdaDelta: (ADADELTA, ("rho", "eps")),
    optim.RMSProp: (RMSPROP, ("rho", "eps")),
    optim.Adam: (ADAM, _ADAM),
    optim.AdaMax: (ADAMAX, _ADAM),
    optim.AMSGrad: (AMSGRAD, (*_ADAM, "correct_bias")),
    optim.Nadam: (NADAM, _ADAM),
    optim.AdaBound: (ADABOUND, (*_ADAM, "gamma")),
    optim.FTRLProximal: (FTRL, ("alpha", "beta", "l1", "l2")),
}


class Rule(NamedTuple):
    """An optimiser as numbers.

    Attributes
    ----------
    code
        Which one.
    parameters
        Its four, in an order of its own.
    rate
        Of learning.
    bound, base
        Where the step of AdaBound ends, and the learning rate which that is for.
    rated
        Whether river's optimiser can tell its learning rate, which l1 asks for.
    """

    code: int
    parameters: tuple[float, ...]
    rate: Rate
    bound: float = 0.0
    base: float = 1.0
    rated: bool = True

    def numbers(self) -> tuple[float, ...]:
        """Return what `step` reads."""
        return (float(self.code), *self.parameters, self.base)


def rule_of(optimizer: Any) -> Rule:
    """Return the rule of an untrained river optimiser.

    Raises
    ------
    NoTwinError
        It has none.
    """
    if type(optimizer) is optim.Averager:
        # River's models go on with the weights that it averages, never with the average.
        return rule_of(optimizer.optimizer)._replace(rated=False)
    found = _RULES.get(type(optimizer))
    if found is None:
        raise NoTwinError(f"the optimizer {type(optimizer).__name__}")
    code, names = found
    values = [float(getattr(optimizer, name)) for name in names]
    for name, value in zip(names, values, strict=True):
        # Where river would divide by zero.
        if (name in ("eps", "alpha", "gamma") and value <= 0.0) or (
            name.startswith("beta_") and not 0.0 <= value < 1.0
        ):
            raise NoTwinError(f"the optimizer {type(optimizer).__name__} with {name} {value!r}")
    parameters = (*values, *[0.0] * (4 - len(values)))
    if code == FTRL:
        return Rule(code, parameters, (0, 0.0, 0.0), rated=False)
    rate = rate_of(optimizer.lr)
    if code == ADABOUND:
        if optimizer.base_lr == 0.0:
            raise NoTwinError("the optimizer AdaBound with lr 0")
        return Rule(code, parameters, rate, float(optimizer.final_lr), float(optimizer.base_lr))
    return Rule(code, parameters, rate)


@part
def look_ahead(rho: float, x: Floats, values: Floats) -> None:
    """Move the weights of the features in a row to where Nesterov's momentum looks for them."""
    for j in range(len(x)):
        if x[j] == x[j]:
            values[0, j] -= rho * values[1, j]


@part
def step(rule: tuple[float, ...], lr: float, clock: Floats, g: Floats, values: Floats) -> None:
    """Move the weights by the gradient of one row.

    Parameters
    ----------
    rule
        Code, four parameters and the base rate.
    lr
        The learning rate now.
    clock
        How many steps there were, and the bound of AdaBound; both go on here.
    g
        float64[d], NaN for a feature that the row lacks.
    values
        float64[1 + MEMORY, d]: the weights, then what the optimiser keeps by weight.
    """
    code, a, b, c, d = int(rule[0]), rule[1], rule[2], rule[3], rule[4]
    clock[0] += 1.0
    w, m, v, top = values[0], values[1], values[2], values[3]
    if code == SGD:
        for j in range(len(g)):
            w[j] = w[j] - lr * g[j] if g[j] == g[j] else w[j]
    elif code == MOMENTUM or code == NESTEROV:
        for j in range(len(g)):
            if g[j] == g[j]:
                if code == NESTEROV:
                    w[j] += a * m[j]
                m[j] = a * m[j] + lr * g[j]
                w[j] -= m[j]
    elif code == ADAGRAD:
        for j in range(len(g)):
            if g[j] == g[j]:
                v[j] += g[j] * g[j]
                w[j] -= lr / math.sqrt(v[j] + a) * g[j]
    elif code == ADADELTA:
        for j in range(len(g)):
            if g[j] == g[j]:
                v[j] = a * v[j] + (1.0 - a) * (g[j] * g[j])
                move = -math.sqrt(m[j] + b) / math.sqrt(v[j] + b) * g[j]
                m[j] = a * m[j] + (1.0 - a) * (move * move)
                w[j] += move
    elif code == RMSPROP:
        for j in range(len(g)):
            if g[j] == g[j]:
                v[j] = a * v[j] + (1.0 - a) * (g[j] * g[j])
                w[j] -= lr / math.sqrt(v[j] + b) * g[j]
    elif code == FTRL:
        _follow_the_leader(a, b, c, d, g, w, m, v)
    else:
        _adaptive_moments(code, rule, lr, clock, g, w, m, v, top)


@part
def _adaptive_moments(
    code: int,
    rule: tuple[float, ...],
    lr: float,
    clock: Floats,
    g: Floats,
    w: Floats,
    m: Floats,
    v: Floats,
    top: Floats,
) -> None:
    beta_1, beta_2, eps = rule[1], rule[2], rule[3]
    bias_1, bias_2 = 1.0 - beta_1 ** clock[0], 1.0 - beta_2 ** clock[0]
    rate = lr
    if code == ADAMAX:
        rate = lr / bias_1
    elif code == ADAM or code == ADABOUND or (code == AMSGRAD and rule[4] != 0.0):
        rate = lr * math.sqrt(bias_2) / bias_1
    low = high = 0.0
    if code == ADABOUND:
        clock[1] *= lr / rule[5]
        low = clock[1] * (1.0 - 1.0 / (rule[4] * clock[0] + 1.0))
        high = clock[1] * (1.0 + 1.0 / (rule[4] * clock[0]))
    for j in range(len(g)):
        if g[j] != g[j]:
            continue
        m[j] = beta_1 * m[j] + (1.0 - beta_1) * g[j]
        if code == ADAMAX:
            v[j] = max(beta_2 * v[j], abs(g[j]))
            w[j] -= rate * m[j] / (v[j] + eps)
            continue
        v[j] = beta_2 * v[j] + (1.0 - beta_2) * (g[j] * g[j])
        if code == ADAM:
            w[j] -= rate * m[j] / (math.sqrt(v[j]) + eps)
        elif code == AMSGRAD:
            top[j] = max(top[j], v[j])
            w[j] -= rate * m[j] / (math.sqrt(top[j]) + eps)
        elif code == ADABOUND:
            w[j] -= max(min(rate / (math.sqrt(v[j]) + eps), high), low) * m[j]
        else:
            ahead = beta_1 * (m[j] / bias_1) + (1.0 - beta_1) * g[j] / bias_1
            w[j] -= lr * ahead / (math.sqrt(v[j] / bias_2) + eps)


@part
def _follow_the_leader(
    alpha: float,
    beta: float,
    l1: float,
    l2: float,
    g: Floats,
    w: Floats,
    z: Floats,
    n: Floats,
) -> None:
    for j in range(len(g)):
        if g[j] == g[j]:
            if abs(z[j]) > l1:
                w[j] = -(z[j] - np.sign(z[j]) * l1) / ((beta + math.sqrt(n[j])) / alpha + l2)
            square = g[j] * g[j]
            s = (math.sqrt(n[j] + square) - math.sqrt(n[j])) / alpha
            z[j] += g[j] - s * w[j]
            n[j] += square
