"""Where commands wait until all of a file is decided: sorted runs in a file without a name, merged in the order of knowing.

Memory holds one run at most, and a page of each run while they are merged. A command is kept as it will be sent: its facts are encoded
once, when they are decided.
"""

import os
from collections.abc import Iterable, Iterator
from heapq import merge
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import msgspec

from ledger.importing.placed import Placed

#: Bytes of commands that are sorted at once, and that are read of each run at once.
RUN_BYTES = 64 * 1024 * 1024
PAGE_BYTES = 256 * 1024
#: Most commands, and bytes of them, that are given at once.
ORDERED_ROWS = 1_024
ORDERED_BYTES = 4 * 1024 * 1024


_encode_page = msgspec.msgpack.Encoder().encode
_decode_page = msgspec.msgpack.Decoder(list[Placed]).decode
_SIZE_BYTES = 8


class Runs:
    """The commands of one file, in any order at first."""

    def __init__(self) -> None:
        self._file = TemporaryFile(buffering=0)  # noqa: SIM115  # closed with this
        self._runs: list[tuple[int, int]] = []
        self._rows: list[Placed] = []
        self._size_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def clear(self) -> None:
        """This will make room for another file."""
        self._rows.clear()
        self._runs.clear()
        self._size_bytes = 0
        self._file.truncate(0)
        self._file.seek(0)

    def add(self, rows: Iterable[Placed], size_bytes: int) -> None:
        """This will keep rows of so many bytes. Raises OSError if the disk is full."""
        self._rows += rows
        self._size_bytes += size_bytes
        if self._size_bytes >= RUN_BYTES:
            self._end_run()

    def ordered(self) -> Iterator[list[Placed]]:
        """This will give all that wait, in the order of knowing, page by page; nothing may be added then."""
        self._rows.sort()
        return _pages(merge(*[self._read(*run) for run in self._runs], self._rows), ORDERED_ROWS, ORDERED_BYTES)

    def _end_run(self) -> None:
        self._rows.sort()
        start = self._file.tell()
        for page in _pages(self._rows, ORDERED_ROWS, PAGE_BYTES):
            encoded = _encode_page(page)
            self._write(len(encoded).to_bytes(_SIZE_BYTES) + encoded)
        self._runs.append((start, self._file.tell()))
        self._rows.clear()
        self._size_bytes = 0

    def _write(self, found: bytes) -> None:
        rest = memoryview(found)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]

    def _read(self, start: int, end: int) -> Iterator[Placed]:
        file = self._file.fileno()
        while start < end:
            size = int.from_bytes(os.pread(file, _SIZE_BYTES, start))
            start += _SIZE_BYTES
            yield from _decode_page(os.pread(file, size, start))
            start += size


def _pages(rows: Iterable[Placed], most: int, bytes_most: int) -> Iterator[list[Placed]]:
    page: list[Placed] = []
    size_bytes = 0
    for row in rows:
        page.append(row)
        size_bytes += len(row.rendered)
        if size_bytes >= bytes_most or len(page) == most:
            yield page
            page, size_bytes = [], 0
    if page:
        yield page
