"""Lines of a file within bounds: a line that is too long is passed over, never held in memory."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

LINE_BYTES_MAX = 4 * 1024 * 1024


class Line(NamedTuple):
    """One line without its end; None: it is longer than LINE_BYTES_MAX. `number` counts from 1, `end` is the place after it in the file."""

    number: int
    content: bytes | None
    end: int


def lines(file: BinaryIO) -> Iterator[Line]:
    """This will read a file line by line, leaving out empty ones."""
    number = end = 0
    while content := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        end += len(content)
        if len(content) > LINE_BYTES_MAX and not content.endswith(b"\n"):
            while more := file.readline(LINE_BYTES_MAX):
                end += len(more)
                if more.endswith(b"\n"):
                    break
            yield Line(number, None, end)
        elif not content.isspace():
            yield Line(number, content, end)
