"""Taking words out of the ledger: a steward, a reason and a legal basis; a fact that says so; and only then the emptying.

It is no command of the API: the application's own database role may not empty anything, so an operator runs it.
"""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.domain.rejected import Code, Rejected
from ledger.events import FACT_TYPES, Event, event_id
from ledger.events.redaction import FactRedacted, redaction_stream
from ledger.handlers.grounds import steward_only, well_said
from ledger.store.application import Ledger
from ledger.store.integrity import reading, redacting
from ledger.store.integrity.rows import Row
from ledger.values import Actor, MemberId, Role


class RedactionAsked(Struct, frozen=True):
    """Who asks for the words of which fact to go, why, and what gives the right to."""

    position: int
    member_id: MemberId
    reason: str
    legal_basis: str


class RedactionDone(Struct, frozen=True):
    """`redaction` is where the fact about it stands. `emptied` False: the words were gone before."""

    position: int
    redaction: int
    emptied: bool


def redact(ledger: Ledger, url: str, asked: RedactionAsked, *, command_id: UUID, at: datetime) -> RedactionDone:
    """This will record the redaction and carry it out; one that was recorded and not carried out is carried out now.

    Views keep the words until they are built again. Raises Rejected, and psycopg.errors.InsufficientPrivilege before anything is recorded.
    """
    steward_only(ledger, asked.member_id, "A redaction")
    well_said(asked.reason, asked.legal_basis)
    redacting.refuse_login(url)
    stream_id = redaction_stream(asked.position)
    if recorded := ledger.events(stream_id):
        redaction = recorded[0].position
        return RedactionDone(asked.position, redaction, redacting.carry_out(url, redaction))
    row = _target(url, asked.position)
    fact = FactRedacted(asked.position, UUID(row.stream_id), row.topic, asked.reason, asked.legal_basis, _remains(row))
    actor = Actor(asked.member_id, Role.STEWARD)
    event = Event(event_id(command_id, 0), stream_id, 1, at, actor, command_id, command_id, fact)
    request_hash = sha256(msgspec.json.encode(asked)).digest()
    receipt = ledger.append([event], command_id=command_id, request_hash=request_hash, at=at)
    return RedactionDone(asked.position, receipt.last_position, redacting.carry_out(url, receipt.last_position))


def _target(url: str, position: int) -> Row:
    with reading.reader(url) as connection:
        rows = next(reading.rows(connection, position - 1, position), [])
    if not rows:
        raise Rejected(
            Code.NOT_FOUND, f"There is no fact at position {position}. Look it up in the timeline.", "position"
        )
    (row,) = rows
    if row.topic not in FACT_TYPES or FACT_TYPES[row.topic].type is FactRedacted:
        raise Rejected(Code.WRONG_STATE, f"A {row.topic} can't be redacted: it has to stay readable.", "position")
    return row


def _remains(row: Row) -> dict[str, object]:
    found = redacting.remains(row.topic, row.payload)
    if found == msgspec.json.decode(row.payload):
        raise Rejected(
            Code.WRONG_STATE,
            f"The {row.topic} at position {row.position} has no words that could be taken out.",
            "position",
        )
    return found
