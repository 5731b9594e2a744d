from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import random
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import river
from hypothesis import given
from hypothesis import strategies as st
from river import base, compose, linear_model, naive_bayes, preprocessing
from river.feature_extraction import TFIDF, BagOfWords
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators

from learners.base import Classes, Examples
from learners.digests import digest
from learners.errors import StateError
from learners.from_batch import FromBatch
from learners.opaque import check, dumps, loads
from learners.roads import as_learner

# What cannot be restored without the operator's trust, and why.
NOT_ALLOWED = {
    "river.preprocessing.lda.LDA",  # keeps numpy.array as a factory
}
NOT_BUILT = {
    "river.misc.zstd_classifier.ZstdClassifier",  # needs Python 3.14
}


def river_estimators() -> Iterator[tuple[str, Any]]:
    for found in pkgutil.walk_packages(river.__path__, "river."):
        if any(part in found.name for part in (".test_", ".datasets", ".checks", "conftest")):
            continue
        try:
            module = importlib.import_module(found.name)
        except ImportError:
            continue
        for _, kind in inspect.getmembers(module, inspect.isclass):
            name = f"{kind.__module__}.{kind.__qualname__}"
            if kind.__module__ != found.name or inspect.isabstract(kind) or name in NOT_BUILT:
                continue
            if issubclass(kind, (base.Estimator, base.DriftDetector)):
                yield from ((name, made) for made in built(kind))


def built(kind: Any) -> Iterator[Any]:
    try:
        for parameters in kind._unit_test_params():
            yield kind(**parameters)
    except (TypeError, ValueError):
        return  # it has parameters of its own, and river gives none to try


def learn(estimator: Any, rows: int) -> None:
    """Learn in the first of a few forms that the estimator takes."""
    chance = random.Random(7)
    for _ in range(rows):
        x = {name: chance.gauss(0, 1) for name in "abcd"}
        y = sum(x.values())
        takes: list[tuple[str, tuple[Any, ...]]] = [
            ("learn_one", (x, y > 0)),
            ("learn_one", (x, y)),
            ("learn_one", (x,)),
            ("learn_one", (1, 2, y)),
            ("learn_one", ("some words" if y > 0 else "other words",)),
            ("learn_one", (x, {"p": y > 0, "q": y > 1})),
            ("learn_one", (x, {"p": y, "q": -y})),
            ("update", (y,)),
            ("update", (y > 0,)),
        ]
        for method, arguments in takes:
            # Whatever an estimator raises for a form that is not its own.
            with contextlib.suppress(Exception):
                getattr(estimator, method)(*arguments)
                break


@pytest.mark.slow
def test_every_river_estimator_comes_back_as_it_was() -> None:
    failures, seen = [], 0
    for name, estimator in river_estimators():
        learn(estimator, 60)
        seen += 1
        try:
            if digest(loads(dumps(estimator))) != digest(estimator):
                failures.append(f"{name}: another digest")
        except StateError as error:
            if name not in NOT_ALLOWED:
                failures.append(f"{name}: {error}")
    assert not failures, "\n".join(failures)
    assert seen > 150


class OwnBayes(naive_bayes.GaussianNB):  # type: ignore[misc]  # river has no types
    """A river estimator of the user's."""


class OwnTree(DecisionTreeClassifier):  # type: ignore[misc]  # scikit-learn has no types
    """A scikit-learn estimator of the user's, fitted at once."""


class OwnDescent(SGDClassifier):  # type: ignore[misc]  # scikit-learn has no types
    """A scikit-learn estimator of the user's, learned one by one."""


def taught(model: Any, trust: frozenset[str]) -> Any:
    learner: Any = as_learner(model, classes=["no", "yes"], trust=trust)
    rows = [{"x": float(i)} for i in range(6)]
    learner.predict_learn(Examples.of(rows, np.arange(6.0) % 2, Classes(["no", "yes"])))
    if isinstance(learner, FromBatch):
        learner.close()
    return learner


@pytest.mark.parametrize("words", [BagOfWords, TFIDF])
def test_a_pipeline_over_a_text_field_comes_back_without_trust(words: Any) -> None:
    model = compose.Pipeline(words(on="text"), naive_bayes.MultinomialNB())
    for line, label in (("win a prize", "spam"), ("see you at noon", "ham")):
        model.learn_one({"text": line}, label)
    again = loads(check(model))
    assert digest(again) == digest(model)
    row = {"text": "a prize at noon"}
    assert again.predict_proba_one(row) == model.predict_proba_one(row)


