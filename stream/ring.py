"""The ring: the last n values of a few quantities, in arrays that never grow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Ring:
    """The last `size` rows of `width` numbers.

    Examples
    --------
    >>> ring = Ring(size=2, width=1)
    >>> ring.extend(np.array([[1.0], [2.0], [3.0]]))
    >>> ring.rows().ravel()
    array([2., 3.])
    """

    def __init__(self, size: int, width: int) -> None:
        self.cells = np.zeros((size, width))
        self.count = 0

    def extend(self, rows: NDArray[np.float64]) -> None:
        """Add rows, float64[n, width], the oldest ones giving way."""
        size = len(self.cells)
        kept = rows[-size:]
        first = self.count + len(rows) - len(kept)
        self.cells[(first + np.arange(len(kept))) % size] = kept
        self.count += len(rows)

    def rows(self) -> NDArray[np.float64]:
        """Return the rows it holds, oldest first."""
        size = len(self.cells)
        if self.count <= size:
            return self.cells[: self.count]
        return np.roll(self.cells, -(self.count % size), axis=0)

    def restore(self, cells: NDArray[np.float64], count: int) -> None:
        """Go on from the cells of a ring, of this size or another."""
        held = Ring(*cells.shape)
        held.cells, held.count = cells, count
        rows = held.rows()
        # Rows keep their places where they fill this ring, and else begin at its start.
        self.count = count - len(rows) if len(rows) >= len(self.cells) else 0
        self.extend(rows)
