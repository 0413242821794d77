"""Lines of a file within bounds: a line that is too long is passed over, never held in memory."""

import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

LINE_BYTES_MAX = 4 * 1024 * 1024
#: What some programs set before UTF-8; it is passed over.
MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line; None: it is longer than LINE_BYTES_MAX. `number` counts from 1, `start` and `size` are its bytes in the file."""

    number: int
    start: int
    size: int
    content: bytes | None


def lines(file: BinaryIO) -> Iterator[Line]:
    """This will read a file from its beginning, line by line, leaving out empty ones."""
    number, end = 0, len(MARK) if file.read(len(MARK)) == MARK else 0
    file.seek(end)
    while content := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        start, end = end, end + len(content)
        if _is_too_long(content):
            while more := file.readline(LINE_BYTES_MAX):
                end += len(more)
                if more.endswith(b"\n"):
                    break
            yield Line(number, start, end - start, None)
        elif not content.isspace():
            yield Line(number, start, end - start, content)


def again(file: int, number: int, start: int, size: int) -> Line:
    """This will read a line once more, wherever the file of this descriptor is at."""
    if size <= LINE_BYTES_MAX:
        return Line(number, start, size, os.pread(file, size, start))
    content = os.pread(file, LINE_BYTES_MAX + 1, start)
    return Line(number, start, size, None if _is_too_long(content) else content)


def _is_too_long(content: bytes) -> bool:
    return len(content) > LINE_BYTES_MAX and not content.endswith(b"\n")
