"""Checkpoints as C2SP describes them (c2sp.org/tlog-checkpoint): which log, how many facts, and the root over them, in a signed note."""

import re
from base64 import b64decode, b64encode

from msgspec import Struct

from ledger.store.integrity.note import BadNote, Signs, Verifies, open_note, sign
from ledger.store.integrity.tree import HASH_BYTES

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


def origin(ledger_id: str) -> str:
    """This will name a ledger as checkpoints do."""
    return f"decision-ledger/{ledger_id}"


class Checkpoint(Struct, frozen=True):
    """The state of a log that somebody vouches for. `origin` names the log."""

    origin: str
    #: How many facts: the last position.
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """This will give the body of the note."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    def signed(self, *signers: Signs) -> str:
        """This will give it as a note."""
        return sign(self.text, *signers)


def parse(text: str) -> Checkpoint:
    """This will read the body of a checkpoint; lines after the third are somebody's extensions. Raises BadNote."""
    lines = text.split("\n")
    try:
        origin, size, root = lines[0], lines[1], b64decode(lines[2], validate=True)
    except (IndexError, ValueError) as error:
        raise BadNote("it is no checkpoint: it needs three lines, origin, size and root") from error
    if not origin or not _SIZE.fullmatch(size) or len(root) != HASH_BYTES or b64encode(root).decode() != lines[2]:
        raise BadNote("it is no checkpoint: its origin, size or root is not well formed")
    return Checkpoint(origin, int(size), root)


def open_checkpoint(note: str | bytes, log: Verifies, *witnesses: Verifies) -> Checkpoint:
    """This will give a checkpoint that the log signed, and each of the witnesses if they are given.

    Raises BadNote: it is not one, its origin is another log, or a signature is missing or false.
    """
    opened = open_note(note, log, *witnesses)
    for witness in witnesses:
        if witness.name not in opened.by:
            raise BadNote(f"{witness.name} did not cosign it with this key")
    found = parse(opened.text)
    if found.origin != log.name:
        raise BadNote(f"it is of the log {found.origin}, and the key is of {log.name}")
    return found
