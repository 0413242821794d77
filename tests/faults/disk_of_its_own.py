"""A small file system, to be filled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class Mounted:
    """It. `fill` puts a file beside whatever is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, *, percent: float) -> None:
        """This will write until so much of it is used."""
        found = os.statvfs(self.folder)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        wanted = int(found.f_blocks * found.f_frsize * percent / 100) - used
        with self._ballast.open("wb") as file, suppress(OSError):
            while wanted > 0:
                wanted -= file.write(bytes(min(wanted, 65_536)))
                file.flush()

    def empty(self) -> None:
        """This will take the file away again."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def mounted(folder: Path, *, megabytes: int) -> Iterator[Mounted]:
    """This will have a file system in memory mounted on a folder inside the block; without the right to, it skips the test."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"a small disk can't be mounted here: {made.stderr.strip()}")
    try:
        yield Mounted(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
