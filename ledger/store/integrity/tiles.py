"""The tree as static files, as C2SP lays them out (c2sp.org/tlog-tiles): tiles of 256 hashes, and bundles of 256 entries.

    tile/<level>/<number>[.p/<width>]     hashes of level 8 × <level>, 32 bytes each
    tile/entries/<number>[.p/<width>]     envelopes, each after its length in two bytes

A full one never changes; one of fewer than 256 says its width, and goes once the full one is there.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from ledger.store.integrity.tree import HASH_BYTES, parents, top

#: Hashes in a full tile, and the levels of the tree that one tile spans.
WIDTH = 256
HEIGHT = 8
ENTRY_BYTES_MAX = 2**16 - 1

#: The path and the bytes of the file with this number and these hashes or entries.
Named = Callable[[int, Sequence[bytes]], tuple[str, bytes]]

_LENGTH_BYTES = 2
_GROUP = 1000


class EntryTooLong(ValueError):  # noqa: N818 - named for what it is
    """An envelope does not fit into a bundle."""


def number_path(number: int) -> str:
    """This will write a tile's number in groups of three digits, all but the last after an x: 1234067 is x001/x234/067."""
    path = f"{number % _GROUP:03}"
    while number := number // _GROUP:
        path = f"x{number % _GROUP:03}/{path}"
    return path


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """This will give the path of a tile of so many hashes."""
    return f"tile/{level}/{number_path(number)}{_partial(width)}"


def entries_path(number: int, width: int = WIDTH) -> str:
    """This will give the path of a bundle of so many entries."""
    return f"tile/entries/{number_path(number)}{_partial(width)}"


def bundle(entries: Sequence[bytes]) -> bytes:
    """This will put entries together. Raises EntryTooLong for one that has more bytes than its length can say."""
    parts = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise EntryTooLong(f"an envelope of {len(entry)} bytes; a bundle takes at most {ENTRY_BYTES_MAX}")
        parts += [len(entry).to_bytes(_LENGTH_BYTES), entry]
    return b"".join(parts)


def unbundled(data: bytes) -> list[bytes]:
    """This will take a bundle apart. Raises ValueError for one that was cut off."""
    found, at = [], 0
    while at < len(data):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start])
        if at > len(data):
            raise ValueError("the bundle was cut off")
        found.append(data[start:at])
    return found


class Tiles:
    """A folder of tiles. It grows by whole leaves; what it was grown to is whoever writes the checkpoint's to remember."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def hashes(self, level: int, number: int, width: int) -> list[bytes]:
        """This will read the first `width` hashes of a tile, from it or a wider one. Raises FileNotFoundError, ValueError."""
        data = self._read([tile_path(level, number, wide) for wide in range(width, WIDTH + 1)])
        if len(data) < width * HASH_BYTES:
            raise ValueError(f"{tile_path(level, number)} has fewer hashes than it says")
        return [data[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES)]

    def entries(self, number: int, width: int) -> list[bytes]:
        """This will read the first `width` entries of a bundle. Raises FileNotFoundError, ValueError."""
        found = unbundled(self._read([entries_path(number, wide) for wide in range(width, WIDTH + 1)]))
        if len(found) < width:
            raise ValueError(f"{entries_path(number)} has fewer entries than it says")
        return found[:width]

    def leaves(self, start: int, end: int) -> list[bytes]:
        """This will read the leaves from index `start` up to before `end`."""
        found: list[bytes] = []
        for number in range(start // WIDTH, -(-end // WIDTH)):
            first = number * WIDTH
            found += self.hashes(0, number, min(WIDTH, end - first))[max(0, start - first) :]
        return found

    def ahead(self, size: int) -> list[bytes]:
        """This will read the leaves that are kept after the first `size`."""
        found: list[bytes] = []
        while True:
            number, before = divmod(size + len(found), WIDTH)
            for width in range(WIDTH, before, -1):
                if (self._folder / tile_path(0, number, width)).is_file():
                    found += self.hashes(0, number, width)[before:]
                    break
            else:
                return found
            if width < WIDTH:
                return found

    def node(self, level: int, index: int) -> bytes:
        """This will give the hash of a complete node: as it is kept, or from the at most 128 below it in the same tile."""
        tile, above = divmod(level, HEIGHT)
        first = (index << above) % WIDTH
        row = self.hashes(tile, (index << above) // WIDTH, first + (1 << above))[first:]
        while len(row) > 1:
            row = parents(row)
        return row[0]

    def grow(self, size: int, leaves: Sequence[bytes], entries: Sequence[bytes]) -> None:
        """This will add leaves with their entries to the first `size`; each file is on disk, whole, when it has its name."""
        last = size % WIDTH
        kept = self.entries(size // WIDTH, last) if last else []
        self._write(size // WIDTH, [*kept, *entries], lambda number, row: (entries_path(number, len(row)), bundle(row)))
        row, level = list(leaves), 0
        while row or level == 0:
            last = size % WIDTH
            before = self.hashes(level, size // WIDTH, last) if last else []
            row = [*before, *row]
            self._write(
                size // WIDTH,
                row,
                lambda number, part, level=level: (tile_path(level, number, len(part)), b"".join(part)),  # type: ignore[misc]
            )
            row = [top(row[at : at + WIDTH]) for at in range(0, len(row) - WIDTH + 1, WIDTH)]
            size, level = size // WIDTH, level + 1

    def _write(self, number: int, row: Sequence[bytes], named: Named) -> None:
        for at in range(0, len(row), WIDTH):
            path, data = named(number + at // WIDTH, row[at : at + WIDTH])
            whole = self._folder / path
            if whole.is_file() and whole.read_bytes() == data:
                continue
            write(whole, data)
            if len(row) - at >= WIDTH:
                with suppress(FileNotFoundError):
                    shutil.rmtree(f"{whole}.p")

    def _read(self, paths: Sequence[str]) -> bytes:
        # As wide as wanted, most likely, or full by now; between the two only for a moment.
        for path in (paths[0], paths[-1], *paths[1:-1]):
            with suppress(FileNotFoundError, NotADirectoryError):
                return (self._folder / path).read_bytes()
        raise FileNotFoundError(f"{paths[0]} is not kept in {self._folder}")


def write(path: Path, data: bytes) -> None:
    """This will write a file so that whoever opens it, now or after a crash, finds all of it or what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _partial(width: int) -> str:
    if not 0 < width <= WIDTH:
        raise ValueError(f"a tile is 1 to {WIDTH} wide, not {width}")
    return "" if width == WIDTH else f".p/{width}"
