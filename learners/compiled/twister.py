"""Python's random numbers in compiled code.

The Mersenne twister MT19937 (Matsumoto and Nishimura, ACM Transactions on Modeling and Computer
Simulation, 1998), as `random.Random` has it: a learner of river draws from one, and its twin draws
the same. Numbers are taken from a sheet of `SHEET` of them; the place of the next is kept apart.
"""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from learners.base import Floats
from learners.compiled.jit import njit

LENGTH = 624
SHEET = LENGTH // 2

Words = NDArray[np.uint32]


def words_of(seed: int) -> Words:
    """Return the words of `random.Random(seed)`, of which none is left on the sheet."""
    return np.array(random.Random(seed).getstate()[1][:LENGTH], np.uint32)


@njit
def turn(words: Words, sheet: Floats) -> None:
    """Step the words to their next state, and write the numbers of it."""
    # Arithmetic is in int64, which holds each of these numbers: none is above 2 ** 47.
    for k in range(LENGTH):
        after = k + 1 if k + 1 < LENGTH else 0
        far = k + 397 if k + 397 < LENGTH else k + 397 - LENGTH
        y = (np.int64(words[k]) & 0x80000000) | (np.int64(words[after]) & 0x7FFFFFFF)
        words[k] = np.int64(words[far]) ^ (y >> 1) ^ ((y & 1) * 0x9908B0DF)
    write(words, sheet)


@njit
def write(words: Words, sheet: Floats) -> None:
    """Write what `random.random` gives from these words: 53 random bits each, from 0 to below 1."""
    for k in range(SHEET):
        high, low = np.int64(words[2 * k]), np.int64(words[2 * k + 1])
        high ^= high >> 11
        low ^= low >> 11
        high ^= (high << 7) & 0x9D2C5680
        low ^= (low << 7) & 0x9D2C5680
        high ^= (high << 15) & 0xEFC60000
        low ^= (low << 15) & 0xEFC60000
        high ^= high >> 18
        low ^= low >> 18
        sheet[k] = ((high >> 5) * 67108864.0 + (low >> 6)) / 9007199254740992.0
