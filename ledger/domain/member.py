"""A member beyond teams: they are there until they are erased, which happens once."""

from msgspec import Struct

from ledger.commands.issued import Issued
from ledger.commands.member import EraseMember
from ledger.domain.rejected import Code, Rejected
from ledger.events.envelope import Event
from ledger.events.member import MemberErased
from ledger.values import SYSTEM, MemberId

MemberFact = MemberErased


class MemberState(Struct, frozen=True):
    """A member who was erased; of others there is nothing to know."""

    member_id: MemberId
    #: Where that is recorded.
    position: int


def evolve(_: MemberState | None, event: Event) -> MemberState:
    """This will fold one fact of a member's stream into its state."""
    return MemberState(MemberId(event.stream_id), event.position)


def decide_erase_member(state: MemberState | None, issued: Issued[EraseMember]) -> list[Struct]:
    """This will erase a member whom the directory knows. Raises BAD_USER_INPUT for the operator, WRONG_STATE for one who was erased."""
    command = issued.command
    if command.member_id == SYSTEM:
        raise Rejected(Code.BAD_USER_INPUT, "The ledger's operator is nobody's name, and can't be erased.", "member_id")
    if state is not None:
        raise Rejected(
            Code.WRONG_STATE,
            f"This member was erased before: position {state.position} says why. Nothing of the name is left.",
            "member_id",
        )
    return [MemberErased(command.member_id, command.reason, command.legal_basis)]
