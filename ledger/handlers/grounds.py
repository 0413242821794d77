"""What takes something out for good needs: a steward, a reason and a legal basis."""

from ledger.domain import team
from ledger.domain.proposal.standing import seen
from ledger.domain.rejected import Code, Rejected
from ledger.events import Event
from ledger.store.application import Ledger
from ledger.values import ORGANISATION, SYSTEM, MemberId, Role

#: A reason that says something, in characters.
SAID_MIN = 10


def steward_only(ledger: Ledger, member_id: MemberId, what: str) -> None:
    """This will refuse whoever is no steward; `what` begins the sentence. Raises Rejected."""
    organisation, _ = ledger.load(ORGANISATION, _evolve, None)
    held = team.NO_ROLES if organisation is None else organisation.roles(member_id)
    if Role.STEWARD not in held and member_id != SYSTEM:
        raise Rejected(Code.FORBIDDEN, f"{what} is for a STEWARD across teams. Ask one of them.")


def well_said(reason: str, legal_basis: str) -> None:
    """This will refuse a reason or a legal basis that says nothing. Raises Rejected."""
    for field, text in (("reason", reason), ("legal_basis", legal_basis)):
        if len(seen(text)) < SAID_MIN:
            raise Rejected(
                Code.BAD_USER_INPUT,
                f"`{field}` needs at least {SAID_MIN} characters. Say it so that an auditor understands it.",
                field,
            )


def _evolve(state: team.TeamState | None, event: Event) -> team.TeamState | None:
    return team.evolve(state, event)
