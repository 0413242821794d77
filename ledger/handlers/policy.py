"""The commands of a policy, all of them a steward's."""

from msgspec import Struct

from ledger.commands import policy as commands
from ledger.commands.issued import Issued
from ledger.domain import policy as domain
from ledger.handlers.authorising import role
from ledger.handlers.seen import Change, Handler, Seen


def define_policy(seen: Seen, issued: Issued[commands.DefinePolicy]) -> Change:
    """This will define a policy."""
    acting, policy_id = role(seen, issued, None), issued.command.policy_id
    policy = seen.policy(policy_id)
    seen.free(policy_id, policy, "policy_id")
    return Change(acting, [(policy_id, domain.decide_define_policy(policy, issued))])


def revise_policy(seen: Seen, issued: Issued[commands.RevisePolicy]) -> Change:
    """This will give a policy another formula."""
    acting, policy_id = role(seen, issued, None), issued.command.policy_id
    return Change(acting, [(policy_id, domain.decide_revise_policy(seen.policy(policy_id), issued))])


def activate_policy(seen: Seen, issued: Issued[commands.ActivatePolicy]) -> Change:
    """This will rank a team by a policy."""
    acting, policy_id = role(seen, issued, None), issued.command.policy_id
    team = seen.team(issued.command.team_id)
    return Change(acting, [(policy_id, domain.decide_activate_policy(seen.policy(policy_id), issued, team))])


HANDLERS: dict[type[Struct], Handler] = {
    commands.DefinePolicy: define_policy,
    commands.RevisePolicy: revise_policy,
    commands.ActivatePolicy: activate_policy,
}
