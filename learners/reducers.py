"""How numpy's arrays, scalars and dtypes, and random generators, are saved and rebuilt.

numpy's own way hands the bytes of a saved dtype or array to native code, which trusts them; here
they have to fit. The standard library's way takes 625 steps for each `random.Random`, and river
keeps one in every Gaussian of every leaf.
"""

from __future__ import annotations

import pickle
import random
import struct
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from learners.errors import StateError

# The 624 words of a Mersenne Twister and its position (Matsumoto and Nishimura, 1998).
_WORDS = "<625L"
# A dtype's own string, or of a structured one: names, codes, offsets, bytes of an item.
Code = str | tuple[tuple[str, ...], tuple[Any, ...], tuple[int, ...], int]


def array(code: Code, shape: tuple[int, ...], order: str, data: bytes | bytearray) -> NDArray[Any]:
    """Return a new array of plain numbers, dates or fixed text."""
    if type(data) not in (bytes, bytearray):
        raise StateError(f"wanted an array's bytes, got {type(data).__name__}: the state is torn")
    kind = dtype(code)
    if kind.hasobject:
        raise StateError(f"wanted an array of values, got bytes of {code!r}: the state is torn")
    view: NDArray[Any] = np.ndarray(shape, kind, data, order="F" if order == "F" else "C")
    return view.copy(order="K")


def scalar(code: Code, data: bytes) -> Any:
    """Return one numpy number, date or text."""
    return array(code, (), "C", data)[()]


def dtype(code: Code) -> np.dtype[Any]:
    """Return the dtype of a code."""
    if isinstance(code, str):
        return np.dtype(str(code))
    names, formats, offsets, size = code
    fields: Any = {
        "names": list(names),
        "formats": [dtype(part) for part in formats],
        "offsets": list(offsets),
        "itemsize": size,
    }
    made: np.dtype[Any] = np.dtype(fields)
    return made


def objects(shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an array for objects, each still None."""
    return np.empty(shape, object)


def fill(target: NDArray[Any], items: list[Any]) -> None:
    """Put objects into an array from `objects`, in C order."""
    if type(target) is not np.ndarray or target.dtype != object or target.size != len(items):
        raise StateError(f"wanted an array of {len(items)} objects: the state is torn")
    flat = target.reshape(-1)
    for position, item in enumerate(items):
        flat[position] = item


def masked(data: NDArray[Any], mask: NDArray[Any], missing: Any) -> Any:
    """Return a masked array."""
    if type(data) is not np.ndarray or type(mask) is not np.ndarray:
        raise StateError("wanted arrays under a mask: the state is torn")
    return np.ma.MaskedArray(data, mask=mask, fill_value=missing)


def generator(version: int, words: bytes, gauss: float | None) -> random.Random:
    """Return a random generator in a saved state."""
    made = random.Random(0)
    made.setstate((version, struct.unpack(_WORDS, words), gauss))
    return made


def _code(kind: np.dtype[Any]) -> Code:
    code: Code = kind.str
    if kind.names is not None and kind.fields is not None:
        fields = [kind.fields[name] for name in kind.names]
        formats = tuple(_code(field[0]) for field in fields)
        code = (kind.names, formats, tuple(field[1] for field in fields), kind.itemsize)
    if dtype(code) != kind:
        raise pickle.PicklingError(f"no code for the dtype {kind}")
    return code


def _reduce_array(value: NDArray[Any]) -> tuple[Any, ...]:
    if value.dtype == object:
        return objects, (value.shape,), value.ravel().tolist(), None, None, fill
    order: Literal["F", "C"] = (
        "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    )
    return array, (_code(value.dtype), value.shape, order, value.tobytes(order=order))


def _reduce_scalar(value: np.generic) -> tuple[Any, ...]:
    return scalar, (_code(value.dtype), value.tobytes())


def _reduce_dtype(value: np.dtype[Any]) -> tuple[Any, ...]:
    return dtype, (_code(value),)


def _reduce_random(value: random.Random) -> tuple[Any, ...]:
    version, words, gauss = value.getstate()
    return generator, (version, struct.pack(_WORDS, *words), gauss)


def _reduce_masked(value: Any) -> tuple[Any, ...]:
    return masked, (np.asarray(value.data), np.ma.getmaskarray(value), value.fill_value)


REDUCERS: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    np.ndarray: _reduce_array,
    random.Random: _reduce_random,
    np.ma.MaskedArray: _reduce_masked,
    **{kind: _reduce_scalar for kind in set(np.sctypeDict.values()) if kind is not np.object_},
    **{getattr(np.dtypes, name): _reduce_dtype for name in np.dtypes.__all__},
}
FUNCTIONS = (array, scalar, dtype, objects, fill, masked, generator)
