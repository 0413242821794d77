"""A command with who issued it, when, and under which id."""

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from ledger.values import MemberId, instant_text, named

C_co = TypeVar("C_co", bound=Struct, covariant=True)


class Issued(Struct, Generic[C_co], frozen=True):
    """One request. `at` is the time of the request, and of what it reports unless `occurred_at` says an earlier one.

    `expected_version` is the version of the stream that the issuer had seen; None: any will do.
    """

    command: C_co
    command_id: UUID
    member_id: MemberId
    at: datetime
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    occurred_at: datetime | None = None
    expected_version: int | None = None


def request_hash(issued: Issued[Struct]) -> bytes:
    """This will give the SHA-256 of what was asked, by whom, and of when it was true if that was said; a repetition may come later."""
    body = msgspec.json.encode(issued.command, order="deterministic")
    parts = [type(issued.command).__name__.encode(), issued.member_id.bytes, body]
    if issued.occurred_at is not None:
        parts.append(instant_text(issued.occurred_at).encode())
    return sha256(b"\0".join(parts)).digest()


def derived_id(command_id: UUID, what: str) -> UUID:
    """This will name a thing that a command brings into being: the same command always gives the same id."""
    return named(command_id.bytes, what)


#: Characters that show nothing though they are no blanks, such as the zero-width space: for a pattern's brackets.
UNSEEN = r"\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
#: A text says something only where a reader sees something.
SEEN = rf"[^\s{UNSEEN}]"

# Bounds that many commands share.
Title = Annotated[str, Meta(min_length=1, max_length=120, pattern=SEEN)]
Line = Annotated[str, Meta(min_length=1, max_length=500)]
Text = Annotated[str, Meta(min_length=1, max_length=4000)]
Link = Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"^(https?|urn|mailto):")]
Share = Annotated[float, Meta(ge=0, le=1)]
