"""How kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba
import numpy as np

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def njit(function: Kernel) -> Kernel:
    """Compile a function over arrays when it is first called, and keep the machine code on disk.

    It runs without the interpreter's lock. Arithmetic is IEEE 754 in the order written: no
    fast-math, which would change predictions; a division by zero gives what C gives.
    """
    compiled: Kernel = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    return compiled


def lean(function: Kernel) -> Kernel:
    """Compile as `njit`, for what makes no array and so need not count who holds which.

    Counting costs more than the arithmetic where rows are short and arrays many.
    """
    compiled: Kernel = numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)(function)
    return compiled


def part(function: Kernel) -> Kernel:
    """Compile as `lean`, for what only kernels call: Python cannot, which takes a third less."""
    compiled: Kernel = numba.njit(**_PART)(function)
    return compiled


def inner(function: Kernel) -> Kernel:
    """Compile as `part`, into whatever calls it: for the few steps that every row takes."""
    compiled: Kernel = numba.njit(**_PART, forceinline=True)(function)
    return compiled


def sewn(function: Kernel) -> Kernel:
    """Put a function's text into the kernel that calls it, which saves compiling it."""
    compiled: Kernel = numba.njit(nogil=True, error_model="numpy", _nrt=False, inline="always")(
        function
    )
    return compiled


def numbered(count: int) -> list[int]:
    """Return 0, 1 and so on as numbers of NumPy, for constants in kernels.

    They are all of one type to the compiler, which types each literal, and compiles what is called
    with it, anew.
    """
    return list(np.arange(count))


_PART = {
    "nogil": True,
    "error_model": "numpy",
    "_nrt": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
