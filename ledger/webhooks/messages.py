"""What is told: the types of message, and the message of a fact or of a time that has come.

A message says what happened and to which decision, and no more: whoever gets it asks the API for the rest with rights of its own, so that
nothing is told that a redaction could not take back.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from projections.audit.decisions import Notice
from projections.audit.facts import LedgerEvent
from projections.audit.returning import Revisit


class MessageType(StrEnum):
    """What an endpoint can be told of."""

    DECISION_TAKEN = "decision.taken"
    DECISION_UNTOLD = "decision.untold"
    REVISIT_DUE = "revisit.due"
    APPEAL_LODGED = "appeal.lodged"
    APPEAL_UPHELD = "appeal.upheld"
    APPEAL_DISMISSED = "appeal.dismissed"


#: The facts that are told, and which of their fields a message repeats.
OF_FACTS: dict[str, tuple[MessageType, tuple[str, ...]]] = {
    "DecisionTaken": (MessageType.DECISION_TAKEN, ("decision_id", "verdict", "disposition", "review_id")),
    "AppealLodged": (MessageType.APPEAL_LODGED, ("appeal_id", "decision_id", "grounds")),
    "AppealUpheld": (MessageType.APPEAL_UPHELD, ("appeal_id",)),
    "AppealDismissed": (MessageType.APPEAL_DISMISSED, ("appeal_id",)),
}


class Message(Struct, frozen=True):
    """One message: its id is the same whenever it is sent again, so that a receiver can tell."""

    message_id: str
    type: MessageType
    body: bytes
    #: The position of its fact; None: time brought it about.
    position: int | None = None


def of_fact(ledger_id: UUID, event: LedgerEvent) -> Message | None:
    """This will make the message of a fact; None: nobody is told of it. What a source decided elsewhere was told there."""
    found = OF_FACTS.get(event.kind)
    if found is None or event.source is not None:
        return None
    kind, fields = found
    data = {field: event.body[field] for field in fields if event.body.get(field) is not None}
    if reasons := event.body.get("reasons"):
        data["reason_codes"] = [reason["code"] for reason in reasons]
    data |= {"proposal_id": event.stream_id, "team_id": event.team_id, "position": str(event.position)}
    # Not the position alone: where an older state was put back, another fact may come to stand there, and would pass for this one.
    message_id = f"{ledger_id.hex[:12]}-{event.position}-{event.command_id.hex}"
    return Message(message_id, kind, _body(kind, event.recorded_at, data), event.position)


def of_untold(ledger_id: UUID, notice: Notice) -> Message:
    """This will make the message of a decision that should have been told by now and was not."""
    decision = notice.decision
    assert decision.tell_by is not None  # noqa: S101 - it is what makes it overdue
    data = {
        "proposal_id": decision.proposal_id,
        "team_id": decision.team_id,
        "decision_id": decision.decision_id,
        "decided_at": decision.decided_at,
        "tell_by": decision.tell_by,
        "position": str(decision.position),
    }
    kind = MessageType.DECISION_UNTOLD
    return Message(f"{ledger_id.hex[:12]}-untold-{decision.decision_id}", kind, _body(kind, decision.tell_by, data))


def of_revisit(ledger_id: UUID, revisit: Revisit, now: datetime) -> Message:
    """This will make the message of a NO that one of its own conditions brings back."""
    decision = revisit.decision
    holding = [standing.condition for standing in revisit.conditions if standing.holds]
    data = {
        "proposal_id": decision.proposal_id,
        "team_id": decision.team_id,
        "decision_id": decision.decision_id,
        "conditions": [condition.kind for condition in holding],
        "position": str(decision.position),
    }
    kind = MessageType.REVISIT_DUE
    return Message(f"{ledger_id.hex[:12]}-revisit-{decision.decision_id}", kind, _body(kind, now, data))


def _body(kind: MessageType, at: datetime, data: dict[str, Any]) -> bytes:
    shown = {_camel(name): value for name, value in data.items()}
    return msgspec.json.encode({"type": kind, "timestamp": at, "data": shown})


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
