"""What can be asked about a member beyond teams."""

from typing import Annotated

from msgspec import Meta, Struct

from ledger.commands.issued import Line, Text
from ledger.values import MemberId


class EraseMember(Struct, frozen=True):
    """Remove a member's name, address and identities for good, and end their tokens. What they did stays, by their id."""

    member_id: Annotated[MemberId, Meta(description="Who is to be forgotten.")]
    reason: Annotated[Text, Meta(description="Why, without the name: it is recorded for good. At least 10 characters.")]
    legal_basis: Annotated[
        Line, Meta(description="The law, contract or order that asks for it; recorded too. At least 10 characters.")
    ]
