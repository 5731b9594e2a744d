"""What may become of the files of a checkpoint folder: cut, a bit flipped, gone."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Container
from pathlib import Path

from stream import dead

WAYS = ("cut", "flipped", "missing")


@dataclasses.dataclass(frozen=True)
class Damage:
    """One file's damage.

    Attributes
    ----------
    file
        Its path in the folder.
    kind
        What the file is for.
    way
        What became of it.
    at
        The byte that it ends before, or of which a bit is another.
    """

    file: str
    kind: str
    way: str
    at: int

    def do(self, folder: Path) -> None:
        """Damage the file."""
        path = folder / self.file
        data = bytearray(path.read_bytes())
        if self.way == "missing":
            path.unlink()
            return
        if self.way == "cut":
            del data[self.at :]
        else:
            data[self.at] ^= 1 << self.at % 8
        path.write_bytes(data)


def drawn(
    folder: Path, draw: random.Random, count: int, besides: Container[str] = ()
) -> list[Damage]:
    """Return damages to files of a folder; each kind of file is as likely as another."""
    files = {name: kind for name, kind in kinds_in(folder).items() if kind not in besides}
    damages = []
    for _ in range(count):
        kind = draw.choice(sorted(set(files.values())))
        file = draw.choice(sorted(name for name, of in files.items() if of == kind))
        del files[file]
        size = (folder / file).stat().st_size
        way = draw.choice(WAYS) if size else "missing"
        damages.append(Damage(file, kind, way, draw.randrange(size) if size else 0))
    return damages


def bring_back(damage: Damage, copy: Path, folder: Path) -> None:
    """Bring a file back from a copy of the folder, with those that are of no use without it."""
    names = [damage.file]
    if damage.file.startswith(dead.FILE):
        names = [path.name for path in copy.glob(f"{dead.FILE}*")]
        for path in folder.glob(f"{dead.FILE}*"):
            path.unlink()
    for name in names:
        shutil.copyfile(copy / name, folder / name)


def kinds_in(folder: Path) -> dict[str, str]:
    """Return every file of a folder, by its path in it, with what it is for."""
    parts: dict[str, str] = {}
    for path in folder.glob("manifest-*.json"):
        named = json.loads(path.read_bytes())["manifest"]["parts"]
        parts |= {f"parts/{place}": f"part {_component(name)}" for name, place in named.items()}
    files = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file():
            files[name] = parts.get(name) or _kind(name)
    return files


def _component(name: str) -> str:
    return name.partition("/")[0].partition(".")[0]


def _kind(name: str) -> str:
    if name.startswith("parts/"):
        return "unnamed part"
    return name if name.startswith(dead.FILE) else name.partition("-")[0]
