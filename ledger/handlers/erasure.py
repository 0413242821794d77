"""Removing a person from the directory: a steward, a reason and a legal basis, and a fact that says so before the name goes.

It is no command of the API: an operator runs it, as a redaction.
"""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.domain.rejected import Code, Rejected
from ledger.events import Event, event_id
from ledger.events.member import MemberErased
from ledger.handlers.grounds import steward_only, well_said
from ledger.store.application import Ledger
from ledger.values import SYSTEM, Actor, MemberId, Role


class ErasureAsked(Struct, frozen=True):
    """Who asks for whose name to go, why, and what gives the right to."""

    member_id: MemberId
    by: MemberId
    reason: str
    legal_basis: str


def record_erasure(ledger: Ledger, asked: ErasureAsked, *, command_id: UUID, at: datetime) -> int:
    """This will record that a member is erased and give the position; of one that was erased before, the first one's.

    The caller then empties the directory, again too, so that one that was broken off is finished. Raises Rejected.
    """
    steward_only(ledger, asked.by, "An erasure")
    well_said(asked.reason, asked.legal_basis)
    if asked.member_id == SYSTEM:
        raise Rejected(Code.WRONG_STATE, "The ledger's operator is nobody's name, and can't be erased.", "member_id")
    if recorded := ledger.events(asked.member_id):
        return recorded[0].position
    fact = MemberErased(asked.member_id, asked.reason, asked.legal_basis)
    actor = Actor(asked.by, Role.STEWARD)
    event = Event(event_id(command_id, 0), asked.member_id, 1, at, actor, command_id, command_id, fact)
    request_hash = sha256(msgspec.json.encode(asked)).digest()
    return ledger.append([event], command_id=command_id, request_hash=request_hash, at=at).last_position
