"""How kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def njit(function: Kernel) -> Kernel:
    """Compile a function over arrays when it is first called, and keep the machine code on disk.

    It runs without the interpreter's lock. Arithmetic is IEEE 754 in the order written: no
    fast-math, which would change predictions; a division by zero gives what C gives.
    """
    compiled: Kernel = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    return compiled
