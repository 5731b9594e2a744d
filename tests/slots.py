"""Slots that wait, and a place that counts what is kept of them."""

from __future__ import annotations

from pathlib import Path

from stream.checkpoint import Checkpoints, Snapshot
from stream.folder import Folder
from stream.segment import FEATURES, Slot
from stream.waiting import Waiting

NAME = "waiting"


def slot(number: int, kind: int = FEATURES, name: str | None = None) -> Slot:
    return Slot(name or f"id {number}", kind, 1_000 + number, number, 1.0, 0, 7 * number)


def content(number: int, size: int = 3) -> bytes:
    return b"%d;" % number * size


class Counting(Folder):
    """A folder that counts the bytes that are hashed, and those that are written."""

    hashed = written = parts = 0

    def add_part(self, data: bytes) -> str:
        self.hashed += len(data)
        return super().add_part(data)

    def _write_temporary(self, data: bytes) -> Path:
        self.written += len(data)
        self.parts += 1
        return super()._write_temporary(data)

    def reset(self) -> None:
        self.hashed = self.written = self.parts = 0


def place(path: Path) -> tuple[Checkpoints, Counting]:
    folder = Counting(path)
    return Checkpoints(folder, "name", {}, ""), folder


def snapshot(held: Waiting, sequence: int = 1) -> Snapshot:
    states, parts = held.state(NAME)
    return Snapshot(1, sequence, (), {}, states, parts)


def restored(checkpoints: Checkpoints) -> Waiting:
    manifest = checkpoints.claim(snapshot(Waiting()))
    held = Waiting()
    held.restore(NAME, manifest.parts, lambda name: checkpoints.state(manifest, name))
    return held


def filled(count: int, size: int = 3) -> Waiting:
    held = Waiting()
    for number in range(count):
        held.put(held.add(slot(number)), content(number, size))
    return held
