"""A digest of an estimator's state by value: equal states, equal digests, in any process."""

from __future__ import annotations

import copyreg
import functools
import hashlib
import math
import random
import struct
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river.proba.base import Distribution

from learners.errors import StateError

# What predicting fills in and learning rebuilds, or pickling leaves out: not state.
CACHES = {
    "river.cluster.dbstream.DBSTREAM": frozenset(
        ("_n_clusters", "_clusters", "_centers", "clustering_is_up_to_date")
    ),
    "river.linear_model.bayesian_lin_reg.BayesianLinearRegression": frozenset(
        ("_m_arr", "_m_dirty")
    ),
    "river.compose.pipeline.Pipeline": frozenset(
        ("_plan", "_inference_transformers", "_last_step_cached", "_last_step_params")
    ),
    # Made of the values, in an order that a copy of given ones need not have.
    "river.preprocessing.one_hot.OneHotEncoder": frozenset(("_zero_dict",)),
    "sklearn.feature_extraction.text._VectorizerMixin": frozenset(("_stop_words_id",)),
    "sklearn.preprocessing._label.MultiLabelBinarizer": frozenset(("_cached_dict",)),
    "sklearn.utils._bunch.Bunch": frozenset(("_deprecated_key_to_warnings",)),
}
# Trees whose seventh to tenth part of the state count the queries they answered.
_COUNTING = frozenset(
    ("sklearn.neighbors._kd_tree.KDTree", "sklearn.neighbors._ball_tree.BallTree")
)
_DEEP = 1_000_000
_pack_float = struct.Struct("<d").pack


def digest(estimator: object) -> str:
    """Return the SHA-256 of an object's state, in hexadecimal.

    It counts types, values, the order of dicts and lists, and the state of random generators.
    It does not count identity and sharing, the order of sets and attributes, and caches that
    predicting fills. So a digest survives pickling, deep copies, a restart and another
    `PYTHONHASHSEED`, and tells 1 from 1.0, True and "1".

    Raises
    ------
    StateError
        Some part has no state that can be read: an open file, a generator, a lock.

    Examples
    --------
    >>> digest([1, {"a": 2.0}]) == digest([1, {"a": 2.0}])
    True
    >>> digest(1) == digest(1.0)
    False
    """
    try:
        token = _Digester().token(estimator)
    except RecursionError:
        # Every step of the walk is a Python call, which takes heap and not C stack.
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(_DEEP)
        try:
            token = _Digester().token(estimator)
        finally:
            sys.setrecursionlimit(limit)
    return hashlib.sha256(token).hexdigest()


class _Digester:
    """One walk over an object graph; a part met again costs one look-up."""

    def __init__(self) -> None:
        # The object is kept beside its token, or its id could be given to another one.
        self.done: dict[int, tuple[object, bytes]] = {}
        self.path: dict[int, int] = {}

    def token(self, value: Any) -> bytes:
        """Return bytes that stand for the value: itself if small, else a hash."""
        kind = type(value)
        atom = _ATOMS.get(kind)
        if atom is not None:
            return atom(value)
        key = id(value)
        done = self.done.get(key)
        if done is not None:
            return done[1]
        depth = self.path.get(key)
        if depth is not None:
            return b"^%d;" % (len(self.path) - depth)
        self.path[key] = len(self.path)
        token = b"#" + hashlib.sha256(_PARTS.get(kind, _other)(self, value)).digest()
        del self.path[key]
        self.done[key] = (value, token)
        return token

    def tokens(self, values: Iterable[Any]) -> bytes:
        """Return the tokens of values in order, and how many there are."""
        token = self.token
        tokens = [token(value) for value in values]
        return b"%d:" % len(tokens) + b"".join(tokens)


def _integer(value: int) -> bytes:
    return b"i%x;" % value


def _float(value: float) -> bytes:
    return b"f" + _pack_float(math.nan if value != value else value)


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"s%d:" % len(data) + data


def _blob(value: bytes) -> bytes:
    return b"b%d:" % len(value) + value


def _list(walk: _Digester, value: list[Any]) -> bytes:
    return b"list" + walk.tokens(value)


def _tuple(walk: _Digester, value: tuple[Any, ...]) -> bytes:
    return b"tuple" + walk.tokens(value)


def _dict(walk: _Digester, value: dict[Any, Any]) -> bytes:
    token = walk.token
    return b"dict" + b"".join([token(k) + token(v) for k, v in value.items()])


def _set(walk: _Digester, value: set[Any] | frozenset[Any]) -> bytes:
    token = walk.token
    return type(value).__name__.encode() + b"".join(sorted([token(item) for item in value]))


def _array(walk: _Digester, value: NDArray[Any]) -> bytes:
    head = b"array" + walk.tokens((type(value), *value.shape))
    if isinstance(value, np.ma.MaskedArray):
        return head + walk.tokens((value.filled(), np.ma.getmaskarray(value), value.fill_value))
    if value.dtype.names:
        # Field by field, since the bytes between fields hold anything.
        return head + walk.tokens([(n, np.asarray(value[n])) for n in value.dtype.names])
    if value.dtype.hasobject:
        return head + walk.tokens(value.ravel().tolist())
    if value.dtype.kind == "f" and np.isnan(value).any():
        value = np.where(np.isnan(value), value.dtype.type(math.nan), value)
    return head + _text(value.dtype.str) + value.tobytes()


