"""State of third-party estimators as bytes: pickled, and unpickled through an allow-list.

Unpickling is a small machine that calls what it is told to call. This one calls only names that
`learners.allowed` lists, each exact, fills only instances of listed classes, and follows no
attribute by name. Arrays, scalars and dtypes of numpy go through checked functions of this file,
since numpy's own trust the bytes they are given.

The native code of scikit-learn trusts the numbers inside a tree as it trusts its own. Where a
stranger can write the checkpoints, ask for a signature too.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from typing import Any

from learners.errors import StateError
from learners.reducers import REDUCERS
from learners.unpickler import Unpickler

_DEEP = 1_000_000
_REDUCERS = {**copyreg.dispatch_table, **REDUCERS}


def dumps(estimator: object) -> bytes:
    """Return an estimator's state.

    Raises
    ------
    StateError
        Some part cannot be pickled, such as a lambda.
    """
    try:
        try:
            return _dump(pickle.Pickler, estimator)
        except RecursionError:
            # The standard library's pickler in Python takes heap and not C stack.
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(_DEEP)
            try:
                return _dump(pickle._Pickler, estimator)
            finally:
                sys.setrecursionlimit(limit)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise StateError(
            f"wanted an estimator that can be pickled, got {type(estimator).__name__} "
            f"({error}): name its functions in a module, without lambdas"
        ) from error


def loads(data: bytes, also: frozenset[str] = frozenset()) -> Any:
    """Return the estimator of a state that `dumps` gave.

    Parameters
    ----------
    data
        What `dumps` returned.
    also
        Names, "module.qualname" each, that the operator trusts besides `learners.allowed`.

    Raises
    ------
    StateError
        The state names something that is not allowed, or is torn.

    Examples
    --------
    >>> loads(dumps([1.5, "a"]))
    [1.5, 'a']
    """
    try:
        return Unpickler(data, also).load()
    except (StateError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # What altered bytes can raise has no end, and a panic of river's Rust is no Exception;
        # whoever restores needs one kind.
        raise StateError(
            f"wanted a saved state, got {len(data)} bytes that are not one ({error!r}): "
            "go back to the checkpoint before"
        ) from error


def check(estimator: object, also: frozenset[str] = frozenset()) -> bytes:
    """Return an estimator's state, or raise StateError now if it could not be restored later."""
    state = dumps(estimator)
    loads(state, also)
    return state


def _dump(pickler: Any, estimator: object) -> bytes:
    file = io.BytesIO()
    machine = pickler(file, protocol=5)
    machine.dispatch_table = _REDUCERS
    machine.dump(estimator)
    return file.getvalue()
