"""What can be asked about teams, policies and reasons: each a single statement, of the present or as of a position."""

from typing import Any
from uuid import UUID

from ledger.ranking import DEFAULT_FORMULA
from ledger.values import ORGANISATION, Role, TeamId
from projections.conditions import Conditions, Connection, Teams, page, rows, total
from projections.table import Table
from projections.teams.structs import Policy, PolicyInForce, ReasonCode, Team
from projections.teams.tables import POLICIES, REASON_CODES, TEAMS


async def team(connection: Connection, teams: Teams, team_id: UUID, *, as_of: int | None = None) -> Team | None:
    """This will give one team; None: it is not there or not to be seen."""
    where = Conditions(as_of).add("t.team_id = %(team)s", team=team_id).among("t.team_id", "visible", teams)
    found: list[Team] = await _docs(connection, TEAMS, where)
    return found[0] if found else None


async def teams(
    connection: Connection,
    visible: Teams,
    *,
    limit: int,
    after: tuple[str, UUID] | None = None,
    as_of: int | None = None,
) -> list[Team]:
    """This will list the teams by name; the organisation, which only holds roles, is none."""
    where = _teams(visible, as_of)
    return await page(connection, TEAMS, "t", where, ("name", "team_id"), limit=limit, after=after)


async def teams_total(connection: Connection, visible: Teams, *, as_of: int | None) -> int:
    """This will count the teams that `teams` gives on all pages."""
    where = _teams(visible, as_of)
    return await total(connection, "views.teams AS t", where)


def _teams(visible: Teams, as_of: int | None) -> Conditions:
    return Conditions(as_of).readable("t", visible).add("t.team_id <> %(organisation)s", organisation=ORGANISATION)


def key_of_team(row: Team) -> tuple[str, UUID]:
    """This will give a team's place in the list."""
    return row.name.casefold(), row.team_id


async def policies(connection: Connection, *, limit: int, as_of: int | None = None) -> list[Policy]:
    """This will list the policies by name, with their versions and where they are active."""
    where = Conditions(as_of)
    where.add(where.stands("t"))
    return await page(connection, POLICIES, "t", where, ("name", "policy_id"), limit=limit, after=None)


async def policy(connection: Connection, policy_id: UUID, *, as_of: int | None = None) -> Policy | None:
    """This will give one policy; None: there is no such policy."""
    found: list[Policy] = await _docs(
        connection, POLICIES, Conditions(as_of).add("t.policy_id = %(policy)s", policy=policy_id)
    )
    return found[0] if found else None


async def reason_codes(
    connection: Connection, *, active: bool | None = None, as_of: int | None = None
) -> list[ReasonCode]:
    """This will list the reason codes in alphabetical order; `active`: only those that a new NO may give, or only the others."""
    found: list[ReasonCode] = await _docs(connection, REASON_CODES, Conditions(as_of), "t.code")
    return [code for code in found if active is None or active == (code.retired_at is None)]


async def policy_in_force(connection: Connection, team_id: UUID, *, as_of: int | None = None) -> PolicyInForce | None:
    """This will give what ranks a team: the default formula where nobody has activated a policy; None: there is no such team."""
    where = Conditions(as_of).add("t.team_id = %(team)s", team=team_id)
    found = await rows(
        connection,
        f"SELECT p.doc FROM views.teams AS t LEFT JOIN views.policies AS p"
        f" ON p.policy_id = t.policy_id AND {where.stands('p')}"
        f" WHERE {where} AND {where.stands('t')}",
        where.values,
    )
    if not found:
        return None
    if found[0][0] is None:
        return PolicyInForce(None, 0, DEFAULT_FORMULA, "Momentum")
    policy = POLICIES.decode(found[0][0])
    return PolicyInForce(policy.policy_id, policy.latest.version, policy.latest.formula, policy.name)


async def sources(connection: Connection, visible: Teams) -> list[str]:
    """This will name the sources whose history a team holds, in alphabetical order."""
    where = Conditions().among("t.team_id", "visible", visible)
    found = await rows(
        connection,
        f"SELECT DISTINCT t.source FROM views.teams AS t WHERE {where.add(where.stands('t')).add('t.source IS NOT NULL')} ORDER BY 1",
        where.values,
    )
    return [source for (source,) in found]


async def _docs(connection: Connection, table: Table[Any], where: Conditions, order: str | None = None) -> list[Any]:
    where.add(where.stands("t"))
    statement = f"SELECT t.doc FROM views.{table.name} AS t WHERE {where}"
    statement += f" ORDER BY {order}" if order else ""
    return [table.decode(doc) for (doc,) in await rows(connection, statement, where.values)]


async def roles_then(connection: Connection, member_id: UUID, position: int) -> dict[TeamId, frozenset[Role]]:
    """This will give the roles that a member had as of a position, by team. They open nothing: what may be read follows today's roles."""
    where = Conditions(position)
    where.add("m.member_id = %(member)s", member=member_id).add(where.stands("m"))
    found = await rows(
        connection, f"SELECT m.team_id, m.roles FROM views.team_members AS m WHERE {where}", where.values
    )
    return {TeamId(team_id): frozenset(map(Role, held)) for team_id, held in found}
