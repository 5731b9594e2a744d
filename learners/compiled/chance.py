"""Random numbers inside kernels, from a state that is part of the learner's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learners.compiled.jit import part

Seeds = NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_A, _B, _C, _D = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


def seeds(seed: int, count: int) -> Seeds:
    """Return states of independent generators, from NumPy's `SeedSequence`."""
    return np.random.SeedSequence(seed).generate_state(count, np.uint64).astype(np.uint64)


@part
def uniform(state: Seeds) -> float:
    """Return the next number in [0, 1), of 53 bits: SplitMix64 (Steele, Lea and Flood, 2014)."""
    state[0] += _STEP
    z = state[0]
    z = (z ^ (z >> _A)) * _FIRST
    z = (z ^ (z >> _B)) * _SECOND
    z = z ^ (z >> _C)
    return float(z >> _D) * 2.0**-53


@part
def poisson(state: Seeds, rate: float) -> int:
    """Return the next number of a Poisson distribution, by inversion. O(rate)."""
    left = uniform(state)
    share = math.exp(-rate)
    count = 0
    while left >= share and count < 1_000:
        left -= share
        count += 1
        share *= rate / count
    return count
