"""What an estimator over tables knows of its stream: the fields and the classes."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from learners.base import Features, Label
from learners.errors import LearnerError


class Schema:
    """The fields and classes found among the first rows; whatever comes later is refused.

    Parameters
    ----------
    name
        What the estimator is called in a reason.
    gather
        How many learned rows it looks at before it is settled; None: it is never settled.
    missing
        Whether a value may be missing. Where not, every row has the fields of the first.
    text
        Whether a value may be other than a number.
    classes
        All classes, when they are known before the first row.
    fields
        Fields known before the first row.

    Examples
    --------
    >>> schema = Schema("GaussianNB", gather=1, missing=False, text=False)
    >>> schema.take({"x": 1.0}, "UP")
    >>> schema.refusal({"x": 2.0, "y": 1.0})
    "the field 'y' was not known when GaussianNB began to learn"
    >>> schema.refusal({"x": 2.0}, "DOWN")
    "the class 'DOWN' was not known when GaussianNB began to learn"
    """

    def __init__(
        self,
        name: str,
        gather: int | None,
        missing: bool,
        text: bool,
        classes: Iterable[Label] | None = None,
        fields: Iterable[Any] | None = None,
    ) -> None:
        self.name = name
        self.left = gather
        self.missing = missing
        self.text = text
        self.declared = classes is not None
        self.labels: dict[Label, None] = dict.fromkeys(classes or ())
        self.fields: dict[Any, None] | None = None if fields is None else dict.fromkeys(fields)

    @property
    def settled(self) -> bool:
        """Whether enough rows were seen to begin."""
        return self.left is not None and self.left <= 0

    def refusal(self, row: Features, label: Label | None = None) -> str:
        """Return why a row cannot be taken, "" if it can; `label` is None if none is learned."""
        fields = self.fields
        if fields is not None and row.keys() != fields.keys():
            reason = self._unlike(row, fields)
            if reason:
                return reason
        for field, value in row.items():
            kind = value.__class__
            if kind is float:
                if value != value and not self.missing:
                    return self._missing(field)
            elif kind is not int and kind is not bool:
                reason = self._strange(field, value)
                if reason:
                    return reason
        closed = self.declared or self.settled
        if label is not None and closed and label not in self.labels:
            return f"the class {label!r} was not known when {self.name} began to learn"
        return ""

    def take(self, row: Features, label: Label | None) -> None:
        """Count a row that is learned; what it brings is known from now on."""
        if self.settled:
            return
        if self.fields is None:
            self.fields = {}
        for field in row:
            self.fields[field] = None
        if label is not None:
            self.labels[label] = None
        if self.left is not None:
            self.left -= 1

    def copy(self) -> Self:
        """Return one that can go on by itself."""
        twin = type(self)(self.name, self.left, self.missing, self.text, self.labels, self.fields)
        twin.declared = self.declared
        return twin

    def to_json(self) -> dict[str, Any]:
        """Return what was found, as JSON values."""
        return {
            "left": self.left,
            "declared": self.declared,
            "labels": [plain(label) for label in self.labels],
            "fields": None if self.fields is None else [plain(field) for field in self.fields],
        }

    def from_json(self, found: dict[str, Any]) -> None:
        """Take up what `to_json` gave."""
        self.left = found["left"]
        self.declared = found["declared"]
        self.labels = dict.fromkeys(found["labels"])
        self.fields = None if found["fields"] is None else dict.fromkeys(found["fields"])

    def _unlike(self, row: Features, fields: dict[Any, None]) -> str:
        if self.settled or not self.missing:
            for field in row:
                if field not in fields:
                    return f"the field {field!r} was not known when {self.name} began to learn"
        if not self.missing:
            for field in fields:
                if field not in row:
                    return self._lacking(field)
        return ""

    def _missing(self, field: Any) -> str:
        return (
            f"the field {field!r} is missing and {self.name} takes no missing values: "
            "put an imputer in front"
        )

    def _lacking(self, field: Any) -> str:
        return (
            f"the field {field!r} is missing, was there when {self.name} began to learn, and "
            f"{self.name} takes no missing values: put an imputer in front, or leave the field "
            "out ([record] leave_out) if only the first records had it"
        )

    def _strange(self, field: Any, value: Any) -> str:
        if value is None:
            return "" if self.missing else self._missing(field)
        if isinstance(value, numbers.Real | np.bool_):
            return self._missing(field) if value != value and not self.missing else ""
        if self.text:
            return ""
        return (
            f"the field {field!r} holds {value!r}, which is no number, and {self.name} takes "
            "only numbers: put an encoder in front"
        )


def plain(value: Any) -> Any:
    """Return a NumPy scalar as the Python value it stands for; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def label_array(labels: Iterable[Label]) -> np.ndarray[Any, Any]:
    """Return labels as the array an estimator is given.

    Raises
    ------
    LearnerError
        Text among other types: NumPy would turn them all into text.
    """
    values = [plain(label) for label in labels]
    texts = sum(isinstance(value, str) for value in values)
    if 0 < texts < len(values):
        raise LearnerError(
            f"wanted class labels of one type, got {values!r}: write them all as text"
        )
    return np.array(values)
