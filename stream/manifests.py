"""The manifests in a vault: the newest whole one, and which of them are dropped."""

from __future__ import annotations

import logging

from stream import manifest
from stream.errors import CheckpointError, SignatureError
from stream.manifest import Manifest
from stream.signature import Signer
from stream.vault import Vault

logger = logging.getLogger(__name__)

MANIFESTS = f"manifest-{'[0-9]' * 12}.json"


class Manifests:
    """The manifests of one service.

    Parameters
    ----------
    vault
        Where they are.
    signer
        See `Checkpoints`.
    """

    def __init__(self, vault: Vault, signer: Signer | None = None) -> None:
        self._vault = vault
        self._signer = signer
        self._unused: set[str] = set()

    def newest(self) -> Manifest | None:
        """Return the newest manifest that is whole with all its parts, None if there is none.

        Raises
        ------
        CheckpointError
            There are manifests, and none of them is whole.
        SignatureError
            One that is whole is not signed as it should be: an older one is no substitute.
        """
        names = self._vault.names(MANIFESTS)
        for name in reversed(names):
            try:
                found = self._read(name)
                for part in set(found.parts.values()):
                    self._vault.read_part(part)
                return found
            except FileNotFoundError:
                return self.newest()  # pruned by its owner since the names were listed
            except SignatureError as error:
                raise SignatureError(f"{self._vault.place}/{name}: {error}") from error
            except (CheckpointError, OSError) as error:
                if name not in self._unused:
                    logger.warning("%s is not used: %s", name, error)
                self._unused.add(name)
        if names:
            raise CheckpointError(
                f"wanted a whole checkpoint in {self._vault.place}, got {len(names)} that are torn "
                "or altered: bring the folder back from a copy, or rebuild with `alluvia replay`"
            )
        return None

    def highest(self) -> int:
        """Return the highest number that a manifest has, 0 if there is none."""
        names = self._vault.names(MANIFESTS)
        return max((number_of(name) for name in names), default=0)

    def prune(self, keep: int) -> None:
        """Drop all but the `keep` newest, and the parts that only dropped ones named.

        Parts that no manifest names are left: another owner may be about to name them.
        """
        names = self._vault.names(MANIFESTS)
        dropped = self._parts_of(names[:-keep])
        kept = self._parts_of(names[-keep:])
        for name in names[:-keep]:
            self._vault.remove(name)
            self._vault.remove(sent_name(number_of(name)))
            self._vault.remove(left_name(number_of(name)))
        for part in dropped - kept:
            self._vault.remove_part(part)

    def sweep(self) -> None:
        """Drop what a crash left between writing parts and publishing."""
        named = self._parts_of(self._vault.names(MANIFESTS))
        self._vault.sweep(named)

    def _read(self, name: str) -> Manifest:
        """Return a manifest, which has to be in the file of its own number.

        An old one under a higher number would take the place of what came after it.
        """
        found = manifest.from_bytes(self._vault.read(name), self._signer)
        if name_of(found.number) != name:
            raise CheckpointError(f"it is manifest {found.number}, under another number")
        return found

    def _parts_of(self, names: list[str]) -> set[str]:
        found: set[str] = set()
        for name in names:
            try:
                found |= set(self._read(name).parts.values())
            except (CheckpointError, FileNotFoundError):
                continue  # a torn manifest names nothing that can be used
        return found


def name_of(number: int) -> str:
    """Return the file name of a manifest."""
    return f"manifest-{number:012}.json"


def number_of(name: str) -> int:
    """Return the number in a manifest's file name."""
    return int(name.removeprefix("manifest-").removesuffix(".json"))


def sent_name(number: int) -> str:
    """Return the name of the note that a manifest's outbox was sent."""
    return f"sent-{number:012}"


def left_name(number: int) -> str:
    """Return the name of the note that a manifest is the last of an owner who left."""
    return f"left-{number:012}"
