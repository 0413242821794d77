"""A file that is there as a whole, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyThere(Exception):  # noqa: N818 - named for what it is
    """A file of that name is there, and is not overwritten."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """This will give a name to write to, which becomes `path` once the block has ended; if it is broken off, nothing is left.

    What was written is on the disk before it has its name. Raises AlreadyThere.
    """
    if path.exists():
        raise AlreadyThere(f"{path} is there already. Choose another name, or remove it first.")
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
