"""The contract of a learner, and the types that cross it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from learners.errors import LearnerError
from learners.pending import Arrays
from learners.table import Table

Label = str | int | bool | float
Features = Mapping[Any, Any]
Floats = NDArray[np.float64]

PREDICT, LEARN = 1, 2


class Task(enum.StrEnum):
    """What a learner answers with."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    ANOMALY = "anomaly"


class Classes:
    """The classes of a stream in the order they came, each with its code.

    Append-only, and bounded by `limit`. Labels are told apart as Python tells dictionary keys
    apart, so 1, 1.0 and True are one class, shown as it first came.

    Examples
    --------
    >>> classes = Classes(["UP"])
    >>> classes.add("DOWN"), classes.add("UP"), classes.labels
    (1, 0, ['UP', 'DOWN'])
    """

    def __init__(self, labels: Iterable[Label] = (), limit: int = 1_000) -> None:
        self.labels: list[Label] = []
        self.codes: dict[Label, int] = {}
        self.limit = limit
        for label in labels:
            self.add(label)

    def __len__(self) -> int:
        return len(self.labels)

    def add(self, label: Label) -> int:
        """Return the label's code; a label not met before joins."""
        code = self.codes.get(label)
        if code is None:
            if len(self.labels) >= self.limit:
                raise LearnerError(
                    f"wanted at most {self.limit} classes, got {label!r} beyond them: "
                    "is the task a regression?"
                )
            code = self.codes[label] = len(self.labels)
            self.labels.append(label)
        return code


