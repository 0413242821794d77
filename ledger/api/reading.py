"""Who may read what: each root field with whose roles open it, and who may change what is no fact. These tables are the whole truth:
`docs/roles.md` is made from them.

A field that only some roles may ask asks `refuse_role` first. The others are open to every member, and show them what their teams have:
whatever is of another team is, to them, not there.
"""

from enum import StrEnum

from ledger.api.context import Context
from ledger.api.errors import forbidden
from ledger.directory.scopes import Scope
from ledger.values import GLOBAL_ROLES, ORGANISATION, Role


class Reading(StrEnum):
    """What a root field shows of the ledger to whom."""

    #: What is of teams in which the reader has any role; a role across teams reads all.
    TEAM = "what is of their teams"
    #: What is about the reader.
    OWN = "what is theirs"
    #: The same to every member.
    ALL = "all"


#: Which root fields show what; those with roles are FORBIDDEN to everybody else.
READING: dict[str, Reading | tuple[Role, ...]] = {
    "accessLog": (Role.AUDITOR,),
    "agenda": Reading.TEAM,
    "appeals": Reading.TEAM,
    "area": Reading.TEAM,
    "areas": Reading.TEAM,
    "backlog": Reading.TEAM,
    "calibration": Reading.TEAM,
    "compareSimulations": Reading.TEAM,
    "compareVersions": Reading.TEAM,
    "concerns": Reading.TEAM,
    "consistencyProof": Reading.ALL,
    "costOfNo": Reading.TEAM,
    "decision": Reading.TEAM,
    "declined": Reading.TEAM,
    "identities": (Role.AUDITOR, Role.STEWARD),
    "inbox": Reading.OWN,
    "inclusionProof": Reading.ALL,
    "node": Reading.TEAM,
    "policies": Reading.ALL,
    "policyInForce": Reading.TEAM,
    "precedents": Reading.TEAM,
    "proposal": Reading.TEAM,
    "proposals": Reading.TEAM,
    "reasonCodes": Reading.ALL,
    "reasonQuality": Reading.TEAM,
    "review": Reading.TEAM,
    "reviews": Reading.TEAM,
    "revisits": Reading.TEAM,
    "simulation": Reading.TEAM,
    "team": Reading.TEAM,
    "teams": Reading.TEAM,
    "timeline": Reading.TEAM,
    "transparency": Reading.TEAM,
    "unansweredNotices": Reading.TEAM,
    "verify": (Role.AUDITOR, Role.STEWARD),
    "viewer": Reading.OWN,
    "whyNot": Reading.TEAM,
    # Subscriptions
    "ledgerEvents": Reading.TEAM,
}

#: The mutations that change the directory and record no fact, each with the roles across teams that open it.
CHANGING: dict[str, tuple[Role, ...]] = {"linkIdentity": (Role.STEWARD,), "unlinkIdentity": (Role.STEWARD,)}


def refuse_scope(context: Context) -> None:
    """This will raise the error FORBIDDEN for a token that is not for mutations."""
    if Scope.MUTATE not in context.viewer.scopes:
        raise forbidden(f"This token is not for mutations. Make one with the scope {Scope.MUTATE}.")


def refuse_role(context: Context, field: str, more: str = "") -> None:
    """This will raise the error FORBIDDEN unless the viewer has a role across teams that opens the field. `more`: what to do instead."""
    roles = READING[field]
    if isinstance(roles, Reading):
        raise TypeError(f"{field} is open to every member")
    held = context.viewer.roles.get(ORGANISATION, frozenset()) & GLOBAL_ROLES
    if held.isdisjoint(roles):
        yours = ", ".join(role for role in Role if role in held) or "no role"
        text = f"`{field}` is for {' or '.join(roles)} across teams; you have {yours} there."
        raise forbidden(f"{text} {more or 'Ask one of them, or a steward for the role.'}")
