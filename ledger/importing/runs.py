"""Where commands wait until nothing can come before them any more: in memory, and beyond that in sorted runs in a file without a name.

Memory holds one run at most, and a page of each run in the file. A command is kept as it will be sent: its facts are encoded once,
when they are decided.
"""

import os
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import chain
from operator import attrgetter
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
_known = attrgetter("known")


class Runs:
    """The commands of one file: they are added in any order, but never before what was given already."""

    def __init__(self) -> None:
        self._file = TemporaryFile(buffering=0)  # noqa: SIM115  # closed with this
        self._runs: list[_Run] = []
        self._rows: list[Placed] = []
        self._size_bytes = 0
        #: What is next to be given, and too little for a page; and the time before which nothing is added any more.
        self._next: list[Placed] = []
        self._before: int | None = None

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
        self._next.clear()
        self._before = None
        self._size_bytes = 0
        self._file.truncate(0)
        self._file.seek(0)

    def add(self, rows: Iterable[Placed], size_bytes: int) -> None:
        """This will keep rows of so many bytes. Raises OSError if the disk is full."""
        self._rows += rows
        self._size_bytes += size_bytes
        if self._size_bytes >= RUN_BYTES:
            self._end_run()

    def before(self, known: int | None) -> Iterator[list[Placed]]:
        """This will give in the order of knowing, in whole pages, what was known before a time; None: all that is left.

        The time is in microseconds since the Unix epoch, never before an earlier call's; nothing may be added before it any more.
        """
        self._sort()
        self._before = known
        end = len(self._rows) if known is None else bisect_left(self._rows, known, key=_known)
        ready, self._rows = self._rows[:end], self._rows[end:]
        self._size_bytes -= sum([len(row.rendered) for row in ready])
        self._runs = [run for run in self._runs if run.is_left()]
        found = merge(*[run.before(known) for run in self._runs], ready) if self._runs else ready
        pages = _pages(chain(self._next, found), ORDERED_ROWS, ORDERED_BYTES)
        self._next = []
        for page in pages:
            if (
                known is not None
                and len(page) < ORDERED_ROWS
                and sum([len(row.rendered) for row in page]) < ORDERED_BYTES
            ):
                self._next = page
            else:
                yield page

    def _sort(self) -> None:
        self._rows.sort()
        if self._before is not None and self._rows and self._rows[0].known < self._before:
            raise RuntimeError(f"line {self._rows[0].line} tells of something from before it begins")

    def _end_run(self) -> None:
        self._sort()
        start = self._file.seek(0, os.SEEK_END)
        for page in _pages(self._rows, ORDERED_ROWS, PAGE_BYTES):
            encoded = _encode_page(page)
            self._write(len(encoded).to_bytes(_SIZE_BYTES) + encoded)
        self._runs.append(_Run(self._file.fileno(), start, self._file.tell()))
        self._rows.clear()
        self._size_bytes = 0

    def _write(self, found: bytes) -> None:
        rest = memoryview(found)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]


class _Run:
    """What of a run is left."""

    def __init__(self, file: int, start: int, end: int) -> None:
        self._file = file
        self._start = start
        self._end = end
        self._page: deque[Placed] = deque()

    def is_left(self) -> bool:
        """This will say whether there is anything left of it."""
        return bool(self._page) or self._start < self._end

    def before(self, known: int | None) -> Iterator[Placed]:
        """This will take what was known before a time; None: all."""
        while self.is_left():
            if not self._page:
                self._read()
            if known is not None and self._page[0].known >= known:
                return
            yield self._page.popleft()

    def _read(self) -> None:
        size = int.from_bytes(os.pread(self._file, _SIZE_BYTES, self._start))
        self._start += _SIZE_BYTES
        self._page += _decode_page(os.pread(self._file, size, self._start))
        self._start += size


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