class Examples:
    """Rows in stream order, as a learner sees them.

    The rows are kept as they were decoded and shown in three ways, each made only when a learner
    asks for it: `rows`, dicts with a missing value left out (river), `columns`, a matrix of
    float64 with NaN for a missing value (scikit-learn), and `table`, numbers beside categories
    (kernels).

    Parameters
    ----------
    rows
        A dict of features for each row, values of their original types; or a `Table`.
    op
        uint8[n], PREDICT | LEARN.
    y
        float64[n], the target or the class code; NaN where there is none.
    weight
        float64[n], sample weights.
    time
        int64[n], event time in milliseconds.
    classes
        The classes that the codes in `y` stand for.
    """

    def __init__(
        self,
        rows: Sequence[Features],
        op: NDArray[np.uint8],
        y: Floats,
        weight: Floats,
        time: NDArray[np.int64],
        classes: Classes,
    ) -> None:
        self.rows = rows
        self.op = op
        self.y = y
        self.weight = weight
        self.time = time
        self.classes = classes
        self._columns: dict[tuple[Any, ...], Floats] = {}
        self._table: Table | None = None

    @classmethod
    def of(
        cls,
        rows: Sequence[Features],
        y: Floats,
        classes: Classes,
        op: int = PREDICT | LEARN,
        weight: Floats | None = None,
    ) -> Self:
        """Return rows that all ask for the same operation, at no particular time."""
        n = len(rows)
        return cls(
            rows,
            np.full(n, op, np.uint8),
            y,
            np.ones(n) if weight is None else weight,
            np.zeros(n, np.int64),
            classes,
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> Examples:
        """Return the rows of a slice; arrays and already made columns are views."""
        piece = Examples(
            self.rows[part],
            self.op[part],
            self.y[part],
            self.weight[part],
            self.time[part],
            self.classes,
        )
        piece._columns = {names: matrix[part] for names, matrix in self._columns.items()}
        piece._table = None if self._table is None else self._table[part]
        return piece

    def with_op(self, op: NDArray[np.uint8]) -> Examples:
        """Return the same rows with other operations, uint8[n]."""
        other = self[:]
        other.op = op
        return other

    def table(self) -> Table:
        """Return the rows as columns of numbers and categories."""
        if isinstance(self.rows, Table):
            return self.rows
        if self._table is None:
            self._table = Table.of(self.rows)
        return self._table

    def columns(self, fields: tuple[Any, ...]) -> Floats:
        """Return float64[n, len(fields)] in C order, NaN where a row lacks the field.

        Raises
        ------
        LearnerError
            A value of these fields is not a number.
        """
        matrix = self._columns.get(fields)
        if matrix is None:
            cells = [list(map(row.get, fields)) for row in self.rows]
            try:
                matrix = np.array(cells, dtype=np.float64).reshape(len(cells), len(fields))
            except (TypeError, ValueError) as error:
                raise LearnerError(
                    f"wanted numbers in the fields {', '.join(map(str, fields))}, got {error}: "
                    "leave the field out, or encode it in a river pipeline"
                ) from error
            self._columns[fields] = matrix
        return matrix

    def put_columns(self, fields: tuple[Any, ...], matrix: Floats) -> None:
        """Give the column view of data that already is a matrix, so that it is not rebuilt."""
        self._columns[fields] = matrix


@dataclasses.dataclass(slots=True)
class Predictions:
    """A learner's answer to a block of examples.

    Attributes
    ----------
    value
        float64[n]: target, anomaly score or class code; NaN where no answer was asked or known.
    proba
        float64[n, k] by class code, 0 for a class the model did not know; None if the learner
        gives none.
    refused
        Rows that were neither predicted nor learned, each with the reason.
    """

    value: Floats
    proba: Floats | None = None
    refused: dict[int, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class State:
    """A learner's state, by value and private to the holder.

    Attributes
    ----------
    meta
        JSON values.
    arrays
        Arrays of numbers; they may be `learners.pending.Pending`.
    opaque
        States of third-party estimators, see `learners.opaque`.
    members
        States of the learners inside this one.
    """

    meta: dict[str, Any] = dataclasses.field(default_factory=dict)
    arrays: Arrays = dataclasses.field(default_factory=dict)
    opaque: dict[str, bytes] = dataclasses.field(default_factory=dict)
    members: dict[str, State] = dataclasses.field(default_factory=dict)


class Learner(Protocol):
    """Anything that predicts and learns, row by row in meaning, a block at a time in execution.

    Attributes
    ----------
    task
        What it answers with.
    """

    task: Task

    @property
    def two_classes(self) -> bool:
        """Whether it only tells True from False."""
        ...

    @property
    def columnar(self) -> bool:
        """Whether it reads `Examples.table`, and never a row as a dict."""
        ...

    def predict_learn(self, rows: Examples) -> Predictions:
        """Answer and learn the rows in order: a row is answered before it is learned.

        Where a block is cut changes nothing. A row the learner cannot take is left alone and
        named in `Predictions.refused`.

        Raises
        ------
        LearnerFailedError
            The estimator raised; its state may be half-changed.
        """
        ...

    def admit(self, rows: Examples) -> tuple[int, str]:
        """Return how many leading rows can be taken, and why the next one cannot ("" if all)."""
        ...

    def fresh(self) -> Learner:
        """Return an untrained learner with the same parameters."""
        ...

    def state(self) -> State:
        """Return a copy of the whole state; the learner is not changed by it."""
        ...

    def restore(self, state: State) -> None:
        """Become the learner that gave this state.

        Raises
        ------
        StateError
            The state is not one of this learner's, or holds what is not allowed.
        """
        ...

    @property
    def estimator(self) -> object:
        """The estimator inside, for `learners.digests.digest`."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class MemberView:
    """A member as it is shown.

    Attributes
    ----------
    index
        How many members were opened before it.
    first, last
        Numbers of the first and last record it learned, as windows count them; `last` is
        `first` - 1 before the first.
    learned
        Records it learned in its window.
    closed
        Whether its window is over.
    weight
        Its share of the vote now, 0 to 1.
    loss
        Mean of its recent losses, None before the first.
    """

    index: int
    first: int
    last: int
    learned: int
    closed: bool
    weight: float
    loss: float | None


@runtime_checkable
class HasMembers(Protocol):
    """What a learner of members tells of them; other learners are without it."""

    @property
    def members(self) -> Sequence[MemberView]:
        """The members as they are now, the oldest first."""
        ...

    @property
    def skipped(self) -> Sequence[str]:
        """Why members could not be fitted when their window closed, the newest last."""
        ...
