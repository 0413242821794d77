"""What can be asked of the reason catalogue."""

from typing import Annotated

from msgspec import Meta, Struct

from ledger.commands.issued import SEEN, Line

Code = Annotated[
    str, Meta(pattern=r"^[A-Z][A-Z0-9_]{2,39}$", description="Capitals, digits and underscores; never renamed.")
]


class AddReasonCode(Struct, frozen=True, omit_defaults=True):
    """Let a NO give a new reason."""

    code: Code
    meaning: Annotated[Line, Meta(pattern=SEEN, description="When to use it.")]
    companion: Annotated[Line | None, Meta(description="What it asks for besides its text.")] = None


class RetireReasonCode(Struct, frozen=True):
    """Let no new NO give this reason."""

    code: Code
    reason: Annotated[Line, Meta(pattern=SEEN, description="Why, and what to use instead.")]
