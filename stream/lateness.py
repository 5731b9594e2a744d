"""Lateness: how many labels met their features, and how much later than these they came."""

from __future__ import annotations

from collections import deque
from typing import Any

COUNTS = (
    "labels",
    "matched",
    "early",
    "repeated_ids",
    "repeated_labels",
    "expired",
    "evicted",
    "defaulted",
    "unmatched",
    "ahead",
)
RECENT = 1_000


class Lateness:
    """What became of features without a label, and of labels without features.

    Attributes
    ----------
    counts
        labels: those that came in a record of their own, or in one of a repeated id ·
        matched: features that met their label · early: labels that came before their features ·
        repeated_ids: features under an id that had some · repeated_labels: labels under an id
        that had one · expired: features whose time was over · evicted: features that gave way to
        newer ones · defaulted: of these, learned with the default · unmatched: labels that never
        met their features · ahead: records too far ahead of event time to move it.
    """

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self._total = 0
        self._recent: deque[int] = deque(maxlen=RECENT)

    def match(self, features: int, label: int) -> None:
        """Count features of one time that met a label of another."""
        self.counts["matched"] += 1
        self._total += label - features
        self._recent.append(label - features)

    def report(self) -> dict[str, Any]:
        """Return the counts, the share of features that met their label, and the lag in ms."""
        counts, recent = self.counts, self._recent
        decided = counts["matched"] + counts["expired"] + counts["evicted"]
        lag = None
        if recent:
            lag = {
                "last": recent[-1],
                "recent": sum(recent) / len(recent),
                "overall": self._total / counts["matched"],
            }
        share = counts["matched"] / decided if decided else None
        return {**counts, "share_matched": share, "lag": lag}

    def state(self) -> dict[str, Any]:
        """Return what it takes to go on, as JSON values."""
        return {"counts": dict(self.counts), "total": self._total, "recent": list(self._recent)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.counts = dict.fromkeys(COUNTS, 0) | state["counts"]
        self._total = state["total"]
        self._recent = deque(state["recent"], maxlen=RECENT)
