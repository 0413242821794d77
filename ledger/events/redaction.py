"""What can be taken out of the ledger: words, never facts. The stream is made of the position whose words are gone."""

from typing import Any
from uuid import UUID

from msgspec import Struct

from ledger.events.registry import exogenous, fact

#: What stands in place of each text that was taken out.
REDACTED = "Redacted"


@fact("FactRedacted", exogenous)
class FactRedacted(Struct, frozen=True):
    """The words of an earlier fact were taken out, for a reason and on a legal basis. Its place, time and proof stay as they were."""

    #: Where the redacted fact stands.
    position: int
    #: Its own stream and topic.
    stream_id: UUID
    topic: str
    reason: str
    #: The law, contract or order that asks for it.
    legal_basis: str
    #: What the fact reads as from now on: its body, with `Redacted` in place of each text.
    remains: dict[str, Any]


def redaction_stream(position: int) -> UUID:
    """This will name the stream of the redactions of the fact at a position; the database makes the same id by itself."""
    return UUID(int=position | 0x8 << 76 | 0x8 << 60)
