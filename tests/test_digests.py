from __future__ import annotations

import copy
import math
import os
import pickle
import random
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import compose, forest, linear_model, naive_bayes, preprocessing, tree
from sklearn.feature_extraction import DictVectorizer
from sklearn.neighbors import KNeighborsClassifier

from learners.digests import digest
from learners.errors import StateError

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=4),
        st.sets(st.text(max_size=3), max_size=4),
    ),
    max_leaves=12,
)


def spelled(value: Any) -> Any:
    """Return what tells values apart as a digest has to, written in another way."""
    if isinstance(value, float):
        return "float", "nan" if math.isnan(value) else value.hex()
    if isinstance(value, dict):
        return "dict", tuple((spelled(k), spelled(v)) for k, v in value.items())
    if isinstance(value, set):
        return "set", frozenset(spelled(item) for item in value)
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(spelled(item) for item in value)
    return type(value).__name__, repr(value)


@settings(max_examples=300, deadline=None)
@given(VALUES, VALUES)
def test_digests_are_equal_exactly_where_values_are(first: Any, second: Any) -> None:
    assert (digest(first) == digest(second)) == (spelled(first) == spelled(second))


@settings(deadline=None)
@given(VALUES)
def test_a_digest_survives_copies_and_sharing(value: Any) -> None:
    assert digest(copy.deepcopy(value)) == digest(value)
    assert digest(pickle.loads(pickle.dumps(value))) == digest(value)
    assert digest([value, value]) == digest([value, copy.deepcopy(value)])


DIFFERENT: list[Any] = [
    1,
    1.0,
    True,
    "1",
    b"1",
    bytearray(b"1"),
    0.0,
    -0.0,
    math.nan,
    10**5_000,
    [1],
    (1,),
    {1},
    frozenset([1]),
    {1: 1},
    OrderedDict([(1, 1)]),
    Counter([1]),
    defaultdict(int, {1: 1}),
    defaultdict(bool, {1: 1}),
    deque([1]),
    deque([1], maxlen=2),
    {"a": 1, "b": 2},
    {"b": 2, "a": 1},
    [[1], [2]],
    [[1, 2], []],
    ["ab", "c"],
    ["a", "bc"],
    np.array([1]),
    np.array([1], np.int32),
    np.array([1.0]),
    np.array([[1]]),
    np.array([1], object),
    np.array(1),
    np.int64(1),
    np.float64(1),
    np.ma.MaskedArray([1], mask=[True]),
    np.random.RandomState(1),
    np.random.RandomState(2),
    np.random.default_rng(1),
    np.random.default_rng(2),
    random.Random(1),
    random.Random(2),
    DictVectorizer().fit_transform([{"a": 1.0}]),
    DictVectorizer().fit_transform([{"a": 2.0}]),
    int,
    len,
    math.exp,
    [].append,
    np.log,
    np.dtype("f8"),
    spelled,
    linear_model.LinearRegression(),
    linear_model.LogisticRegression(),
    linear_model.LinearRegression(l2=1.0),
]


def test_values_of_different_kinds_differ() -> None:
    assert len({digest(value) for value in DIFFERENT}) == len(DIFFERENT)


@pytest.mark.parametrize("value", DIFFERENT, ids=lambda value: type(value).__name__)
def test_a_digest_is_the_same_twice_and_leaves_its_value(value: Any) -> None:
    assert digest(value) == digest(value)
    if not callable(value):
        assert digest(copy.deepcopy(value)) == digest(value)


def test_layout_in_memory_does_not_count() -> None:
    rows = np.arange(6.0).reshape(2, 3)
    assert digest(np.asfortranarray(rows)) == digest(rows) == digest(rows[:, :])
    assert digest(np.array([math.nan])) == digest(-np.array([math.nan]))
    padded = np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True))
    other = np.frombuffer(bytearray(b"\x00" + b"\x09" * 7 + b"\x00" * 8) * 2, padded.dtype)
    assert digest(padded) == digest(other)


def test_closures_and_defaults_count() -> None:
    def made(held: int) -> Any:
        return lambda x=held: x + held

    assert digest(made(1)) == digest(made(1)) != digest(made(2))


def test_cycles_have_a_digest() -> None:
    def cycle(value: int) -> list[Any]:
        made: list[Any] = [value, {}]
        made[1]["back"] = made
        return made

    assert digest(cycle(1)) == digest(cycle(1)) == digest(copy.deepcopy(cycle(1)))
    assert digest(cycle(1)) != digest(cycle(2))


def test_a_chain_deeper_than_the_recursion_limit_has_a_digest() -> None:
    limit = sys.getrecursionlimit()
    chain: list[Any] = []
    for _ in range(10 * limit):
        chain = [chain]
    assert digest(chain) != digest([chain])
    assert sys.getrecursionlimit() == limit


def test_the_order_of_attributes_does_not_count() -> None:
    first, second = linear_model.LinearRegression(), linear_model.LinearRegression()
    held = dict(vars(second))
    vars(second).clear()
    vars(second).update(reversed(held.items()))
    assert digest(first) == digest(second)


def test_what_has_no_state_is_refused() -> None:
    with pytest.raises(StateError, match="generator"):
        digest([1, (item for item in "ab")])


def test_predicting_and_what_it_caches_do_not_count() -> None:
    chance = random.Random(1)
    models: list[Any] = [
        compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()),
        forest.ARFClassifier(n_models=2, seed=1),
        naive_bayes.GaussianNB(),
        linear_model.BayesianLinearRegression(),
    ]
    for model in models:
        for _ in range(100):
            x = {"a": chance.random(), "b": chance.random()}
            model.learn_one(x, x["a"] > x["b"])
        before = digest(model)
        model.predict_one({"a": 0.1, "b": 0.7})
        assert digest(model) == before, model
        model.learn_one({"a": 0.1, "b": 0.7}, True)
        assert digest(model) != before, model

    rows = np.random.default_rng(0).normal(size=(50, 2))
    near = KNeighborsClassifier(algorithm="kd_tree").fit(rows, rows[:, 0] > 0)
    before = digest(near)
    near.predict(rows)
    assert digest(near) == before


TRAINED = """
import random
from river import compose, ensemble, feature_extraction, forest, preprocessing, tree
from sklearn.linear_model import SGDClassifier
from learners.digests import digest
chance = random.Random(3)
rows = [{name: chance.gauss(0, 1) for name in "abcd"} for _ in range(300)]
models = [
    forest.ARFClassifier(n_models=3, seed=1),
    preprocessing.StandardScaler() | tree.HoeffdingTreeClassifier(grace_period=20),
    preprocessing.OneHotEncoder() | tree.HoeffdingTreeClassifier(grace_period=20),
    ensemble.BaggingClassifier(tree.HoeffdingTreeClassifier(), n_models=2, seed=1),
]
for model in models:
    for x in rows:
        model.learn_one(x, x["a"] + x["b"] * x["c"] > 0)
    print(digest(model))
print(digest(set("abcdefgh")))
print(digest(SGDClassifier(random_state=1).fit([list(x.values()) for x in rows], [0, 1] * 150)))
"""


@pytest.mark.slow
def test_equal_training_gives_equal_digests_under_any_hash_seed() -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", TRAINED],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1 and len(printed.pop().split()) == 6


def test_a_tree_that_grew_has_another_digest() -> None:
    model = tree.HoeffdingTreeClassifier(grace_period=10)
    digests = set()
    for row in range(50):
        model.learn_one({"a": row % 7}, row % 7 > 3)
        digests.add(digest(model))
    assert len(digests) == 50
