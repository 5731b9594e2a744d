"""An unpickler that calls, makes and fills only what `learners.allowed` lists."""

from __future__ import annotations

import collections
import functools
import importlib
import io
import operator
import pickle
import sys
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import numpy as np

from learners import allowed, reducers, sets
from learners.errors import StateError

# Made by a listed function rather than by their own name.
_FILLED: tuple[type, ...] = (
    functools.partial,
    np.random.BitGenerator,
    np.random.Generator,
    np.random.RandomState,
    np.random.bit_generator.SeedSequence,
    type(iter([])),
    type(iter(())),
)
# The steps of protocol 5 that only move values about. Persistent ids, the extension registry,
# buffers from outside and the steps of older protocols are not there.
_MOVES = (
    *(pickle.PROTO, pickle.FRAME, pickle.MARK, pickle.STOP, pickle.POP, pickle.POP_MARK),
    *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BINFLOAT),
    *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.LONG4),
    *(pickle.SHORT_BINBYTES, pickle.BINBYTES, pickle.BINBYTES8),
    *(pickle.SHORT_BINUNICODE, pickle.BINUNICODE, pickle.BINUNICODE8),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.EMPTY_DICT, pickle.EMPTY_SET, pickle.FROZENSET),
    *(pickle.STACK_GLOBAL, pickle.MEMOIZE, pickle.BINGET, pickle.LONG_BINGET),
)


class Unpickler(pickle._Unpickler):
    """The standard library's unpickler in Python, with each step that acts replaced."""

    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]

    def __init__(self, data: bytes, also: frozenset[str]) -> None:
        super().__init__(io.BytesIO(data))
        self.size = len(data)
        self.also = also
        self.called: set[int] = set()
        self.made: set[int] = set()

    def find_class(self, module: str, name: str) -> Any:
        """Return a listed object, and remember what may be done with it."""
        key = f"{module}.{name}"
        if key in _OWN:
            found: Any = _OWN[key]
            self.called.add(id(found))
            return found
        called = key in allowed.CALLED or key in self.also
        made = called or key in allowed.MADE or allowed.is_estimator(module, name)
        if not made and key not in allowed.VALUES:
            _refuse(key)
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if called:
            self.called.add(id(found))
        if made:
            self.made.add(id(found))
        return found

    def reduce(self) -> None:
        """Call what may be called."""
        arguments = self.stack.pop()
        function = self.stack[-1]
        if id(function) not in self.called:
            _refuse_call(function)
        if function is _bound:
            self.stack[-1] = _bound(*arguments, self.also)
        else:
            self.stack[-1] = function(*arguments)

    def new(self) -> None:
        """Make an empty instance of a class whose instances may be made."""
        arguments = self.stack.pop()
        kind = self.stack[-1]
        if id(kind) not in self.made:
            _refuse_call(kind)
        self.stack[-1] = kind.__new__(kind, *arguments)

    def new_with_keywords(self) -> None:
        """Make an empty instance, from keyword arguments as well."""
        keywords = self.stack.pop()
        arguments = self.stack.pop()
        kind = self.stack[-1]
        if id(kind) not in self.made:
            _refuse_call(kind)
        self.stack[-1] = kind.__new__(kind, *arguments, **keywords)

    def build(self) -> None:
        """Fill in an instance, never a class or a function, and no special attribute."""
        state = self.stack.pop()
        target = self.stack[-1]
        kind = type(target)
        if id(kind) not in self.made and not isinstance(target, _FILLED):
            _refuse_call(kind)
        parts = state if type(state) is tuple else (state,)
        for part in parts:
            if isinstance(part, dict):
                _check_names(part)
        setstate = getattr(kind, "__setstate__", None)
        if setstate is not None:
            setstate(target, state)
            return
        attributes, slots = parts if len(parts) == 2 else (state, None)
        if attributes:
            vars(target).update({sys.intern(name): held for name, held in attributes.items()})
        for name, value in (slots or {}).items():
            setattr(target, name, value)

    def extend(self) -> None:
        """Append to a list or a deque."""
        items = self.pop_mark()
        target = _holder(self.stack[-1], list, collections.deque)
        type(target).extend(target, items)

    def add_item(self) -> None:
        """Append one item."""
        item = self.stack.pop()
        target = _holder(self.stack[-1], list, collections.deque)
        type(target).append(target, item)

    def set_items(self) -> None:
        """Put pairs into a dict."""
        items = self.pop_mark()
        self._put(dict(zip(items[::2], items[1::2], strict=True)))

    def set_item(self) -> None:
        """Put one pair into a dict."""
        value = self.stack.pop()
        key = self.stack.pop()
        self._put({key: value})

    def _put(self, pairs: dict[Any, Any]) -> None:
        target = _holder(self.stack[-1], dict)
        if _shows_keys(target):
            _check_names(pairs)
        for key, value in pairs.items():
            target[key] = value

    def join(self) -> None:
        """Add to a set."""
        items = self.pop_mark()
        sets.fill(_holder(self.stack[-1], set), items)

    def buffer(self) -> None:
        """Read a bytearray no longer than what was given."""
        length = int.from_bytes(self.read(8), "little")
        if length > self.size:
            raise EOFError(f"{length} bytes are not there")
        self.append(bytearray(self.read(length)))

    dispatch: ClassVar[dict[int, Any]] = {
        step[0]: pickle._Unpickler.dispatch[step[0]] for step in _MOVES
    } | {
        pickle.REDUCE[0]: reduce,
        pickle.NEWOBJ[0]: new,
        pickle.NEWOBJ_EX[0]: new_with_keywords,
        pickle.BUILD[0]: build,
        pickle.APPENDS[0]: extend,
        pickle.APPEND[0]: add_item,
        pickle.SETITEMS[0]: set_items,
        pickle.SETITEM[0]: set_item,
        pickle.ADDITEMS[0]: join,
        pickle.BYTEARRAY8[0]: buffer,
    }


