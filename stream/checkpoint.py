"""Checkpoints: claim the model, publish its state, find the newest whole one.

A manifest is published by creating its file if absent, and each owner may only create the
number after its own last one. So of two owners one finds the number taken, and stops.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from learners.base import State
from stream import manifest, parts
from stream.config import differences
from stream.errors import CheckpointError, FencedError
from stream.journal import Mark
from stream.journal_segment import segments
from stream.manifest import Manifest, Position
from stream.manifests import Manifests, name_of, sent_name
from stream.signature import Signer
from stream.vault import Vault

logger = logging.getLogger(__name__)

CLAIMS = 10
OUTBOX = "outbox.msgpack"


@dataclasses.dataclass(slots=True)
class Snapshot:
    """A shard's whole state at a block's edge: what a checkpoint keeps.

    Attributes
    ----------
    lineage, sequence, positions, counts
        See `Manifest`.
    states
        The state of each component by its name: learner, decoder, scores.
    lasting
        Parts that never change, by their paths below a component's name.
    journal
        Where the journal goes on behind this state; None where nothing was ever journalled.
    outbox
        Messages that are owed to the log by then; None where there are none.
    """

    lineage: int
    sequence: int
    positions: tuple[Position, ...]
    counts: dict[str, int]
    states: dict[str, State]
    lasting: dict[str, parts.LastingPart] = dataclasses.field(default_factory=dict)
    journal: Mark | None = None
    outbox: bytes | None = None


class Checkpoints:
    """The checkpoints of one service.

    Parameters
    ----------
    vault
        Where they are.
    name
        The service's name.
    model, model_digest
        The configuration's fields that decide the model.
    keep
        How many of the newest to keep.
    signer
        Signs what is published, and what is found is taken only if it did; None without a key.

    Attributes
    ----------
    vault
        Where they are.
    """

    def __init__(
        self,
        vault: Vault,
        name: str,
        model: dict[str, Any],
        model_digest: str,
        keep: int = 3,
        signer: Signer | None = None,
    ) -> None:
        self.vault = vault
        self._name = name
        self._model = model
        self._model_digest = model_digest
        self._keep = keep
        self._signer = signer
        self._last: Manifest | None = None
        self._manifests = Manifests(vault, signer)

    @property
    def epoch(self) -> int:
        """The number by which this owner claimed, higher than any before it."""
        return self.held.epoch

    @property
    def number(self) -> int:
        """The number of the manifest this owner published last."""
        return self.held.number

    def newest(self) -> Manifest | None:
        """Return the newest manifest that is whole; see `Manifests.newest`."""
        return self._manifests.newest()

    def state(self, of: Manifest, name: str) -> State:
        """Return the state of one component of a checkpoint."""
        return parts.assemble(of.parts, name, self.vault.read_part)

    def outbox(self, of: Manifest) -> tuple[int, bytes | None]:
        """Return the messages that a checkpoint owed, with the number of the manifest that did.

        None where nothing is owed, or is known to have been sent.
        """
        number = of.number if of.outbox is None else of.outbox["number"]
        if of.outbox is None or self.vault.names(sent_name(number)):
            return number, None
        return number, self.vault.read_part(of.parts[OUTBOX])

    def settle(self) -> None:
        """Note that nothing is owed any more, for as long as the log itself cannot tell."""
        if self.held.outbox is not None:
            with self._writing():
                self.vault.create(sent_name(self.held.outbox["number"]), b"")

    def owned(self) -> bool:
        """Return whether nobody has claimed the model since this owner did."""
        return self._manifests.highest() == self.held.number

    def claim(self, first: Snapshot) -> Manifest:
        """Become the owner and return the checkpoint to go on from.

        Without a checkpoint there is one of `first`, in a new lineage. The claim names the same
        parts under a new owner, which fences the old one. A model that has taken nothing is bound
        to no configuration: under another one it goes on as `first`.

        Raises
        ------
        CheckpointError
            The newest checkpoint is torn, or of another configuration or library version.
        """
        owner = uuid.uuid4().hex
        for _ in range(CLAIMS):
            with self._writing():
                # In this order: what is published in between takes the number, and is not lost. Nor
                # is a number taken again whose claim is lost: its part of the journal may be there.
                number = max([self._manifests.highest(), *segments(self.vault)]) + 1
                claim = self._claim_of(self._manifests.newest(), first, number, owner)
                if self._create(claim):
                    self._last = claim
                    self._manifests.sweep()
                    return claim
        raise CheckpointError(
            f"wanted to claim the model in {self.vault.place}, got {CLAIMS} others at once: "
            "stop the other instances"
        )

    def publish(self, snapshot: Snapshot) -> Manifest:
        """Write a checkpoint; when this returns, it is the one to resume from.

        Raises
        ------
        FencedError
            Another owner has claimed the model.
        CheckpointError
            The folder cannot be written.
        """
        last = self.held
        number = last.number + 1
        with self._writing():
            new = self._manifest(snapshot, number, last.owner, last.epoch, last.number)
            if self._create(new):
                self._last = new
                self._manifests.prune(self._keep)
                return new
        raise FencedError(
            f"checkpoint {number} of {self._name!r} was published by another owner: this "
            "instance stops; run one instance for a model"
        )

    def _create(self, made: Manifest) -> bool:
        """Create the file of a manifest; return whether its number is this owner's."""
        name = name_of(made.number)
        if not self.vault.create(name, made.to_bytes(self._signer)):
            return False
        if self._manifests.highest() > made.number:
            # Another owner has gone on so far that it pruned the number that seemed free.
            self.vault.remove(name)
            return False
        return True

    def _claim_of(
        self, newest: Manifest | None, first: Snapshot, number: int, owner: str
    ) -> Manifest:
        if newest is None:
            first.lineage = self.new_lineage()
            return self._manifest(first, number, owner, number, None)
        manifest.check_versions(newest.versions)
        if newest.sequence == 0 and newest.model_digest != self._model_digest:
            first.lineage = newest.lineage
            first.positions = resumed(newest, self._model)
            return self._manifest(first, number, owner, number, newest.number)
        self._check_model(newest)
        return dataclasses.replace(
            newest, number=number, owner=owner, epoch=number, parent=newest.number
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CheckpointError(
                f"wanted to write a checkpoint in {self.vault.place}, got: {error.strerror}: "
                "make room or set [checkpoint] path elsewhere; the run goes on from the last one"
            ) from error

    def _check_model(self, saved: Manifest) -> None:
        if saved.model_digest != self._model_digest:
            changed = "; ".join(differences(saved.model, self._model))
            raise CheckpointError(
                f"the model of {self._name!r} was made with another configuration ({changed}): "
                "set it back, or choose another name to start another model"
            )

    @property
    def held(self) -> Manifest:
        """The manifest this owner claimed or published last."""
        if self._last is None:
            raise CheckpointError("wanted a claimed model, got none: call claim first")
        return self._last

    def _manifest(
        self, snapshot: Snapshot, number: int, owner: str, epoch: int, parent: int | None
    ) -> Manifest:
        places = {}
        for name, state in snapshot.states.items():
            for path, data in parts.flatten(state, name).items():
                places[path] = self.vault.add_part(data)
        named = set() if self._last is None else set(self._last.parts.values())
        for path, part in snapshot.lasting.items():
            # What the last manifest names is never pruned.
            if part.name not in named or not self.vault.holds(part.name, part.size):
                data = part.take()
                part.name, part.size = self.vault.add_part(data), len(data)
            places[path] = part.name
        if snapshot.outbox is not None:
            places[OUTBOX] = self.vault.add_part(snapshot.outbox)
        self.vault.sync_parts()
        return Manifest(
            number=number,
            name=self._name,
            lineage=snapshot.lineage,
            sequence=snapshot.sequence,
            owner=owner,
            epoch=epoch,
            parent=parent,
            positions=snapshot.positions,
            counts=dict(snapshot.counts),
            parts=places,
            model=self._model,
            model_digest=self._model_digest,
            versions=manifest.versions(),
            journal=None if snapshot.journal is None else snapshot.journal._asdict(),
            outbox=None if snapshot.outbox is None else {"number": number},
        )

    def new_lineage(self) -> int:
        """Return the number of a new life of the model, which no other has."""
        lineage = 1
        mine = uuid.uuid4().hex.encode()
        with self._writing():
            while not self.vault.create(f"lineage-{lineage:06}", mine):
                lineage += 1
        return lineage


def resumed(saved: Manifest, model: Mapping[str, Any]) -> tuple[Position, ...]:
    """Return where a model of these fields goes on.

    One that has taken nothing begins anew where [record] says otherwise now.
    """
    begun = saved.sequence > 0 or saved.model.get("record") == model.get("record")
    return saved.positions if begun else ()
