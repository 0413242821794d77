"""What can be asked of a prioritisation policy."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from ledger.commands.issued import Line, Title
from ledger.ranking import Formula
from ledger.values import PolicyId, TeamId


class DefinePolicy(Struct, frozen=True, omit_defaults=True):
    """Define a way to rank."""

    policy_id: Annotated[PolicyId, Meta(description="The new policy.")]
    name: Annotated[Title, Meta(description="Its name.")]
    formula: Annotated[Formula, Meta(description="Its method and parameters.")]
    note: Annotated[Line | None, Meta(description="Why it ranks so.")] = None


class RevisePolicy(Struct, frozen=True, omit_defaults=True):
    """Change a policy. Teams for which it is active are ranked anew at once."""

    policy_id: Annotated[PolicyId, Meta(description="The policy.")]
    formula: Annotated[Formula, Meta(description="Its new method and parameters.")]
    note: Annotated[Line | None, Meta(description="Why it changes.")] = None


class ActivatePolicy(Struct, frozen=True, omit_defaults=True):
    """Rank a team by a policy from now on."""

    policy_id: Annotated[PolicyId, Meta(description="The policy.")]
    team_id: Annotated[TeamId, Meta(description="The team.")]
    since: Annotated[datetime | None, Meta(description="Since when the team goes by it; left out: now.")] = None
