"""The commands of a team, all of them a steward's."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from ledger.commands import team as commands
from ledger.commands.issued import Issued
from ledger.domain import team as domain
from ledger.domain.team import TeamState
from ledger.handlers.authorising import role
from ledger.handlers.seen import Change, Handler, Seen


def form_team(seen: Seen, issued: Issued[commands.FormTeam]) -> Change:
    """This will form a team."""
    acting, team_id = role(seen, issued, None), issued.command.team_id
    team = seen.team(team_id)
    seen.free(team_id, team, "team_id")
    return Change(acting, [(team_id, domain.decide_form_team(team, issued))])


def _changing(decide: Callable[[TeamState | None, Issued[Any]], list[Struct]]) -> Handler:
    """This will give the handler of a command that changes one team and looks at nothing else."""

    def handle(seen: Seen, issued: Issued[Any]) -> Change:
        acting, team_id = role(seen, issued, None), issued.command.team_id
        return Change(acting, [(team_id, decide(seen.team(team_id), issued))])

    return handle


HANDLERS: dict[type[Struct], Handler] = {
    commands.FormTeam: form_team,
    commands.AddMember: _changing(domain.decide_add_member),
    commands.RemoveMember: _changing(domain.decide_remove_member),
    commands.GrantRole: _changing(domain.decide_grant_role),
    commands.RevokeRole: _changing(domain.decide_revoke_role),
    commands.SetCapacity: _changing(domain.decide_set_capacity),
    commands.SetCadence: _changing(domain.decide_set_cadence),
    commands.SetServiceLevel: _changing(domain.decide_set_service_level),
}
