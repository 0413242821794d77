"""What every mutation answers: why it was refused, or where it was recorded."""

import re
from datetime import datetime
from uuid import UUID

import strawberry
from strawberry.utils.str_converters import to_camel_case

from ledger.api.scalars import Position
from ledger.domain.rejected import Code, Rejected

#: The request's own fields and those of the command are side by side in the input.
_QUOTED = re.compile(r"`([a-z][a-z0-9_.]*)`")


@strawberry.type(description="Why nothing was recorded, for whoever asked.")
class UserError:
    """A `Rejected` in the client's words."""

    code: Code = strawberry.field(description="The kind of refusal. Stable: programs may branch on it.")
    message: str = strawberry.field(description="What is wrong and what to do about it, in a sentence.")
    path: list[str] = strawberry.field(
        description='The input field at fault, such as ["input", "title"]; empty: the whole.'
    )


@strawberry.type(description="One recorded fact.")
class ReceiptedFact:
    """A fact's place and its leaf in the Merkle tree."""

    position: Position = strawberry.field(description="Its place in the ledger.")
    leaf: str = strawberry.field(
        description="SHA-256, hexadecimal: its leaf in the tree that proves nothing was altered."
    )


@strawberry.type(description="The proof of recording. Keep it: it can prove a later loss or change.")
class Receipt:
    """Positions are without a gap: a command is recorded whole."""

    recorded_at: datetime = strawberry.field(description="When the ledger stored it, by its own clock.")
    facts: list[ReceiptedFact] = strawberry.field(description="The facts that were recorded, in order.")


@strawberry.interface(description="What every mutation answers.")
class Payload:
    """Either `user_errors` has something, or the rest has."""

    user_errors: list[UserError] = strawberry.field(description="Why nothing was recorded; empty: it was.")
    command_id: UUID = strawberry.field(description="The id under which it was done, given or made.")
    position: Position | None = strawberry.field(
        default=None,
        description="Where the ledger was then: give it as `atLeast` to read what was written. Null: refused.",
    )
    version: int | None = strawberry.field(
        default=None, description="The version of the thing afterwards, for `expectedVersion`. Null: refused."
    )
    repeated: bool = strawberry.field(
        default=False, description="This command was done before, and this is its first outcome."
    )
    receipt: Receipt | None = strawberry.field(default=None, description="The proof of recording. Null: refused.")


def refused(no: Rejected) -> UserError:
    """This will tell the domain's no in the names of the schema."""
    path = ["input", *(to_camel_case(step) for step in no.path)] if no.path else []
    message = _QUOTED.sub(
        lambda found: f"`{'.'.join(to_camel_case(part) for part in found[1].split('.'))}`", no.message
    )
    return UserError(code=no.code, message=message, path=path)