def test_scikit_learn_estimators_come_back_as_they_were() -> None:
    rows = np.random.default_rng(0).normal(size=(80, 3))
    labels = (rows.sum(axis=1) > 0).astype(int)
    models: list[Any] = [
        GaussianProcessClassifier(random_state=0),
        GradientBoostingClassifier(n_estimators=5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
        KNeighborsClassifier(),
        MLPClassifier(hidden_layer_sizes=(4,), max_iter=20, random_state=0),
        RandomForestClassifier(5, random_state=0),
        SGDClassifier(random_state=0),
        SVC(),
        VotingClassifier([("a", LogisticRegression()), ("b", SVC())]),
        make_pipeline(StandardScaler(), SelectKBest(k=2), LogisticRegression()),
    ]
    for model in models:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(rows, labels)
        before = digest(model)
        model.predict(rows)
        assert digest(model) == before, f"{model} changed when it predicted"
        again = loads(dumps(model))
        assert digest(again) == before, f"{model} came back otherwise"
        assert (again.predict(rows) == model.predict(rows)).all()


def losses() -> Iterator[Any]:
    """Every loss that stochastic descent and boosting know."""
    for kind, fixed in (
        (SGDClassifier, {}),
        (SGDRegressor, {}),
        (GradientBoostingClassifier, {"n_estimators": 2}),
        (GradientBoostingRegressor, {"n_estimators": 2}),
        (HistGradientBoostingClassifier, {"max_iter": 2}),
        (HistGradientBoostingRegressor, {"max_iter": 2, "quantile": 0.5}),
    ):
        for allowed in kind._parameter_constraints["loss"]:
            for loss in sorted(getattr(allowed, "options", ())):
                if isinstance(loss, str):
                    yield kind(loss=loss, **fixed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("classes", [2, 3])
def test_every_classifier_and_every_loss_of_scikit_learn_comes_back(classes: int) -> None:
    random = np.random.default_rng(0)
    rows, labels = np.abs(random.normal(size=(90, 4))), random.integers(0, classes, 90) + 1
    models = list(losses())
    for _, kind in all_estimators(type_filter="classifier"):
        with contextlib.suppress(TypeError):  # it is made of others, which stand here themselves
            models.append(kind())
    failures, seen = [], 0
    for model in models:
        with contextlib.suppress(ValueError):
            model.fit(rows, labels)  # or it knows two classes only
            seen += 1
            try:
                check(model)
            except StateError as error:
                failures.append(f"{model}: {error}")
    assert not failures, "\n".join(failures)
    assert seen > 50


@pytest.mark.parametrize("kind", [OwnBayes, OwnTree, OwnDescent])
def test_a_learner_tells_with_its_first_state_that_none_can_be_restored(kind: Any) -> None:
    name = f"tests.test_opaque.{kind.__name__}"
    with pytest.raises(StateError, match=name):
        taught(kind(), frozenset()).state()
    assert taught(kind(), frozenset([name])).state().opaque


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.int8).reshape(2, 3)),
        np.empty((0, 3)),
        np.array(3.5),
        np.array(["a", "bcd"]),
        np.array([[1, "a"], [None, {"b": 2}]], object),
        np.array([(1, 2.5)], np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        np.array(["2026-01-02"], "datetime64[ms]"),
        np.float32(1.5),
        np.bool(True),
        np.dtype("<i4"),
        np.ma.MaskedArray([1.0, 2.0], mask=[True, False]),
        np.random.RandomState(3),
        np.random.default_rng(3),
        random.Random(3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_numbers_and_generators_come_back_as_they_were(value: Any) -> None:
    again = loads(dumps({"value": value}))["value"]
    assert type(again) is type(value)
    assert digest(again) == digest(value)
    if isinstance(value, np.ndarray):
        assert again.flags.writeable and again.flags.f_contiguous == value.flags.f_contiguous


def test_sharing_and_cycles_come_back() -> None:
    part: list[Any] = [1]
    part.append(part)
    first, second = loads(dumps([part, part]))
    assert first is second and first[1] is first


def test_a_chain_deeper_than_the_recursion_limit_comes_back() -> None:
    chain: list[Any] = []
    for _ in range(20_000):
        chain = [chain]
    again, depth = loads(dumps(chain)), 0
    while again:
        again, depth = again[0], depth + 1
    assert depth == 20_000


class Called:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class Own:
    """A class of the user's."""

    def __init__(self) -> None:
        self.value = 1


def test_the_operator_can_trust_a_name_exactly() -> None:
    state = dumps(Own())
    with pytest.raises(StateError, match=r'trust = \["tests.test_opaque.Own"\]'):
        loads(state)
    assert loads(state, frozenset(["tests.test_opaque.Own"])).value == 1
    with pytest.raises(StateError):
        loads(state, frozenset(["tests.test_opaque", "tests.test_opaque.O", "tests"]))


def test_check_tells_before_the_first_checkpoint() -> None:
    check(compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()))
    with pytest.raises(StateError, match="lambdas"):
        check(compose.FuncTransformer(lambda x: x))
    with pytest.raises(StateError, match="trust"):
        check(Called(len, "a"))


@given(st.lists(st.integers(0, 300) | st.sampled_from("abcdefgh"), max_size=7, unique=True))
def test_a_small_set_yields_its_items_in_the_order_it_had(items: list[Any]) -> None:
    """Hashes collide in it; what was there first has its place."""
    kept = set[Any]()
    for item in items:
        kept.add(item)
    assert list(loads(dumps([kept]))[0]) == list(kept)
    many = set(range(5_000, 0, -3))
    assert loads(dumps(many)) == many
