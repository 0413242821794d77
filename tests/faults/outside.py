"""The folder outside the database, with what was signed of the ledger."""

from pathlib import Path

from ledger.store.integrity import reading
from ledger.store.integrity.checkpoint import Checkpoint, origin
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.note import Signer
from ledger.store.integrity.sealer import Sealer


class Outside:
    """Seals a ledger when it is told to, and remembers."""

    def __init__(self, folder: Path) -> None:
        self.kept = Kept(folder)
        self._signer: Signer | None = None

    def seal(self, url: str) -> Checkpoint:
        """This will check the ledger as a sealer that has just started does, sign it, and keep that. Raises Refused."""
        with reading.reader(url) as connection:
            if self._signer is None:
                self._signer = Signer.generate(origin(reading.ledger_id(connection)))
            Sealer(connection, self.kept, self._signer).seal()
        return self.checkpoint()

    def checkpoint(self) -> Checkpoint:
        """This will give what was signed last."""
        assert self._signer is not None
        found = self.kept.checkpoint(self._signer.verifier)
        assert found is not None
        return found
