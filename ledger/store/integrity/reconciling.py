"""Whether the ledger still is what was signed of it: asked before anything is served."""

from ledger.store.faults import NotReconciled
from ledger.store.integrity import reading
from ledger.store.integrity.checkpoint import Checkpoint
from ledger.store.integrity.keeping import PUBLIC_KEY, Kept
from ledger.store.integrity.logtree import LogTree
from ledger.store.integrity.note import BadNote


def signed(kept: Kept) -> Checkpoint | None:
    """This will give the kept checkpoint; None: there is none yet. Raises NotReconciled for one that the kept key did not sign."""
    verifier = kept.verifier()
    try:
        if verifier is None and kept.note() is not None:
            raise NotReconciled(
                f"The checkpoint in {kept.folder} can't be checked: the key {PUBLIC_KEY} beside it is gone."
            )
        return None if verifier is None else kept.checkpoint(verifier)
    except BadNote as error:
        raise NotReconciled(f"The checkpoint in {kept.folder} does not hold: {error}.") from error


def reconcile(url: str, kept: Kept) -> int:
    """This will compare the ledger with the kept checkpoint, and give how many facts that covers; 0: none is kept yet.

    It looks at the leaves as they are stored, a second or two for a million; `verify` looks at everything. Raises NotReconciled.
    """
    checkpoint = signed(kept)
    if checkpoint is None:
        return 0
    with reading.reader(url) as connection:
        head = reading.head(connection)
        if head < checkpoint.size:
            raise NotReconciled(
                f"The ledger ends at {head}, and {checkpoint.size} facts were signed: an older state was restored. Bring the facts"
                f" from {head + 1} on back, or, if they are lost for good, say so by moving {kept.folder} away and sealing anew."
            )
        try:
            same = LogTree().root(connection, checkpoint.size) == checkpoint.root
        except ValueError:
            same = False
    if not same:
        raise NotReconciled(
            f"The first {checkpoint.size} facts are not those that were signed. Run: decision-ledger verify --folder {kept.folder}"
        )
    return checkpoint.size
