"""What a plain loop around a river model makes of labels that come later."""

from __future__ import annotations

import math
from typing import Any

from stream.lateness import COUNTS
from tests.delayed import WITHIN, Event

ENOUGH = 3
"""So many records that are far ahead are believed, where a test has set that."""


class Slot:
    """What waits in a plain loop."""

    def __init__(self, name: str, kind: str, time: int, deadline: int, **held: Any) -> None:
        self.name, self.kind, self.time, self.deadline = name, kind, time, deadline
        self.held = held
        self.status = "waits"


class Plain:
    """Test, wait for the label, then train: one record at a time around a river model."""

    def __init__(
        self, model: Any, keep: int, default: Any, proba: bool = True, leap: float = math.inf
    ) -> None:
        self.model, self.keep, self.default, self.proba = model, keep, default, proba
        self.leap = leap
        self.ahead: list[tuple[int, int]] = []
        self.slots: list[Slot] = []
        self.known: dict[str, Slot] = {}
        self.counts = dict.fromkeys(COUNTS, 0)
        self.lags: list[int] = []
        self.graded: list[tuple[Any, Any, dict[Any, float]]] = []
        self.predicted: dict[str, tuple[Any, dict[Any, float]]] = {}
        self.now = -math.inf

    def take(self, i: int, event: Event, time: int) -> None:
        if event.kind == "bad":
            return
        self._pass(time, event.kind == "tick")
        for slot in self.slots:
            if slot.status == "waits" and slot.deadline < self.now:
                self._end(slot, "expired")
        if event.kind == "tick":
            return
        new = str(event.id) not in self.known
        if event.kind == "whole" and new:
            self._whole(i, event, time)
            return
        if new and len(self.waiting) >= self.keep:
            self._end(self.waiting[0], "evicted")
        if event.kind in ("features", "whole"):
            self._features(i, event, time)
        if event.kind in ("label", "whole"):
            self._label(event, time)

    def _pass(self, time: int, tick: bool) -> None:
        if tick or self.now + self.leap >= time or self.now == -math.inf:
            if time > self.now or (time == self.now and not tick):
                self.now = time
                self.ahead = []
            return
        self.ahead.append((time, len(self.slots)))
        if len(self.ahead) == ENOUGH:
            self.now = min(ahead for ahead, _ in self.ahead)
            for slot in self.slots[self.ahead[0][1] :]:
                slot.deadline = int(self.now) + WITHIN
            self.ahead = []
        self.counts["ahead"] += time > self.now

    @property
    def waiting(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.status == "waits"]

    def _whole(self, i: int, event: Event, time: int) -> None:
        x, served = self._predict(i, event)
        self._learn(x, event.y, served, event.weight)
        slot = Slot(str(event.id), "features", time, 0)
        slot.status = "met"
        self.known[slot.name] = slot

    def _features(self, i: int, event: Event, time: int) -> None:
        x, served = self._predict(i, event)
        slot = self.known.get(str(event.id))
        if slot is None:
            self._wait("features", event, time, x=x, served=served, weight=event.weight)
        elif slot.status == "waits" and slot.kind == "label":
            self._match(slot, slot.time - time)
            self._learn(x, slot.held["y"], served, event.weight)
        else:
            self.counts["repeated_ids"] += 1

    def _label(self, event: Event, time: int) -> None:
        slot = self.known.get(str(event.id))
        self.counts["labels"] += 1
        if slot is None:
            self.counts["early"] += 1
            self._wait("label", event, time, y=event.y)
        elif slot.status == "waits" and slot.kind == "features":
            self._match(slot, time - slot.time)
            self._learn(slot.held["x"], event.y, slot.held["served"], slot.held["weight"])
        else:
            self.counts["unmatched" if slot.status == "gone" else "repeated_labels"] += 1

    def _wait(self, kind: str, event: Event, time: int, **held: Any) -> None:
        slot = Slot(str(event.id), kind, time, int(self.now) + WITHIN, **held)
        self.slots.append(slot)
        self.known[slot.name] = slot

    def _end(self, slot: Slot, why: str) -> None:
        slot.status = "gone"
        if slot.kind == "label":
            self.counts["unmatched"] += 1
            del self.known[slot.name]
            return
        self.counts[why] += 1
        if self.default is not None:
            self.counts["defaulted"] += 1
            held = slot.held
            self._learn(held["x"], self.default, held["served"], held["weight"])

    def _match(self, slot: Slot, lag: int) -> None:
        slot.status = "met"
        self.counts["matched"] += 1
        self.lags.append(lag)

    def _predict(self, i: int, event: Event) -> tuple[dict[str, float], Any]:
        x = {"x": event.x, "z": event.x * 2}
        if self.proba:
            proba = dict(self.model.predict_proba_one(x))
            served = (max(proba, key=lambda label: proba[label]) if proba else None), proba
        else:
            served = self.model.predict_one(x), {}
        self.predicted[f"k{i}"] = served
        return x, served

    def _learn(self, x: Any, y: Any, served: Any, weight: int) -> None:
        self.graded.append((y, *served))
        if weight:
            options = {} if weight == 1 else {"w": float(weight)}
            self.model.learn_one(x, y, **options)
