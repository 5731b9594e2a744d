"""The pair: which two labels a model means that only tells True from False."""

from __future__ import annotations

from collections.abc import Sequence

from learners.base import Label


class Pair:
    """Labels and the side of each, taken in the order they are learned.

    The class named positive is True. Without one, False, True, 0 and 1 are what they say, and of
    other labels the first is False. `classes` are known before the first row.

    Examples
    --------
    >>> pair = Pair()
    >>> pair.side("DOWN"), pair.side("UP"), pair.side("FLAT")
    (False, True, None)
    >>> Pair(positive="DOWN").side("UP"), Pair().side(1)
    (False, True)
    """

    def __init__(self, classes: Sequence[Label] = (), positive: Label | None = None) -> None:
        self.sides: dict[Label, bool] = {} if positive is None else {positive: True}
        for label in classes:
            self.side(label)

    @property
    def full(self) -> bool:
        """Whether both sides are taken."""
        return len(self.sides) > 1

    def side(self, label: Label) -> bool | None:
        """Return the label's side, which it takes if it is free; None if both are taken."""
        side = self.sides.get(label)
        if side is None and not self.full:
            if not self.sides and speaks_for_itself(label):
                self.sides |= {False: False, True: True}
                return bool(label)
            side = self.sides[label] = False in self.sides.values()
        return side


def speaks_for_itself(label: Label) -> bool:
    """Return whether a label is true or false by itself."""
    return not isinstance(label, str) and label in (0, 1)


def refusal(name: str, pair: Pair, label: Label) -> str:
    """Return why a model of this name cannot take a third label."""
    first, second = pair.sides
    return (
        f"{name} tells two classes apart: wanted {first!r} or {second!r}, got {label!r}: "
        "name the class that is true with [record] positive, or choose a multi-class learner"
    )
