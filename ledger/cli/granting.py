"""Roles by the operator's own word: somebody has to be the first steward."""

from datetime import UTC, datetime
from uuid import uuid4

from ledger.app import ViewLookups, begin
from ledger.cli.running import Failed
from ledger.commands import Issued
from ledger.commands.team import AddMember, GrantRole
from ledger.domain.rejected import Rejected
from ledger.handlers import Handlers
from ledger.store.application import Ledger
from ledger.values import SYSTEM, MemberId, Role, TeamId


def grant(url: str, member_id: MemberId, role: Role, team_id: TeamId) -> None:
    """This will give a member a role by the operator's own word; one who has it keeps it."""
    with Ledger(url, pool_size=2) as ledger:
        begin(ledger)
        handlers = Handlers(ledger, ViewLookups(url))
        for command in (AddMember(team_id, member_id), GrantRole(team_id, member_id, role)):
            try:
                handlers.handle(Issued(command, uuid4(), SYSTEM, datetime.now(UTC)))
            except Rejected as rejected:
                if rejected.code != "WRONG_STATE":  # is a member already, has the role already
                    raise Failed(rejected.message) from rejected