def _function(walk: _Digester, value: types.FunctionType) -> bytes:
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    held = (value.__module__, value.__qualname__, value.__defaults__, value.__kwdefaults__, cells)
    return b"function" + walk.tokens(held)


def _method(walk: _Digester, value: types.MethodType) -> bytes:
    return b"method" + walk.tokens((value.__self__, value.__func__.__qualname__))


def _builtin(walk: _Digester, value: types.BuiltinFunctionType) -> bytes:
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        owner = value.__module__
    return b"builtin" + walk.tokens((owner, value.__qualname__))


def _random_state(walk: _Digester, value: np.random.RandomState) -> bytes:
    return b"RandomState" + walk.token(value.get_state(legacy=False))


def _generator(walk: _Digester, value: np.random.Generator) -> bytes:
    return b"Generator" + walk.token(value.bit_generator.state)


def _random(walk: _Digester, value: random.Random) -> bytes:
    version, words, gauss = value.getstate()
    packed = struct.pack(f"<{len(words)}L", *words)
    return b"Random" + walk.tokens((_name(type(value)), version, packed, gauss))


def _module(walk: _Digester, value: types.ModuleType) -> bytes:
    return b"module" + _text(value.__name__)


def _other(walk: _Digester, value: object) -> bytes:
    """Return what stands for an object of any other kind, as pickle would take it apart."""
    if isinstance(value, type):
        return b"class" + _text(_name(value))
    if isinstance(value, np.ndarray):
        return _array(walk, value)
    if isinstance(value, np.generic):
        return b"scalar" + _array(walk, np.asarray(value))
    if isinstance(value, np.random.BitGenerator):
        return b"BitGenerator" + walk.token(value.state)
    if type(value).__module__.startswith("scipy.sparse.") and hasattr(value, "tocsr"):
        return _sparse(walk, value)
    reduced = _reduce(value)
    if isinstance(reduced, str):
        return b"global" + walk.tokens((getattr(value, "__module__", None), reduced))
    make, made_of, state, items, pairs = (*reduced, None, None, None)[:5]
    if make in (copyreg.__newobj__, copyreg.__newobj_ex__):  # type: ignore[attr-defined]
        make, made_of = type(value), made_of[1:]
    parts = [b"object", _text(_name(type(value))), walk.token(make), walk.tokens(made_of)]
    parts.append(_state(walk, type(value), state))
    parts.append(walk.tokens(items or ()))
    parts.append(walk.tokens([part for pair in pairs or () for part in pair]))
    return b"".join(parts)


def _reduce(value: object) -> str | tuple[Any, ...]:
    reducer = copyreg.dispatch_table.get(type(value))
    try:
        return reducer(value) if reducer else value.__reduce_ex__(4)
    except (TypeError, AttributeError) as error:
        raise StateError(
            f"wanted state that can be read, got {_name(type(value))} ({error}): "
            "leave it out of the estimator"
        ) from error


def _state(walk: _Digester, kind: type, state: Any) -> bytes:
    """Return what stands for a state: attributes by name, without caches."""
    if state is None:
        return b"{}"
    if isinstance(state, dict):
        if issubclass(kind, Distribution) and state.get("seed") is None:
            # River's trees hold these by the thousand, unseeded, and never sample from them.
            state = {name: held for name, held in state.items() if name != "_rng"}
        caches = _caches(kind)
        names = sorted([str(name) for name in state if name not in caches])
        token = walk.token
        return b"{" + b"".join([_text(name) + token(state[name]) for name in names]) + b"}"
    if type(state) is tuple and len(state) == 2 and isinstance(state[1], dict):
        return b"(" + _state(walk, kind, state[0]) + _state(walk, kind, state[1]) + b")"
    if _name(kind) in _COUNTING:
        state = state[:7] + state[11:]
    return walk.token(state)


@functools.cache
def _caches(kind: type) -> frozenset[str]:
    names: set[str] = set()
    for base in kind.__mro__:
        names |= CACHES.get(_name(base), frozenset())
        names |= {n for n, v in vars(base).items() if isinstance(v, functools.cached_property)}
    return frozenset(names)


def _sparse(walk: _Digester, value: Any) -> bytes:
    rows = value.tocsr(copy=True)
    rows.sum_duplicates()
    held = (_name(type(value)), value.shape, rows.data, rows.indices, rows.indptr)
    return b"sparse" + walk.tokens(held)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


_ATOMS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda value: b"n",
    bool: lambda value: b"T" if value else b"F",
    type(...): lambda value: b"e",
    int: _integer,
    float: _float,
    str: _text,
    bytes: _blob,
}
_PARTS: dict[type, Callable[[_Digester, Any], bytes]] = {
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _set,
    np.ndarray: _array,
    types.FunctionType: _function,
    types.MethodType: _method,
    types.BuiltinFunctionType: _builtin,
    types.ModuleType: _module,
    np.random.RandomState: _random_state,
    np.random.Generator: _generator,
    random.Random: _random,
}
