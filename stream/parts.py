"""Parts: a learner's state as named bytes, JSON and plain arrays, and back."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.base import State


@dataclasses.dataclass(slots=True)
class LastingPart:
    """Bytes that a checkpoint writes once, and later ones only name.

    Attributes
    ----------
    pack
        Returns the bytes; what they stand for may only shrink.
    name, size
        What they are kept under, and how many there are; None while they are not kept.
    data
        The bytes, from `ready` until they are kept.
    """

    pack: Callable[[], bytes]
    name: str | None = None
    size: int = 0
    data: bytes | None = None

    def ready(self) -> LastingPart:
        """Take the bytes as they are now, unless they are kept already; return this part."""
        if self.name is None:
            self.data = self.pack()
        return self

    def take(self) -> bytes:
        """Return the bytes and let go of them."""
        data, self.data = self.data, None
        return self.pack() if data is None else data


def flatten(state: State, name: str) -> dict[str, bytes]:
    """Return the parts of a state, each named by its path below `name`.

    Examples
    --------
    >>> sorted(flatten(State(meta={"n": 1}, opaque={"model": b""}), "learner"))
    ['learner.json', 'learner.model.pickle']
    """
    parts = {f"{name}.json": to_json({"meta": state.meta, "members": list(state.members)})}
    for key, array in state.arrays.items():
        parts[f"{name}.{key}.npy"] = _array_bytes(array)
    for key, data in state.opaque.items():
        parts[f"{name}.{key}.pickle"] = data
    for key, member in state.members.items():
        parts |= flatten(member, f"{name}/{key}")
    return parts


def assemble(names: Mapping[str, str], name: str, read: Callable[[str], bytes]) -> State:
    """Return the state below `name`.

    Parameters
    ----------
    names
        Where each part is kept, by its path.
    name
        The path that the state was flattened under.
    read
        Returns what is kept there.
    """
    head = json.loads(read(names[f"{name}.json"]))
    arrays: dict[str, NDArray[Any]] = {}
    state = State(meta=head["meta"], arrays=arrays)
    for path, place in names.items():
        key, _, suffix = path.removeprefix(f"{name}.").rpartition(".")
        if not path.startswith(f"{name}.") or not key:
            continue
        if suffix == "npy":
            arrays[key] = np.load(io.BytesIO(read(place)), allow_pickle=False)
        elif suffix in ("pickle", "bin"):
            state.opaque[key] = read(place)
    for member in head["members"]:
        state.members[member] = assemble(names, f"{name}/{member}", read)
    return state


def to_json(value: Any) -> bytes:
    """Return the one JSON text of a value; floats come back to the last bit."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _array_bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
