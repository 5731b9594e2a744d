"""The manifest: one checkpoint's table of contents; publishing it is the commit."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from importlib.metadata import version
from typing import Any

from stream.errors import CheckpointError
from stream.log import Place
from stream.parts import to_json
from stream.signature import Signer, verify

FORMAT = 1
KIND = "manifest"
LIBRARIES = ("alluvia", "numpy", "river", "scikit-learn")


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """How far one partition was taken.

    Attributes
    ----------
    topic, partition
        Which.
    offset
        The next offset to take.
    record
        SHA-256 of the last record taken; "" before the first. It tells a topic that was made
        anew under the same name.
    time
        The highest time of its records so far, in milliseconds, as the log has it.
    """

    topic: str
    partition: int
    offset: int
    record: str
    time: int = 0

    @property
    def place(self) -> Place:
        """Topic and partition."""
        return self.topic, self.partition


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """What a checkpoint holds.

    Attributes
    ----------
    number
        Counts the manifests of one place.
    name, lineage, sequence
        The model version: the service's name, its unbroken life, the count of records taken.
    owner, epoch
        The token of the process that may publish next, and the number of the manifest by which
        it claimed that right.
    parent
        The number of the manifest before; None for the first.
    positions
        The place in the log of each partition.
    counts
        Records by what became of them.
    parts
        SHA-256 of each part by its path: learner, decoder, scores.
    model, model_digest
        The configuration's fields that decide the model, and their SHA-256.
    versions
        Of Python and the libraries that wrote it.
    journal, pending, watermarks, drift, closed_window, outbox
        Parts of a service with several partitions, late labels, drift and owed messages.
    """

    number: int
    name: str
    lineage: int
    sequence: int
    owner: str
    epoch: int
    parent: int | None
    positions: tuple[Position, ...]
    counts: dict[str, int]
    parts: dict[str, str]
    model: dict[str, Any]
    model_digest: str
    versions: dict[str, str]
    journal: dict[str, Any] | None = None
    pending: dict[str, Any] | None = None
    watermarks: dict[str, Any] | None = None
    drift: dict[str, Any] | None = None
    closed_window: dict[str, Any] | None = None
    outbox: dict[str, Any] | None = None

    def to_bytes(self, signer: Signer | None = None) -> bytes:
        """Return the file: JSON with its own SHA-256, its signature and the format number.

        The SHA-256 tells what is torn, the signature what somebody made up; it covers the parts,
        whose own SHA-256 the manifest names.
        """
        content = {"format": FORMAT, **dataclasses.asdict(self)}
        file = {"manifest": content, "sha256": _digest(content)}
        if signer is not None:
            file["hmac"] = signer.sign(KIND, to_json(content))
        return to_json(file)


def from_bytes(data: bytes, signer: Signer | None = None) -> Manifest:
    """Return the manifest of a file.

    Raises
    ------
    CheckpointError
        It is torn, altered, or of another format.
    SignatureError
        It is whole, and not signed as it should be.
    """
    try:
        file = json.loads(data)
        content = dict(file["manifest"])
        whole = _digest(content) == file["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError("the manifest is not what was written: torn or altered") from error
    if not whole:
        raise CheckpointError("the manifest is not what was written: torn or altered")
    verify(signer, KIND, to_json(content), file.get("hmac"))
    form = content.pop("format")
    if form != FORMAT:
        raise CheckpointError(f"wanted a manifest of format {FORMAT}, got {form}: update alluvia")
    content["positions"] = tuple(Position(**position) for position in content["positions"])
    return Manifest(**content)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries whose objects a checkpoint may hold."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def check_versions(saved: dict[str, str]) -> None:
    """Refuse a checkpoint whose pickled estimators another library version wrote.

    Raises
    ------
    CheckpointError
        Major or minor version of a library differ.
    """
    for name, now in versions().items():
        then = saved.get(name, "none")
        if name != "alluvia" and then.split(".")[:2] != now.split(".")[:2]:
            raise CheckpointError(
                f"the checkpoint was written with {name} {then}, got {now}: install that version, "
                "or rebuild the model with `alluvia replay`"
            )


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(to_json(content)).hexdigest()
