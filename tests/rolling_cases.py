"""Rolling estimators of every road, and a stream whose concept turns."""

from __future__ import annotations

from typing import Any

import numpy as np
from river import linear_model, naive_bayes, preprocessing, tree
from sklearn.linear_model import LinearRegression, SGDClassifier
from sklearn.tree import DecisionTreeClassifier

from ensembles.rolling import RollingClassifier, RollingRegressor
from learners.base import LEARN, PREDICT, Classes, Examples

BOTH = PREDICT | LEARN


def stream(n: int, ops: tuple[int, ...] = (BOTH,), seed: int = 0, number: bool = False) -> Examples:
    """Rows of four features whose concept turns halfway, of three classes or a number."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 4))
    turn = np.where(np.arange(n) < n // 2, 1.0, -1.0)
    score = x[:, 0] * turn + x[:, 1] + 0.1 * random.normal(size=n)
    y = score if number else np.digitize(score, [-0.5, 0.5]).astype(float)
    rows = [dict(zip("abcd", row, strict=True)) for row in x.tolist()]
    op = random.choice(np.array(ops, np.uint8), n)
    time = np.arange(n, dtype=np.int64)
    classes = Classes()
    if not number:
        y = np.array([classes.add(["low", "mid", "high"][int(code)]) for code in y], float)
    return Examples(rows, op, y, np.ones(n), time, classes)


def bayes(**parameters: Any) -> RollingClassifier:
    return RollingClassifier(naive_bayes.GaussianNB(), **{"window": 150, "keep": 3, **parameters})


def hoeffding() -> RollingClassifier:
    model = tree.HoeffdingTreeClassifier(grace_period=40)
    return RollingClassifier(model, window=150, keep=3, vote="age")


def descent() -> RollingClassifier:
    model = SGDClassifier(loss="log_loss")
    return RollingClassifier(model, window=150, keep=2, random_state=7)


def hinge() -> RollingClassifier:
    return RollingClassifier(SGDClassifier(), window=150, keep=2, vote="uniform", random_state=1)


def cart() -> RollingClassifier:
    return RollingClassifier(
        DecisionTreeClassifier(max_depth=4), window=170, keep=5, random_state=3
    )


def going_on() -> RollingClassifier:
    return bayes(on_close="go_on")


def numbers() -> RollingRegressor:
    model = preprocessing.StandardScaler() | linear_model.LinearRegression()
    return RollingRegressor(model, window=200, keep=3)


def least_squares() -> RollingRegressor:
    return RollingRegressor(LinearRegression(), window=120, keep=3)
