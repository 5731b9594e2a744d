"""Checkpoints whose every component says which one it is of, and states compared by value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from learners.base import State
from stream.checkpoint import Checkpoints, Snapshot
from stream.folder import Folder
from stream.manifest import Position

MODEL = {"seed": 1, "model": {"learner": "river.naive_bayes.GaussianNB"}}


def snapshot(sequence: int = 0, lineage: int = 1) -> Snapshot:
    """A state in which every component says the same sequence, so that a mixed one shows."""
    states = {
        "learner": State({"at": sequence}, {"a": np.arange(sequence)}, {"model": b"%d" % sequence}),
        "decoder": State({"at": sequence, "same": "in each"}),
        "scores": State({"same": "in each"}, {"sum": np.array(float(sequence))}),
    }
    positions = (Position("t", 0, sequence, f"digest {sequence}"),)
    return Snapshot(lineage, sequence, positions, {"records": sequence}, states)


def checkpoints(path: Path, keep: int = 3, model: Any = MODEL) -> Checkpoints:
    digest = json.dumps(model, sort_keys=True)
    return Checkpoints(Folder(path), "name", model, digest, keep)


def filled(path: Path, *sequences: int, keep: int = 3) -> Checkpoints:
    """A place with a claim and a checkpoint at each of these sequences."""
    owner = checkpoints(path, keep)
    owner.claim(snapshot())
    for sequence in sequences:
        owner.publish(snapshot(sequence))
    return owner


def sequence_of(place: Checkpoints) -> int:
    """The sequence of the newest checkpoint, after every component of it was held against it."""
    newest = place.newest()
    assert newest is not None
    expected = snapshot(newest.sequence)
    for name, state in expected.states.items():
        assert same(place.state(newest, name), state)
    assert newest.positions == expected.positions
    assert newest.counts == expected.counts
    return newest.sequence


def same(one: State, other: State) -> bool:
    """Whether two states are equal by value, where NaN equals NaN and 1 is not 1.0."""
    return (
        json.dumps(one.meta, sort_keys=True) == json.dumps(other.meta, sort_keys=True)
        and one.opaque == other.opaque
        and one.arrays.keys() == other.arrays.keys()
        and all(_alike(one.arrays[key], other.arrays[key]) for key in one.arrays)
        and one.members.keys() == other.members.keys()
        and all(same(one.members[key], other.members[key]) for key in one.members)
    )


def _alike(one: Any, other: Any) -> bool:
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
