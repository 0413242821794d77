"""The commands of a member, all of them a steward's. The directory itself is emptied by whoever issued the command, once it is recorded."""

from msgspec import Struct

from ledger.commands import member as commands
from ledger.commands.issued import Issued
from ledger.domain import member as domain
from ledger.domain.rejected import Code, Rejected
from ledger.handlers.authorising import role
from ledger.handlers.grounds import well_said
from ledger.handlers.seen import Change, Handler, Seen


def erase_member(seen: Seen, issued: Issued[commands.EraseMember]) -> Change:
    """This will record that a member is erased, why, and what gives the right to."""
    acting, command = role(seen, issued, None), issued.command
    well_said(command.reason, command.legal_basis)
    facts = domain.decide_erase_member(seen.member(command.member_id), issued)
    if not seen.lookups.is_member(command.member_id):
        raise Rejected(Code.NOT_FOUND, "There is no such member. Look the id up.", "member_id")
    return Change(acting, [(command.member_id, facts)])


HANDLERS: dict[type[Struct], Handler] = {commands.EraseMember: erase_member}
