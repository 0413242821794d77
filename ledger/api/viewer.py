"""Who is asking: the example of a noun that others copy."""

from datetime import datetime
from uuid import UUID

import strawberry

from ledger.api.asof import AsOfArgument, AtLeastArgument
from ledger.api.context import Authentication, Info
from ledger.api.enums import describe
from ledger.api.member import Member
from ledger.values import ORGANISATION, Role
from projections.teams.queries import roles_then

describe(
    Authentication,
    {"TOKEN": "An API token of the ledger.", "OIDC": "A token of the identity provider."},
    about="How it is known who asks.",
)


@strawberry.type(description="The roles that somebody has in one team.")
class TeamRoles:
    """Roles across teams are not here but in `Viewer.rolesAcrossTeams`."""

    team_id: UUID = strawberry.field(description="The team.")
    roles: list[Role] = strawberry.field(description="The roles, in alphabetical order.")


@strawberry.type(description="Whoever the token belongs to.")
class Viewer:
    """What the API knows of who asks."""

    member: Member = strawberry.field(description="The member.")
    client: str = strawberry.field(description="The program that the token was made for.")
    authenticated_by: Authentication = strawberry.field(description="Whose token it is.")
    scopes: list[str] = strawberry.field(
        description="What the token may be used for, in alphabetical order: graphql:free-form (any document, and not only trusted"
        " ones), graphql:introspect (the schema), graphql:mutate (mutations)."
    )
    expires_at: datetime | None = strawberry.field(description="When the token ends; null: never by itself.")
    roles_across_teams: list[Role] = strawberry.field(description="AUDITOR, STEWARD or INTEGRATOR, where given.")
    teams: list[TeamRoles] = strawberry.field(description="The roles per team, in the order of the teams' ids.")


@strawberry.type
class ViewerQuery:
    """The root field `viewer`."""

    @strawberry.field(description="Whoever asks, with the roles that decide what may be seen and done.")
    async def viewer(self, info: Info, as_of: AsOfArgument = None, at_least: AtLeastArgument = None) -> Viewer:
        context = info.context
        at = await context.position("teams", as_of, at_least)
        found = context.viewer
        async with context.read() as connection:
            held = found.roles if at is None else await roles_then(connection, found.member_id, at)
            names = await context.members([found.member_id], connection)
        return Viewer(
            member=Member.of(found.member_id, names),
            client=found.client,
            authenticated_by=found.authenticated_by,
            scopes=sorted(found.scopes),
            expires_at=found.expires_at,
            roles_across_teams=sorted(held.get(ORGANISATION, ())),
            teams=[
                TeamRoles(team_id=team_id, roles=sorted(in_team))
                for team_id, in_team in sorted(held.items())
                if team_id != ORGANISATION
            ],
        )
