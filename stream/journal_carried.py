"""The journal in an object store, which cannot append: each checkpoint carries what is new."""

from __future__ import annotations

from stream.errors import FencedError, JournalError
from stream.journal import Entry, Mark
from stream.journal_segment import Lines, segment_name
from stream.signature import Signer
from stream.vault import Vault


class CarriedJournal:
    """The order a shard's records were taken in, a segment for each checkpoint that has some.

    What was taken since the last checkpoint is lost with a crash: it is taken anew then, perhaps
    in another order, and a new lineage says so.

    Parameters
    ----------
    vault
        Where the checkpoints are.
    mark
        Where the checkpoint to go on from stands in it; None for its beginning.
    signer
        As for `FileJournal`.
    """

    def __init__(self, vault: Vault, mark: Mark | None, signer: Signer | None = None) -> None:
        self._vault = vault
        self._signer = signer
        self._mark = mark
        self._new: list[Entry] = []
        self._taken = 0

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
        try:
            written = self._vault.create(segment_name(number), data)
        except OSError as error:
            raise JournalError(
                f"wanted to write the journal in {self._vault.place}, got: {error.strerror}: see "
                "that it can be written; the run goes on from the last checkpoint"
            ) from error
        if not written:
            raise FencedError(
                f"segment {number} of the journal in {self._vault.place} was written by another "
                "owner: this instance stops; run one instance for a model"
            )
        self._mark = Mark(number, len(data))
        self._new, self._taken = self._new[self._taken :], 0
        return self._mark

    def close(self) -> None:
        """Nothing: what no checkpoint carries is taken anew."""
