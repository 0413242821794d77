"""The deciding of a line as if the ledger had nothing of its proposal: what a process that is not connected to it does."""

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import BinaryIO
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.domain.rejected import Rejected
from ledger.domain.source_fact import ImportingTeam
from ledger.importing.deciding_line import decided
from ledger.importing.form import read
from ledger.importing.lines import Line
from ledger.importing.naming import Names
from ledger.importing.placed import Placed
from ledger.importing.record import record
from ledger.values import MemberId, ProposalId

_SIZE_BYTES = 8


class Draft(Struct, frozen=True, array_like=True, gc=False):
    """A line that was decided as if it were new."""

    external_id: str
    system: str
    proposal_id: ProposalId
    first_command: UUID
    earliest: datetime
    people: list[tuple[MemberId, str]]
    rows: list[Placed]
    size_bytes: int


Drafts = Sequence[Draft | None]
Teams = Mapping[str, ImportingTeam]

encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
decode_drafts = msgspec.msgpack.Decoder(list[Draft | None]).decode
_decode_lines = msgspec.msgpack.Decoder(tuple[list[Line], dict[str, ImportingTeam], datetime]).decode
_names = lru_cache(maxsize=1_024)(Names)


def draft(line: Line, teams: Teams, until: datetime) -> Draft | None:
    """This will decide a line, None if that needs the ledger at hand: it is bad, or of a source that has no team yet.

    It is bad, too, if it tells of anything after `until`.
    """
    if line.content is None:
        return None
    try:
        form = read(line.content)
        team = teams.get(form.source.repo)
        if team is None:
            return None
        one = record(form, _names(form.source.repo), until)
        rows = decided(one, line.number, team, {}, [])
    except (Rejected, RecursionError):
        return None
    first = one.entries[0]
    return Draft(
        one.external_id,
        one.names.system,
        one.proposal_id,
        first.command_id,
        first.known,
        list(one.people.items()),
        rows,
        sum([len(row.rendered) for row in rows]),
    )


def send(file: BinaryIO, message: bytes) -> None:
    """This will write a message. Raises OSError if the other side is gone."""
    file.write(len(message).to_bytes(_SIZE_BYTES))
    file.write(message)
    file.flush()


def receive(file: BinaryIO) -> bytes:
    """This will read a message. Raises EOFError if there is no more."""
    size = file.read(_SIZE_BYTES)
    message = file.read(int.from_bytes(size))
    if len(size) < _SIZE_BYTES or len(message) < int.from_bytes(size):
        raise EOFError
    return message


def run() -> None:
    """This will draft the lines that come in, until there are no more, after a first message that says that it is ready.

    It is told the numbers of its sockets, and drafts for each in a process of its own: the others are copies of the first, so that what
    all of them need is loaded once.
    """
    gc.disable()
    sockets = list(map(int, sys.argv[1:]))
    mine = sockets[0]
    for other in sockets[1:]:
        if os.fork() == 0:
            mine = other
            break
    for other in sockets:
        if other != mine:
            os.close(other)
    with suppress(EOFError, OSError), open(mine, "rb") as lines_in, open(mine, "wb", closefd=False) as drafts_out:
        send(drafts_out, b"")
        while True:
            lines, teams, until = _decode_lines(receive(lines_in))
            send(drafts_out, encode([draft(line, teams, until) for line in lines]))
    with suppress(ChildProcessError):
        while True:
            os.wait()
