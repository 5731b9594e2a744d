"""Python's random numbers in compiled code.

The Mersenne twister MT19937 (Matsumoto and Nishimura, ACM Transactions on Modeling and Computer
Simulation, 1998), as `random.Random` has it: a learner of river draws from one, and its twin draws
the same.
"""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from learners.compiled.jit import njit

# 624 words of 32 bits, then the place of the next.
Words = NDArray[np.uint32]

LENGTH = 624


def words_of(seed: int) -> Words:
    """Return the state of `random.Random(seed)`."""
    return np.array(random.Random(seed).getstate()[1], np.uint32)


@njit
def uniform(words: Words) -> float:
    """Return what `random.random` would: 53 random bits as a number from 0 to below 1."""
    high = _word(words) >> 5
    low = _word(words) >> 6
    return (high * 67108864.0 + low) / 9007199254740992.0


@njit
def _word(words: Words) -> int:
    # Arithmetic is in int64, which holds each of these numbers: none is above 2 ** 47.
    place = np.int64(words[LENGTH])
    if place >= LENGTH:
        _twist(words)
        place = np.int64(0)
    words[LENGTH] = place + 1
    y = np.int64(words[place])
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C5680
    y ^= (y << 15) & 0xEFC60000
    y ^= y >> 18
    return int(y)


@njit
def _twist(words: Words) -> None:
    for k in range(LENGTH):
        y = (np.int64(words[k]) & 0x80000000) | (np.int64(words[(k + 1) % LENGTH]) & 0x7FFFFFFF)
        mixed = np.int64(words[(k + 397) % LENGTH]) ^ (y >> 1)
        if y & 1:
            mixed ^= 0x9908B0DF
        words[k] = mixed
