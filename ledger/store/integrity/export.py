"""The facts as JSON Lines, one a line, with the exact stored bytes, so that they prove as much as the ledger itself.

    {"position":1,"recorded_at":"…Z","meta":{…},"payload":{…},"salt":"hex","leaf":"hex","request_hash":"hex"}

`meta` and `payload` stand in the line byte for byte as they are stored: SHA-256 over a zero byte, position and time (8 bytes each,
big-endian, the time in microseconds since 1970) and the bytes of `meta` is `leaf`, and `meta.payload_sha256` is SHA-256 over salt and the
bytes of `payload`. A redacted fact has the payload null, and no salt. `request_hash` is there for the first fact of each command.

An export of a part (of one team, of a period) says so in a first line of its own, `{"partial":{…}}`. Its facts are as exact as those of
a whole one, but nothing can be said of what is not there: it is neither verified nor imported as if it were the ledger.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import BinaryIO
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from ledger.store.connections import Connection
from ledger.store.integrity import reading
from ledger.store.integrity.checking import UNREADABLE, Fault, Joined, Kind, checked
from ledger.store.integrity.checkpoint import Checkpoint
from ledger.store.integrity.rows import Page, Row
from ledger.store.integrity.verifying import STRETCH, Progress, Verified, against, verified

_WITH_HASH = (
    "SELECT first_position, request_hash FROM ledger.commands WHERE command_id = ANY(%s::uuid[])"
    " AND first_position > %s AND first_position <= %s"
)


class Line(Struct, frozen=True, omit_defaults=True):
    """One fact. The order of fields is the order of bytes."""

    position: int
    recorded_at: datetime
    meta: Raw
    payload: Raw
    salt: str = ""
    leaf: str = ""
    request_hash: str | None = None


class Part(Struct, frozen=True, omit_defaults=True):
    """What a part of a ledger says of itself. `since` is inclusive and `until` is not; both are about when the facts were true."""

    ledger_id: str
    #: The last position of the ledger that was looked at.
    head: int
    team_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


class _Partial(Struct, frozen=True):
    partial: Part


class Command(Struct, frozen=True, gc=False):
    """What the meta says that the columns hold."""

    stream_id: str
    version: int
    topic: str
    occurred_at: datetime
    command_id: str


class Exported(Struct, frozen=True):
    """What an export holds. `root` is that of the whole ledger of `head` facts, whether or not all of them were written."""

    facts: int
    head: int
    root: bytes
    seconds: float


class Unfit(Exception):  # noqa: N818 - named for what it is
    """A fact that does not hold, and so proves nothing; `fault` names it."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


_NONE = b"null"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode
_claims = msgspec.json.Decoder(Command).decode
_part = msgspec.json.Decoder(_Partial).decode
#: How the first line of a part begins.
_PARTIAL = b'{"partial":'

#: Turns a fact, with its command's request hash where it is the command's first, into a line without its end.
Writer = Callable[[Row, bytes | None], bytes]


def export(
    connection: Connection,
    out: BinaryIO,
    progress: Progress = lambda _done, _total: None,
    *,
    keeps: Callable[[Row], bool] | None = None,
    write: Writer | None = None,
) -> Exported:
    """This will write the ledger, as it was when it began, and check each fact before it is written.

    `keeps` sifts what is written, not what is checked. `write` makes the lines; left out: those that are described above. Raises Unfit at
    the first fact that does not hold, with nothing of its page written.
    """
    started, written = perf_counter(), 0
    write = write or line
    head = reading.head(connection)
    joined = Joined()
    for page in reading.pages(connection, 0, head):
        if joined.add(checked(joined.next, [page])):
            break
        hashes, rows = _hashes(connection, page), page.rows()
        kept = rows if keeps is None else [row for row in rows if keeps(row)]
        out.write(b"".join([write(row, hashes.get(row.position)) + b"\n" for row in kept]))
        written += len(kept)
        progress(joined.next - 1, head)
    if joined.fault is None and joined.next <= head:
        joined.fault = Fault(Kind.MISSING, joined.next, "the fact is missing")
    if joined.fault is not None:
        raise Unfit(joined.fault)
    return Exported(written, head, joined.frontier.root(), perf_counter() - started)


