"""The roles of a command's issuer, looked up where they were granted."""

from msgspec import Struct

from ledger.commands.issued import Issued
from ledger.domain.authority import across_teams, authorise
from ledger.domain.team import NO_ROLES
from ledger.handlers.seen import Seen
from ledger.values import SYSTEM, ReviewKind, Role, TeamId


def role(
    seen: Seen, issued: Issued[Struct], team_id: TeamId | None, *, owns: bool = False, kind: ReviewKind | None = None
) -> Role:
    """This will give the role in which the issuer acts, or refuse as FORBIDDEN. `team_id` None: the command is about no team."""
    command = type(issued.command)
    across = NO_ROLES
    if across_teams(command) and issued.member_id != SYSTEM:
        organisation = seen.organisation()
        across = NO_ROLES if organisation is None else organisation.roles(issued.member_id)
    team = None if team_id is None else seen.team(team_id)
    in_team = NO_ROLES if team is None else team.roles(issued.member_id)
    return authorise(command, issued.member_id, in_team, across, owns=owns, kind=kind)