def _bound(target: Any, name: str, also: frozenset[str]) -> Any:
    """Return a listed method of an object, found by where it is defined."""
    owner = target if isinstance(target, type) else type(target)
    for base in owner.__mro__:
        if name in vars(base):
            key = f"{base.__module__}.{base.__qualname__}.{name}"
            if key not in allowed.METHODS and key not in also:
                _refuse(key)
            return getattr(target, name)
    _refuse(f"{owner.__module__}.{owner.__qualname__}.{name}")


def _iterator(items: list[Any] | tuple[Any, ...]) -> Any:
    if type(items) not in (list, tuple):
        _refuse("builtins.iter")
    return iter(items)


def _item_getter(*items: Any) -> Any:
    # river's text steps look up a field of the row by name: nothing else is looked up.
    kinds = {type(item) for item in items}
    if not kinds or not kinds <= {str, int}:
        raise StateError(
            "wanted text or integers for operator.itemgetter in a saved state, "
            f"got {', '.join(sorted(kind.__name__ for kind in kinds)) or 'nothing'}: "
            "restore only checkpoints of your own"
        )
    return operator.itemgetter(*items)


def _holder(target: Any, *kinds: type) -> Any:
    if not isinstance(target, kinds):
        _refuse_call(type(target))
    return target


_PLAIN = (object, dict, collections.Counter, collections.defaultdict, collections.OrderedDict)


def _shows_keys(target: dict[Any, Any]) -> bool:
    """Return whether a dict may show its keys as attributes; in others they are a user's data."""
    ways = {"__getattr__", "__getattribute__", "__setattr__"}
    own = [kind for kind in type(target).__mro__ if kind not in _PLAIN]
    return any(ways & vars(kind).keys() for kind in own) or (
        getattr(target, "__dict__", None) is target
    )


def _check_names(attributes: dict[Any, Any]) -> None:
    for name in attributes:
        if isinstance(name, str) and name.startswith("__"):
            # Copying, numpy and others obey special attributes.
            raise StateError(
                f"wanted plain attributes in a saved state, got {name}: "
                "restore only checkpoints of your own"
            )


def _refuse(name: str) -> NoReturn:
    raise StateError(
        f"wanted only allowed names in a saved state, got {name}: "
        f'if you trust it, set [model] trust = ["{name}"]'
    )


def _refuse_call(target: Any) -> NoReturn:
    name = getattr(target, "__qualname__", type(target).__qualname__)
    module = getattr(target, "__module__", type(target).__module__)
    _refuse(f"{module}.{name}")


_OWN: dict[str, Any] = {
    "builtins.getattr": _bound,
    "builtins.iter": _iterator,
    "operator.itemgetter": _item_getter,
    **{f"{f.__module__}.{f.__qualname__}": f for f in reducers.FUNCTIONS},
}