def first_line(part: Part) -> bytes:
    """This will give the line, with its end, that an export of a part begins with."""
    return _encode(_Partial(part)) + b"\n"


def line(row: Row, request_hash: bytes | None) -> bytes:
    """This will give a fact's line, without its end."""
    payload = Raw(row.payload or _NONE)
    hash_ = None if request_hash is None else request_hash.hex()
    return _encode(Line(row.position, row.recorded_at, Raw(row.meta), payload, row.salt.hex(), row.leaf.hex(), hash_))


def pages(file: BinaryIO, size: int = reading.PAGE) -> Iterator[list[tuple[Row, bytes | None]]]:
    """This will read an export: facts with their command's request hash, page by page. Raises Unfit for a line that is none."""
    page: list[tuple[Row, bytes | None]] = []
    for number, text in enumerate(file, start=1):
        if text.startswith(_PARTIAL):
            raise Unfit(Fault(Kind.META, 0, _partly(text)))
        try:
            page.append(_row(text))
        except (*UNREADABLE, ValueError) as error:
            yield page
            raise Unfit(Fault(Kind.META, 0, f"line {number} of the export can't be read: {error}")) from error
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


def verify_export(
    path: Path,
    *,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Verified:
    """This will check an export as `verify` checks a ledger, with nothing but itself and a checkpoint. Progress is in bytes."""
    started = perf_counter()
    joined = Joined()
    total = path.stat().st_size
    mark = checkpoint.size if checkpoint else 0
    fault: Fault | None = None
    with path.open("rb") as file:
        try:
            for page in pages(file, STRETCH):
                rows = [row for row, _ in page]
                fault = joined.add(checked(joined.next, [Page.of(rows)], mark))
                if fault is not None:
                    break
                progress(file.tell(), total)
        except Unfit as unfit:
            fault = unfit.fault
    fault = fault or joined.finish() or against(joined, checkpoint)
    return verified(joined, fault, checkpoint, started)


def _row(text: bytes) -> tuple[Row, bytes | None]:
    found = _decode(text)
    meta = bytes(found.meta)
    said = _claims(meta)
    payload = bytes(found.payload)
    if found.recorded_at.tzinfo is None:
        raise ValueError("recorded_at has no zone")
    row = Row(
        found.position,
        found.recorded_at,
        said.stream_id,
        said.version,
        said.topic,
        said.occurred_at,
        said.command_id,
        bytes.fromhex(found.salt),
        meta,
        b"" if payload == _NONE else payload,
        bytes.fromhex(found.leaf),
    )
    return row, None if found.request_hash is None else bytes.fromhex(found.request_hash)


def _partly(text: bytes) -> str:
    try:
        part = _part(text).partial
    except msgspec.DecodeError:
        return "the export says of itself that it is a part, and not of what"
    of = [f"of team {part.team_id}"] if part.team_id else []
    of += [f"from {part.since:%Y-%m-%d %H:%M}Z on"] if part.since else []
    of += [f"up to before {part.until:%Y-%m-%d %H:%M}Z"] if part.until else []
    return (
        f"this is a part of ledger {part.ledger_id} at position {part.head}: {', '.join(of)}. "
        "A part can't show that nothing is missing; export all facts"
    )


def _hashes(connection: Connection, page: Page) -> dict[int, bytes]:
    ids = list(dict.fromkeys(page.command_id))
    with connection.cursor(binary=True) as cursor:
        found = cursor.execute(_WITH_HASH, [ids, page.position[0] - 1, page.position[-1]]).fetchall()
    return dict(found)
