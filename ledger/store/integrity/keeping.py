"""What is kept outside the database: a folder that its administrator can't write, with the last checkpoint and the tiles.

checkpoint          the last one that was signed
log.key             the public key
tile/…              the tree and the envelopes
"""

import os
from contextlib import suppress
from pathlib import Path

from ledger.store.integrity.checkpoint import Checkpoint, open_checkpoint
from ledger.store.integrity.note import BadNote, Signer, Verifier
from ledger.store.integrity.tiles import Tiles, write

CHECKPOINT = "checkpoint"
PUBLIC_KEY = "log.key"


class KeyUnsafe(Exception):  # noqa: N818 - named for what it is
    """A private key that others may read, or a file that holds none."""


class Kept:
    """The folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tiles = Tiles(folder)

    def note(self) -> str | None:
        """This will give the last checkpoint's note as it is kept, None if there is none."""
        with suppress(FileNotFoundError):
            return (self.folder / CHECKPOINT).read_text("utf-8")
        return None

    def checkpoint(self, verifier: Verifier) -> Checkpoint | None:
        """This will give the last checkpoint, None if there is none. Raises BadNote for one that the key did not sign."""
        try:
            note = self.note()
        except UnicodeDecodeError as error:
            raise BadNote("it is not UTF-8") from error
        return None if note is None else open_checkpoint(note, verifier)

    def verifier(self) -> Verifier | None:
        """This will give the public key that is kept beside the checkpoint; whoever wants to be sure has it from elsewhere."""
        with suppress(FileNotFoundError):
            return Verifier.parse((self.folder / PUBLIC_KEY).read_text("utf-8"))
        return None

    def keep(self, note: str) -> None:
        """This will put a checkpoint in the place of the last."""
        write(self.folder / CHECKPOINT, note.encode())

    def keep_key(self, verifier: Verifier) -> None:
        """This will write the public key beside the checkpoints."""
        write(self.folder / PUBLIC_KEY, f"{verifier}\n".encode())


def signer(path: Path, name: str) -> Signer:
    """This will read the private key of a file, or make one there that nobody else may read.

    Raises KeyUnsafe for a file that others may read, BadKey for one that holds no key, and for a key of another name.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            made = Signer.generate(name)
            file.write(made.secret + "\n")
            return made
    except FileExistsError:
        pass
    if path.stat().st_mode & 0o077:
        raise KeyUnsafe(f"others may read {path}; forbid it with: chmod 600 {path}")
    found = Signer.parse(path.read_text("utf-8").strip())
    if found.name != name:
        raise KeyUnsafe(f"the key in {path} is {found.name}'s, and this ledger is {name}")
    return found
