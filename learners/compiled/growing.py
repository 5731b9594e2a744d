"""Arrays that grow with the fields and classes of a stream."""

from __future__ import annotations

import numpy as np

from learners.table import Floats


def grown(array: Floats, shape: tuple[int, ...]) -> Floats:
    """Return an array with zeros at the end of each dimension that is to be longer."""
    if array.shape == shape:
        return array
    larger = np.zeros(shape)
    larger[tuple(slice(length) for length in array.shape)] = array
    return larger
