"""Parts: a learner's state as named bytes, JSON and plain arrays, and back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.base import State


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
    state = State(meta=head["meta"])
    for path, place in names.items():
        key, _, suffix = path.removeprefix(f"{name}.").rpartition(".")
        if not path.startswith(f"{name}.") or not key:
            continue
        if suffix == "npy":
            state.arrays[key] = np.load(io.BytesIO(read(place)), allow_pickle=False)
        elif suffix == "pickle":
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
