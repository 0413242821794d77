"""What can happen to a member beyond teams. The stream is the member's own id; who that is, or was, the directory alone knows."""

from msgspec import Struct

from ledger.events.registry import exogenous, fact
from ledger.values import MemberId


@fact("MemberErased", exogenous)
class MemberErased(Struct, frozen=True):
    """A member's name, address and identities were removed from the directory, and their tokens ended. What they did stays, by their id."""

    member_id: MemberId
    reason: str
    #: The law, contract or order that asks for it.
    legal_basis: str
