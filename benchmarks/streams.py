"""The streams that learners are measured on, as matrices: two real ones and a drifting one.

The real ones lie where SHARED_DATA says, or in ../shared/data beside the project.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.failure import BenchmarkError

DATA = Path(os.environ.get("SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
SEED = 11
RBF_ROWS, RBF_FIELDS, RBF_CENTRES, RBF_SPEED = 100_000, 10, 50, 0.0001


class Stream(NamedTuple):
    """Records in order.

    Attributes
    ----------
    name
        What it is called in tables.
    names
        Of the columns.
    x
        float64[n, d].
    y
        int64[n], class codes in the order in which classes first come.
    """

    name: str
    names: list[str]
    x: NDArray[np.float64]
    y: NDArray[np.int64]

    def first(self, count: int) -> Stream:
        """Return the first so many records."""
        return self._replace(x=self.x[:count], y=self.y[:count])

    def saved(self, folder: Path) -> Path:
        """Write it where a peer in another process can read it; return the file."""
        path = folder / f"{self.name}-{len(self.y)}.npz"
        np.savez(path, names=self.names, x=self.x, y=self.y)
        return path


def elec2() -> Stream:
    """Return the price of electricity in New South Wales: 45,312 records, 8 fields, 2 classes."""
    return _read("elec2", "elec2.csv.gz")


def covtype() -> Stream:
    """Return the first 100,000 of the forest covers: 54 fields, 7 classes."""
    return _read("covtype100k", "covtype100k.csv.gz")


def rbf(rows: int = RBF_ROWS, seed: int = SEED) -> Stream:
    """Return records around centres that move all the time.

    Each centre has a class (of two), a weight, a spread and a direction; it moves by RBF_SPEED a
    record inside the unit cube and is thrown back at its walls. A record lies in a random
    direction from one of the centres, at a distance that is normal.
    """
    chance = np.random.default_rng(seed)
    start = chance.random((RBF_CENTRES, RBF_FIELDS))
    way = chance.normal(size=start.shape)
    way *= RBF_SPEED / np.linalg.norm(way, axis=1, keepdims=True)
    classes, spread = chance.integers(0, 2, RBF_CENTRES), chance.random(RBF_CENTRES)
    weights = chance.random(RBF_CENTRES)
    chosen = chance.choice(RBF_CENTRES, rows, p=weights / weights.sum())
    gone = start[chosen] + way[chosen] * np.arange(rows)[:, None]
    centres = 1.0 - np.abs(1.0 - gone % 2.0)
    off = chance.normal(size=centres.shape)
    off /= np.linalg.norm(off, axis=1, keepdims=True)
    x = centres + off * (chance.normal(size=rows) * spread[chosen])[:, None]
    y, _ = pd.factorize(classes[chosen])
    return Stream("rbf", [f"x{i}" for i in range(RBF_FIELDS)], x, y.astype(np.int64))


STREAMS: dict[str, Callable[[], Stream]] = {
    "elec2": elec2,
    "covtype100k": covtype,
    "rbf": rbf,
}


def _read(name: str, file: str) -> Stream:
    path = DATA / file
    if not path.exists():
        raise BenchmarkError(
            f"wanted the data set {file}, got none in {DATA}: set SHARED_DATA to its folder"
        )
    table = pd.read_csv(path)
    codes, _ = pd.factorize(table.iloc[:, -1])
    x = np.ascontiguousarray(table.iloc[:, :-1].to_numpy(np.float64))
    return Stream(name, list(table.columns[:-1]), x, codes.astype(np.int64))
