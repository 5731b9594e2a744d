"""Pools of trees with what a block needs around them: columns, classes, room, votes, state."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from learners.base import LEARN, PREDICT, Floats, State, Task
from learners.compiled.alarm import alarms
from learners.compiled.care import REPLACE, Care, Stand
from learners.compiled.chance import seeds
from learners.compiled.flow import Categories, Fields, Flow
from learners.compiled.look import look_of
from learners.compiled.packing import Room, copied, furnish, packed, unpacked
from learners.compiled.pool import Pool, Whole, pool_of, widened
from learners.compiled.rules import ALL, Rules
from learners.compiled.trees import Rows, elect, run
from learners.errors import LearnerError, LearnerFailedError
from learners.pending import Pending
from learners.table import MISSING

# Cells of votes that are held at once, and rows from which threads pay.
CELLS, WORTH_THREADS = 1 << 22, 128


class Grove:
    """Trees over the same columns, each answered and taught by the whole block alone.

    Parameters
    ----------
    rules, care
        How trees grow, and how they are treated as an ensemble.
    pools
        How many trees share each pool; trees in different pools run side by side.
    seed
        Of the random numbers.
    threads
        How many pools run at once; no result depends on it.
    takes_weight
        Whether rows may have weights.
    nominal
        Fields whose numbers are words.
    """

    task = Task.CLASSIFICATION
    two_classes = False

    def __init__(
        self,
        rules: Rules,
        care: Care,
        pools: Sequence[int],
        seed: int = 0,
        threads: int = 1,
        takes_weight: bool = True,
        nominal: frozenset[Any] = frozenset(),
    ) -> None:
        self.rules, self.care, self.pools = rules, care, tuple(pools)
        self.seed, self.threads = seed, threads
        self.takes_weight, self.nominal = takes_weight, nominal
        self.fields, self.categories = Fields(), Categories()
        self.known = 0
        self._warm = False
        self._rooms: list[list[Room]] = []
        chance = seeds(seed, sum(pools)).reshape(-1, 1)
        self._pools: list[tuple[Pool, Stand]] = []
        for trees in pools:
            done = sum(len(stand.roots) for _, stand in self._pools)
            stand = Stand(
                np.full((trees, 2), -1, np.int64),
                chance[done : done + trees].copy(),
                np.zeros((trees, 2)),
                alarms(trees, 2),
            )
            pool = pool_of((1, 1, 1, 0), 0, 0, 0, False)
            self._pools.append((pool, stand))

    @property
    def draws(self) -> bool:
        """Whether it draws, and so other random numbers than river does."""
        return self.care.rate > 0.0

    def run(self, flow: Flow, classes: int) -> tuple[Floats, Floats]:
        """See `learners.compiled.chain.Model.run`."""
        if not self._warm:
            # What a checkpoint needs is compiled now, and not when one is due.
            len(self.state().arrays)
            self._warm = True
        rows = self._rows(worded(flow, self.nominal), classes)
        n = len(flow.op)
        learned = np.where((flow.op & LEARN) != 0, flow.y + 1.0, 0.0)
        known = np.maximum.accumulate(np.concatenate(([self.known], learned))).astype(np.int64)
        self.known = int(known[-1])
        before = np.where((flow.op & PREDICT) != 0, known[:-1], -1)
        proba, value = np.zeros((n, classes)), np.full(n, math.nan)
        step = max(1, CELLS // max(1, classes * sum(self.pools)))
        for start in range(0, n, step):
            part = slice(start, start + step)
            votes = self._votes(_part(rows, part), classes)
            together = sum(self.pools) > 1
            elect(votes, before[part], rows.labels, together, proba[part], value[part])
        return value, proba

    def fresh(self) -> Self:
        """See `learners.compiled.chain.Model.fresh`."""
        return type(self)(
            self.rules,
            self.care,
            self.pools,
            self.seed,
            self.threads,
            self.takes_weight,
            self.nominal,
        )

    def state(self) -> State:
        """Return a copy of what the trees hold."""
        rooms = self._rooms.pop() if self._rooms else [Room() for _ in self._pools]
        copies = [
            (copied(pool, room), copy.deepcopy(stand))
            for room, (pool, stand) in zip(rooms, self._pools, strict=True)
        ]
        make = functools.partial(self._packed, copies, rooms)
        return State(meta=self._meta(), arrays=Pending(make))

    def restore(self, state: State) -> None:
        """Go on from a state."""
        meta, arrays = state.meta, state.arrays
        self.fields = Fields(meta["names"])
        self.categories = Categories(meta["categories"], meta["words"])
        self.known = meta["known"]
        for i in range(len(self._pools)):
            own = {key.partition(".")[2]: a for key, a in arrays.items() if key.startswith(f"{i}.")}
            stand = Stand(*(np.array(own[name]) for name in Stand._fields))
            self._pools[i] = (unpacked(own), stand)

    def _meta(self) -> dict[str, Any]:
        return {
            "names": list(self.fields.names),
            "categories": list(self.categories.names),
            "words": [list(words) for words in self.categories.words],
            "known": self.known,
        }

    def _widened(
        self, i: int, pool: Pool, need: tuple[int, int, int, int], shape: tuple[int, int, int, bool]
    ) -> Pool:
        """Return the pool with room for more rows, and make the room for its copy as large."""
        wide = widened(pool, need, *shape)
        if wide is not pool and self._rooms:
            furnish(self._rooms[0][i], wide)
        return wide

    def _packed(
        self, copies: Sequence[tuple[Pool, Stand]], rooms: list[Room]
    ) -> dict[str, NDArray[Any]]:
        """Return the arrays of a state, and keep the room of the copies for the next."""
        arrays = in_order(packed, copies)
        self._rooms = [rooms]
        return arrays

    def _rows(self, flow: Flow, classes: int) -> Rows:
        if self.rules.rivers:
            _refuse(flow)
        asked, taught = self.fields.match(flow)
        codes = self.categories.match(flow)
        return Rows(
            np.ascontiguousarray(asked),
            np.ascontiguousarray(taught),
            codes,
            flow.op,
            flow.y,
            flow.weight,
            flow.taught is flow.asked,
            self.categories.ranks(),
            _sorted_labels(flow.labels, classes),
        )

    def _votes(self, rows: Rows, classes: int) -> Floats:
        """Return what each tree says of each row, by class, and let it learn the row."""
        votes = np.zeros((sum(self.pools), len(rows.op), classes))
        ends = np.cumsum(self.pools).tolist()
        jobs = [
            (i, votes[end - trees : end])
            for i, (trees, end) in enumerate(zip(self.pools, ends, strict=True))
        ]
        if min(self.threads, len(jobs)) > 1 and len(rows.op) >= WORTH_THREADS:
            with ThreadPoolExecutor(self.threads) as threads:
                list(threads.map(lambda job: self._pool(job[0], job[1], rows), jobs))
        else:
            for i, own in jobs:
                self._pool(i, own, rows)
        return votes

    def _pool(self, i: int, votes: Floats, rows: Rows) -> None:
        pool, stand = self._pools[i]
        trees, classes = len(stand.roots), votes.shape[2]
        d, c, words = rows.taught.shape[1], rows.codes.shape[1], rows.ranks.shape[1]
        look = look_of(d, c, classes, words)
        need = room_for(trees * (1 + int(self.care.drift == REPLACE)), max(2, words), classes, c)
        k = 0 if self.rules.columns == ALL else _most(self.rules, d + c)
        # Trees that draw their columns are no one's exact twin.
        born = bool(self.rules.rivers) and not k
        d, c = (min(k, d), min(k, c)) if k else (d, c)
        pool = widened(pool, (0, 0, 0, 0), d, c, k, born)
        at = run(pool, self.rules, self.care, stand, rows, look, 0, votes)
        while at < len(rows.op):
            pool = self._widened(i, pool, need, (d, c, k, born))
            at = run(pool, self.rules, self.care, stand, rows, look, at, votes)
        self._pools[i] = (pool, stand)


def in_order(pack: Callable[..., Any], copies: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    """Return the arrays of a state: each pool as `pack` orders it, and where its trees stand."""
    arrays: dict[str, Any] = {}
    for i, (pool, stand) in enumerate(copies):
        kept, roots = pack(pool, stand.roots.reshape(-1))
        own = stand._replace(roots=roots.reshape(stand.roots.shape))
        arrays |= {f"{i}.{name}": array for name, array in (kept | own._asdict()).items()}
    return arrays


def worded(flow: Flow, nominal: frozenset[Any]) -> Flow:
    """Return the flow with the numbers of these fields as categories, a word for each value."""
    places = [j for j, name in enumerate(flow.names) if name in nominal]
    if not places:
        return flow
    if flow.taught is not flow.asked:
        raise LearnerError(
            "wanted nominal fields as they came, got scaled ones: leave them out of the scaler"
        )
    codes, words = [flow.codes], list(flow.words)
    for j in places:
        values, own = np.unique(flow.asked[:, j], return_inverse=True)
        own = np.where(np.isnan(flow.asked[:, j]), MISSING, own)
        codes.append(own.astype(np.int32)[:, None])
        # Words of one length, so that they sort as the numbers do.
        words.append([_sortable(value) for value in values.tolist()])
    rest = np.delete(flow.asked, places, axis=1)
    names = [name for name in flow.names if name not in nominal]
    return dataclasses.replace(
        flow.numbers(names, rest, rest),
        categories=[*flow.categories, *(flow.names[j] for j in places)],
        codes=np.concatenate(codes, axis=1),
        words=words,
    )


def _sortable(value: float) -> str:
    """Return a word for a number; words sort as their numbers do."""
    bits = int(np.float64(value + 0.0).view(np.int64))
    return f"{bits + (1 << 63) if bits >= 0 else -(bits + 1):020d}"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def room_for(trees: int, branches: int, classes: int, c: int) -> tuple[int, int, int, int]:
    """Return the room that `run` asks for before a row."""
    stats = trees * classes
    return trees * (branches + 2), trees * (branches * classes + 2), stats, c * stats


def _most(rules: Rules, columns: int) -> int:
    """Return the most columns that a leaf can draw."""
    if rules.columns >= 1.0:
        return min(int(rules.columns), columns)
    return columns if rules.columns > 0.0 else min(int(math.sqrt(columns) + 0.5) + 1, columns)


def _part(rows: Rows, part: slice) -> Rows:
    cut = {name: getattr(rows, name)[part] for name in Rows._fields[:6]}
    return rows._replace(**cut)


def _sorted_labels(labels: Sequence[Any], classes: int) -> Whole:
    """Return the place of each class in sorted order; as they came, where they have none."""
    places = np.arange(classes)
    try:
        order = sorted(range(classes), key=lambda k: labels[k])
    except TypeError:
        return places
    places[np.array(order, np.int64)] = np.arange(classes)
    return places


def _refuse(flow: Flow) -> None:
    """Raise where a tree of river does from then on: it sorts its classes."""
    learned = (flow.op & LEARN) != 0
    if len({isinstance(label, str) for label in flow.labels}) > 1:
        first = isinstance(flow.labels[0], str)
        odd = [k for k, label in enumerate(flow.labels) if isinstance(label, str) is not first]
        for row in np.flatnonzero(learned & np.isin(flow.y, odd)).tolist():
            raise LearnerFailedError("a tree of river sorts its classes: strings or numbers", row)
