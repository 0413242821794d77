"""The order in which the lines of a file are decided: as what they tell of begins.

Then most of what was decided can have nothing before it any more, and is recorded while the rest is decided. The file is gone through
once before, for dates and ids alone. A line begins on the day before its first date, which may be of another time zone.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import BinaryIO, NamedTuple

import msgspec
from msgspec import Struct

from ledger.importing.lines import Line, again, lines
from ledger.importing.staging import Outline, Staging

#: Lines and bytes that are looked up and decided together.
CHUNK_LINES = 250
CHUNK_BYTES = 8 * 1024 * 1024
OUTLINES_NOTED = 2_000

#: Before all that can be told, in microseconds since the Unix epoch.
EARLIEST = -(1 << 62)
_DAY_US = 86_400_000_000
_EPOCH_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_DATE_CHARACTERS = 10


class Chunk(NamedTuple):
    """Lines that are decided together."""

    lines: list[Line]
    #: No line that comes later tells of anything before that, in microseconds since the Unix epoch; None: none comes later.
    next_begins: int | None
    #: Another line of the file may have the id of one of them.
    is_repeated: bool


class _DatesForm(Struct, gc=False):
    at: str | None = None
    recorded_at: str | None = None
    not_after: str | None = None
    known_by: str | None = None


class _OriginForm(Struct, gc=False):
    repo: str


class _OutlineForm(Struct, gc=False):
    """As much of a line as says where it stands: all that `ledger.importing.form` lets through is let through here."""

    id: str
    source: _OriginForm
    facts: list[_DatesForm]


_decode = msgspec.json.Decoder(_OutlineForm).decode


def as_they_begin(file: BinaryIO, staging: Staging) -> Iterator[Chunk]:
    """This will give a file's lines as what they tell of begins; before them, in their own order, those that may repeat an id."""
    outlines: list[Outline] = []
    for line in lines(file):
        outlines.append(_outline(line))
        if len(outlines) == OUTLINES_NOTED:
            staging.note(outlines)
            outlines.clear()
    staging.note(outlines)
    return _chunks(
        (again(file.fileno(), one.number, one.start, one.size), one.begins, repeats) for one, repeats in staging.noted()
    )


def as_they_stand(file: BinaryIO) -> Iterator[Chunk]:
    """This will give a file's lines in their own order, without a look at their dates."""
    return _chunks((line, EARLIEST, True) for line in lines(file))


def _chunks(found: Iterable[tuple[Line, int, bool]]) -> Iterator[Chunk]:
    chunk: list[Line] = []
    size, is_repeated = 0, False
    for line, begins, repeats in found:
        if len(chunk) >= CHUNK_LINES or size >= CHUNK_BYTES:
            yield Chunk(chunk, begins, is_repeated)
            chunk, size, is_repeated = [], 0, False
        chunk.append(line)
        size += len(line.content or b"")
        is_repeated |= repeats
    if chunk:
        yield Chunk(chunk, None, is_repeated)


def _outline(line: Line) -> Outline:
    """This will say where a line stands; one that can't be read comes first, and is found to be bad there."""
    try:
        form = _decode(line.content or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Outline(line.number, line.start, line.size, EARLIEST, line.number)
    # Two ids with one hash only have their lines decided too early.
    return Outline(line.number, line.start, line.size, _begins(form), hash((form.source.repo, form.id)))


def _begins(form: _OutlineForm) -> int:
    dates = []
    for fact in form.facts:  # the dates by which `ledger.importing.places` finds when a fact was known
        if fact.at is not None:
            dates.append(fact.at)
        if fact.recorded_at is not None:
            dates.append(fact.recorded_at)
        if fact.not_after is not None:
            dates.append(fact.not_after)
        elif fact.known_by is not None:
            dates.append(fact.known_by)
    try:
        first = date.fromisoformat(min(dates)[:_DATE_CHARACTERS])
    except ValueError:
        return EARLIEST
    return (first.toordinal() - 1 - _EPOCH_DAY) * _DAY_US
