"""The roles of a command's issuer, looked up where they were granted. To whoever may not see a thing, it is not there."""

from collections.abc import Callable
from typing import NoReturn

from msgspec import Struct

from ledger.commands.issued import Issued
from ledger.domain import team as teams
from ledger.domain.authority import across_teams, authorise
from ledger.domain.rejected import Code, Hidden, Rejected
from ledger.domain.team import NO_ROLES
from ledger.handlers.seen import Seen
from ledger.handlers.subjects import subject
from ledger.values import GLOBAL_ROLES, SYSTEM, MemberId, ReviewKind, Role, TeamId

#: Refuses what is not there, given None: the domain's own sentence.
Absent = Callable[[None], object]


def role(
    seen: Seen,
    issued: Issued[Struct],
    team_id: TeamId | None,
    absent: Absent = teams.known,
    *,
    owns: bool = False,
    kind: ReviewKind | None = None,
) -> Role:
    """This will give the role in which the issuer acts, once they are known to have seen the version that they expect.

    It refuses as FORBIDDEN, or as `absent` does whoever may not see the team: a guessed id is not confirmed, neither by a refusal nor by
    a version. `team_id` None: the command is about no team.
    """
    command = type(issued.command)
    across = _across(seen, issued.member_id) if across_teams(command) else NO_ROLES
    team = None if team_id is None else seen.team(team_id)
    in_team = NO_ROLES if team is None else team.roles(issued.member_id)
    try:
        acting = authorise(command, issued.member_id, in_team, across, owns=owns, kind=kind)
    except Rejected:
        if team_id is not None and not sees(seen, issued.member_id, team_id):
            hide(absent)
        raise
    if issued.expected_version is not None:
        _expect(issued.expected_version, seen.version(subject(issued.command)))
    return acting


def sees(seen: Seen, member_id: MemberId, team_id: TeamId) -> bool:
    """This will say whether a member may see what is of a team: by any role in it, or one across teams."""
    team = seen.team(team_id)
    if member_id == SYSTEM or (team is not None and team.roles(member_id)):
        return True
    return bool(_across(seen, member_id) & GLOBAL_ROLES)


def hide(absent: Absent) -> NoReturn:
    """This will refuse what is there, word for word, as what is not."""
    try:
        absent(None)
    except Rejected as no:
        raise Hidden(no.code, no.message, *no.path) from None
    raise TypeError(f"{absent} takes None for something")


def _across(seen: Seen, member_id: MemberId) -> frozenset[Role]:
    if member_id == SYSTEM:
        return NO_ROLES
    organisation = seen.organisation()
    return NO_ROLES if organisation is None else organisation.roles(member_id)


def _expect(expected_version: int, version: int) -> None:
    if expected_version != version:
        raise Rejected(
            Code.CONFLICT,
            f"Somebody else changed it: you had seen version {expected_version}, and it is at version {version}. "
            "Load it again and repeat.",
            "expected_version",
        )
