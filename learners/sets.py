"""Sets as they were: what is rebuilt yields its items in the order in which it was saved."""

from __future__ import annotations

import itertools
from typing import Any

FEW = 7


def fill(target: set[Any], items: list[Any]) -> None:
    """Add items to a set that is rebuilt, so that it yields them in this order.

    Two whose hashes collide lie as they came, and that is not how the set yields them. Some
    learners add up floats in the order of a set, of classes mostly. Of sets of more than seven
    items the order is left to chance.

    Examples
    --------
    >>> saved = list({8, 0})
    >>> rebuilt = set()
    >>> fill(rebuilt, saved)
    >>> list(rebuilt) == saved
    True
    """
    new = not target
    target.update(items)
    if not new or len(items) > FEW or list(target) == items:
        return
    for order in itertools.permutations(items):
        target.clear()
        target.update(order)
        if list(target) == items:
            return
