"""Labels: what a record's label may be, and what it counts as."""

from __future__ import annotations

from typing import Any

from learners.base import Classes, Label, Task
from learners.pair import speaks_for_itself
from stream.schema import INT64, WORD_FOR, RefusedRecordError

# Integers in JSON may be too large for a float.
LARGEST = 1e300


class Labels:
    """The labels of a stream, and the classes met so far.

    Parameters
    ----------
    task
        What a label is: a class, a number, or 1 for an anomaly.
    classes
        The classes known before the first record.
    pairs
        Whether the learner only tells True from False: then false and true join together, since
        it may answer either before it has seen both.
    positive
        The class that scores are about, if one is named.
    """

    def __init__(
        self, task: Task, classes: Classes, pairs: bool, positive: Label | None = None
    ) -> None:
        self.classes = classes
        self._task = task
        self._pairs = pairs
        self._positive = positive

    def check(self, label: Any, path: str | None) -> None:
        """Refuse what cannot be a label; nothing is changed by it.

        Raises
        ------
        RefusedRecordError
            With the path it was found at.
        """
        if self._task is Task.CLASSIFICATION:
            self._check_class(label, path)
        elif self._task is Task.ANOMALY and label not in (0, 1):
            raise RefusedRecordError(f"wanted 1 or 0 as label in {path!r}, got {label!r:.60}")
        elif self._task is Task.REGRESSION and not (
            type(label) in (int, float) and abs(label) < LARGEST
        ):
            raise RefusedRecordError(f"wanted a number as label in {path!r}, got {label!r:.60}")

    def target(self, label: Label) -> float:
        """Return the number that a checked label is, or the code of its class, which joins."""
        if self._task is not Task.CLASSIFICATION:
            return float(label)
        if self._pairs and not self.classes.labels and speaks_for_itself(label):
            for side in (0, 1):
                self.classes.add(type(label)(side))
        return self.classes.add(label)

    def _check_class(self, label: Any, path: str | None) -> None:
        kind = type(label)
        if kind is not str and kind is not int and kind is not bool and not _whole(label):
            raise RefusedRecordError(
                f"wanted a string, an integer, true or false as label in {path!r}, "
                f"got {WORD_FOR[kind]}"
            )
        if kind is int and not -INT64 <= label < INT64:
            raise RefusedRecordError(f"wanted a label of 64 bits in {path!r}")
        if label in self.classes.codes:
            return
        positive = self._positive
        if positive is not None and (kind is str) != (type(positive) is str):
            raise RefusedRecordError(
                f"wanted a label like {positive!r}, which [record] positive names, in {path!r}, "
                f"got {label!r:.60}: write positive as the labels are"
            )
        if not self.classes.labels:
            return
        if len(self.classes) >= self.classes.limit:
            raise RefusedRecordError(
                f"wanted at most {self.classes.limit} classes, got {label!r:.60} beyond them"
            )
        if (kind is str) != (type(self.classes.labels[0]) is str):
            raise RefusedRecordError(
                f"wanted a label like {self.classes.labels[0]!r} in {path!r}, got {label!r:.60}, "
                f"{WORD_FOR[kind]}"
            )


def _whole(label: Any) -> bool:
    return type(label) is float and label.is_integer()
