"""Files in which a replay keeps what it has read of a log, sealed by a hash."""

import os
import zipfile
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
from msgspec import Struct

from ledger.replay.history import COLUMNS
from ledger.replay.numbers import Numbers

#: Moves when the columns mean something else: an older file is then read anew from the log.
FORMAT = 4
#: The folder for the files, under the data folder.
CACHE = "replay"


class Kept(Struct, frozen=True):
    """What a file holds beside its columns."""

    ledger_id: UUID
    position: int
    #: The leaf of the last position: another log under the same id is found by it.
    leaf: bytes
    numbers: Numbers
    format: int = FORMAT


def file_of(cache: Path, ledger_id: UUID) -> Path:
    """This will say in which file of a folder a ledger is kept."""
    return cache / f"history-{ledger_id}.npz"


def forget(cache: Path) -> None:
    """This will remove the files of a folder: what is redacted must not stay in them until somebody replays again."""
    for path in [*cache.glob("history-*.npz"), *cache.glob(".history-*.npz.*")]:
        path.unlink(missing_ok=True)


def opened(path: Path) -> tuple[Kept, dict[str, Any]] | None:
    """This will read a file; None where there is none, or one that is damaged or of another format."""
    try:
        with (
            path.open("rb") as source,
            np.load(source, allow_pickle=False) as stored,
        ):  # it leaves its own open on a broken file
            columns = {name: stored[name] for name in COLUMNS}
            about, seal = stored["about"].tobytes(), stored["seal"].tobytes()
        kept = msgspec.msgpack.decode(about, type=Kept)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError):
        return None
    return (kept, columns) if kept.format == FORMAT and seal == _seal(about, columns) else None


def keep(path: Path, kept: Kept, columns: dict[str, Any]) -> None:
    """This will write a file whole or not at all."""
    about = msgspec.msgpack.encode(kept)
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as draft:
        try:
            np.savez(
                draft,
                allow_pickle=False,
                about=np.frombuffer(about, np.uint8),
                seal=np.frombuffer(_seal(about, columns), np.uint8),
                **columns,
            )
            draft.flush()
            os.replace(draft.name, path)
        except BaseException:
            os.unlink(draft.name)
            raise


def _seal(about: bytes, columns: dict[str, Any]) -> bytes:
    return sha256(about + b"".join(columns[name].tobytes() for name in COLUMNS)).digest()
