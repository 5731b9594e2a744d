"""The receipt: what the committed positions of a group say of the checkpoint behind them."""

from __future__ import annotations

import re
from typing import NamedTuple

_FORM = re.compile(r"([0-9]{1,15}):([0-9]{1,15}):([0-9]{1,15})", re.ASCII)


class Receipt(NamedTuple):
    """All messages up to a sequence of a lineage were sent, and a checkpoint was published.

    Of two the later is the greater.

    Attributes
    ----------
    lineage, sequence
        The model version.
    number
        The number of the checkpoint's manifest.

    Examples
    --------
    >>> str(Receipt(2, 1_500, 7)), Receipt.parsed("2:7:1500") < Receipt(2, 1_500, 8)
    ('2:7:1500', True)
    """

    lineage: int
    sequence: int
    number: int

    def __str__(self) -> str:
        return f"{self.lineage}:{self.number}:{self.sequence}"

    @classmethod
    def parsed(cls, text: str) -> Receipt:
        """Return the receipt of a text; one of nothing, if the text is no receipt."""
        found = _FORM.fullmatch(text)
        if found is None:
            return cls(0, 0, 0)
        lineage, number, sequence = map(int, found.groups())
        return cls(lineage, sequence, number)
