"""The commands of the reason catalogue, all of them a steward's."""

from msgspec import Struct

from ledger.commands import catalogue as commands
from ledger.commands.issued import Issued
from ledger.domain import catalogue as domain
from ledger.handlers.authorising import role
from ledger.handlers.seen import Change, Handler, Seen
from ledger.values import CATALOGUE


def add_reason_code(seen: Seen, issued: Issued[commands.AddReasonCode]) -> Change:
    """This will add a reason code."""
    acting = role(seen, issued, None)
    return Change(acting, [(CATALOGUE, domain.decide_add_reason_code(seen.catalogue(), issued))])


def retire_reason_code(seen: Seen, issued: Issued[commands.RetireReasonCode]) -> Change:
    """This will retire a reason code."""
    acting = role(seen, issued, None)
    return Change(acting, [(CATALOGUE, domain.decide_retire_reason_code(seen.catalogue(), issued))])


HANDLERS: dict[type[Struct], Handler] = {
    commands.AddReasonCode: add_reason_code,
    commands.RetireReasonCode: retire_reason_code,
}
