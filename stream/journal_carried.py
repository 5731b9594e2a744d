"""The journal in an object store, which cannot append: each checkpoint carries what is new."""

from __future__ import annotations

from stream.errors import FencedError, JournalError
from stream.journal import Entry, Mark
from stream.journal_segment import Lines, segment_name
from stream.manifests import left_name
from stream.signature import Signer
from stream.vault import Vault


class CarriedJournal:
    """The order a shard's records were taken in, a segment for each checkpoint that has some.

    What was taken since the last checkpoint is lost with a crash: it is taken anew then, perhaps
    in another order, and a new lineage says so. Who ends by himself leaves a note that nothing is.

    Parameters
    ----------
    vault
        Where the checkpoints are.
    number
        That of the manifest by which its owner claimed.
    parent
        That of the checkpoint to go on from; None for none.
    mark
        Where that stands in it; None for its beginning.
    signer
        As for `FileJournal`.

    Attributes
    ----------
    lost
        See `Journal`. A note is of no use where what came behind its checkpoint is torn.
    """

    def __init__(
        self,
        vault: Vault,
        number: int,
        parent: int | None,
        mark: Mark | None,
        signer: Signer | None = None,
    ) -> None:
        self._vault = vault
        self._signer = signer
        self._mark = mark
        self._new: list[Entry] = []
        self._taken = 0
        self.lost = parent != number - 1 or not vault.names(left_name(number - 1))

    def tail(self) -> list[Entry]:
        """See `Journal.tail`: nothing lies behind a checkpoint."""
        return []

    def append(self, entry: Entry) -> None:
        """See `Journal.append`: it is written with the next checkpoint."""
        self._new.append(entry)

    def took(self) -> None:
        """See `Journal.took`."""
        self._taken = len(self._new)

    def cut(self, number: int) -> Mark | None:
        """Write what was taken since the last; see `Journal.cut`.

        Raises
        ------
        FencedError
            Another owner has written a segment of this number.
        """
        taken = self._new[: self._taken]
        if not taken:
            return self._mark
        lines = Lines(number, self._signer)
        data = lines.begin(self._mark) + b"".join(map(lines.line, taken))
        if not self._create(segment_name(number), data):
            raise FencedError(
                f"segment {number} of the journal in {self._vault.place} was written by another "
                "owner: this instance stops; run one instance for a model"
            )
        self._mark = Mark(number, len(data))
        self._new, self._taken = self._new[self._taken :], 0
        return self._mark

    def leave(self, number: int) -> None:
        """See `Journal.leave`."""
        self._create(left_name(number), b"")

    def close(self) -> None:
        """Nothing: what no checkpoint carries is taken anew."""

    def _create(self, name: str, data: bytes) -> bool:
        try:
            return self._vault.create(name, data)
        except OSError as error:
            raise JournalError(
                f"wanted to write the journal in {self._vault.place}, got: {error.strerror}: see "
                "that it can be written; the run goes on from the last checkpoint"
            ) from error
