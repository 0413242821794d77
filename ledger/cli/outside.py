"""What the verbs of the proof share: the folder outside the database, keys and checkpoints."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from ledger.cli.running import USAGE, Failed
from ledger.settings import Settings
from ledger.store.integrity.checkpoint import Checkpoint, open_checkpoint
from ledger.store.integrity.cosignature import WitnessVerifier
from ledger.store.integrity.keeping import CHECKPOINT, PUBLIC_KEY, Kept
from ledger.store.integrity.note import BadKey, BadNote, Verifier

F = TypeVar("F", bound=Callable[..., Any])

#: Under the data folder, where nothing else is said. A real deployment keeps it on another machine.
FOLDER = "sealed"

file = click.Path(exists=True, dir_okay=False, path_type=Path)


def folder(command: F) -> F:
    """This will give a verb `--folder`."""
    return click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="LEDGER_SEAL_FOLDER",
        help="Where checkpoints and tiles are kept, out of the database's reach (LEDGER_SEAL_FOLDER; else under LEDGER_DATA_DIR).",
    )(command)


def against(command: F) -> F:
    """This will give a verb the options that name a checkpoint and whose it is."""
    for option in (
        click.option(
            "--witness", "witnesses", multiple=True, help="Key of a witness who must have cosigned; repeatable."
        ),
        click.option("--key", type=file, help="File with the public key that signed it."),
        click.option("--checkpoint", type=file, help="File with the checkpoint, a signed note."),
        folder,
    ):
        command = option(command)
    return command


def kept(folder: Path | None, settings: Settings) -> Kept:
    """This will give the folder outside."""
    return Kept(folder or settings.data_dir / FOLDER)


def chosen(
    checkpoint: Path | None, key: Path | None, witnesses: tuple[str, ...], outside: Kept | None
) -> Checkpoint | None:
    """This will read the checkpoint that was named, or the one that is kept; None: there is none.

    Raises Failed for a note that is not what its keys say.
    """
    if (checkpoint is None) != (key is None):
        raise Failed("Give both --checkpoint and --key: one proves nothing without the other.", USAGE)
    try:
        known = [WitnessVerifier.parse(text) for text in witnesses]
        if checkpoint is not None and key is not None:
            return open_checkpoint(checkpoint.read_bytes(), Verifier.parse(key.read_text("utf-8")), *known)
        verifier = None if outside is None else outside.verifier()
        note = None if outside is None else outside.note()
        if outside is not None and (verifier is None) != (note is None):
            gone = CHECKPOINT if note is None else PUBLIC_KEY
            raise Failed(f"{outside.folder} was sealed into, and its {gone} is gone: nothing can be held against it.")
        if verifier is None or note is None:
            if known:
                raise Failed("There is no checkpoint that a witness could have cosigned. Name one with --checkpoint.")
            return None
        return open_checkpoint(note, verifier, *known)
    except (BadNote, BadKey) as error:
        raise Failed(f"The checkpoint does not hold: {error}") from error
