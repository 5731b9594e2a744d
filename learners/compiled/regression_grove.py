"""Pools of regression trees with what a block needs around them: columns, room, state."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np

from learners.base import LEARN, PREDICT, Floats, State, Task
from learners.compiled.care import LEAVE, Care
from learners.compiled.chance import seeds
from learners.compiled.flow import Categories, Fields, Flow
from learners.compiled.grove import WORTH_THREADS, in_order, worded
from learners.compiled.growing import grown
from learners.compiled.regression_leaf import Rows, look_of
from learners.compiled.regression_packing import copied, packed, unpacked
from learners.compiled.regression_pool import Pool, pool_of, widened
from learners.compiled.regression_rules import BY_MEAN, EXTENDED, Rules
from learners.compiled.regression_trees import Stand, run, stand_of
from learners.compiled.rules import ALL, RIVERS
from learners.errors import LearnerFailedError
from learners.pending import Pending


class RegressionGrove:
    """Regression trees over the same columns, each answered and taught by the whole block alone.

    Parameters
    ----------
    rules, care
        How trees grow, and how they are treated as an ensemble.
    trees
        How many.
    seed
        Of the random numbers.
    threads
        How many trees run at once; no result depends on it.
    takes_weight
        Whether rows may have weights.
    nominal
        Fields whose numbers are words.
    digits
        Decimal places to which cells tell numbers apart, None for all.
    median
        Whether the median of the trees answers, in place of their mean.
    drawn
        How many columns a leaf draws, by how many the first learned row has; None: by the rules.
    """

    task = Task.REGRESSION
    two_classes = False

    def __init__(
        self,
        rules: Rules,
        care: Care,
        trees: int = 1,
        seed: int = 0,
        threads: int = 1,
        takes_weight: bool = True,
        nominal: frozenset[Any] = frozenset(),
        digits: int | None = None,
        median: bool = False,
        drawn: Callable[[int], float] | None = None,
    ) -> None:
        self.rules, self.care, self.trees = rules, care, trees
        self.seed, self.threads = seed, threads
        self.takes_weight, self.nominal = takes_weight, nominal
        self.digits, self.median, self.drawn = digits, median, drawn
        self.columns = rules.columns
        self.fields, self.categories = Fields(), Categories()
        self._warm = False
        chance = seeds(seed, trees).reshape(-1, 1)
        self._pools: list[tuple[Pool, Stand]] = [
            (pool_of((1, 1, 0), 0, 0), stand_of(own[None].copy(), care.drift != LEAVE))
            for own in chance
        ]

    @property
    def draws(self) -> bool:
        """Whether it draws, and so other random numbers than river does."""
        return self.care.rate > 0.0

    def run(self, flow: Flow, classes: int) -> tuple[Floats, None]:
        """See `learners.compiled.chain.Model.run`."""
        if not self._warm:
            # What a checkpoint needs is compiled now, and not when one is due.
            len(self.state().arrays)
            self._warm = True
        if self.rules.convention == RIVERS and self.rules.answer != BY_MEAN:
            flow.only_numbers("a linear model")
        flow = worded(flow, self.nominal)
        if self.drawn is not None and self.columns == ALL:
            for i in ((flow.op & LEARN) != 0).nonzero()[0][:1]:
                count = (flow.taught[i] == flow.taught[i]).sum() + (flow.codes[i] >= 0).sum()
                self.columns = self.drawn(int(count))
        rows = self._rows(flow)
        said = np.full((self.trees, len(flow.op)), math.nan)
        if min(self.threads, self.trees) > 1 and len(flow.op) >= WORTH_THREADS:
            with ThreadPoolExecutor(self.threads) as threads:
                ends = list(
                    threads.map(lambda i: self._tree(i, said[i : i + 1], rows), range(self.trees))
                )
        else:
            ends = [self._tree(i, said[i : i + 1], rows) for i in range(self.trees)]
        if min(ends) < len(flow.op):
            raise LearnerFailedError(
                "a linear model in a leaf raised OverflowError on a row: its error grew out of "
                "range: scale the numbers, or learn slower",
                min(ends),
            )
        value = said[0] if self.trees == 1 else self._together(said)
        return np.where((flow.op & PREDICT) != 0, value, math.nan), None

    def fresh(self) -> Self:
        """See `learners.compiled.chain.Model.fresh`."""
        return type(self)(
            self.rules,
            self.care,
            self.trees,
            self.seed,
            self.threads,
            self.takes_weight,
            self.nominal,
            self.digits,
            self.median,
            self.drawn,
        )

    def state(self) -> State:
        """Return a copy of what the trees hold."""
        meta = {
            "columns": self.columns,
            "names": list(self.fields.names),
            "categories": list(self.categories.names),
            "words": [list(words) for words in self.categories.words],
        }
        copies = [(copied(pool), copy.deepcopy(stand)) for pool, stand in self._pools]
        return State(meta=meta, arrays=Pending(functools.partial(in_order, packed, copies)))

    def restore(self, state: State) -> None:
        """Go on from a state."""
        meta, arrays = state.meta, state.arrays
        self.columns = meta["columns"]
        self.fields = Fields(meta["names"])
        self.categories = Categories(meta["categories"], meta["words"])
        for i in range(self.trees):
            own = {key.partition(".")[2]: a for key, a in arrays.items() if key.startswith(f"{i}.")}
            stand = Stand(*(np.array(own[name]) for name in Stand._fields))
            self._pools[i] = (unpacked(own), stand)

    def _rows(self, flow: Flow) -> Rows:
        asked, taught = (np.ascontiguousarray(x) for x in self.fields.match(flow))
        codes = self.categories.match(flow)
        keys = taught
        if self.rules.observer == EXTENDED and self.digits is not None:
            keys = rounded(taught, self.digits)
        ranks = self.categories.ranks()
        same = flow.taught is flow.asked
        return Rows(asked, taught, keys, codes, flow.op, flow.y, flow.weight, same, ranks)

    def _tree(self, i: int, said: Floats, rows: Rows) -> int:
        """Let a tree answer and learn a block; return how many rows it learned."""
        pool, stand = self._pools[i]
        d, c, words = rows.taught.shape[1], rows.codes.shape[1], rows.ranks.shape[1]
        look = look_of(d, c, self.rules.most, words)
        stand = stand._replace(scales=grown(stand.scales, (1, 1 + d, 3)))
        rules = self.rules._replace(columns=self.columns)
        born = 0 if rules.columns == ALL else -1
        sides = 1 + int(self.care.drift != LEAVE)
        nodes = sides * (max(2, words) + 2)
        need, at, room = (0, 0, 0), 0, True
        while at < len(rows.op) and room:
            pool = widened(pool, need, d, c, born)
            at, room = run(pool, rules, self.care, stand, rows, look, at, said)
            need = (nodes, nodes, sides * (d + c))
        self._pools[i] = (pool, stand)
        return at

    def _together(self, said: Floats) -> Floats:
        """Return what the trees that have learned say together."""
        if self.median:
            return np.asarray(np.median(said, axis=0))
        known = ~np.isnan(said)
        total = np.where(known, said, 0.0).sum(axis=0)
        return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), math.nan)


def rounded(x: Floats, digits: int) -> Floats:
    """Return numbers rounded as Python does: to the nearest decimal, halfway to the even one.

    The quotient of an integer and a power of ten is the number nearest to that decimal; only where
    the product comes near half an integer, or is large, Python itself must be asked.
    """
    unit = 10.0 ** abs(digits)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = x * unit if digits >= 0 else x / unit
        whole = np.rint(scaled)
        keys = whole / unit if digits >= 0 else whole * unit
        doubtful = (np.abs(np.abs(scaled - whole) - 0.5) < 1e-3) | (np.abs(scaled) > 1e12)
    for i, j in zip(*np.nonzero(doubtful), strict=True):
        keys[i, j] = round(float(x[i, j]), digits)
    return np.asarray(keys + 0.0)
