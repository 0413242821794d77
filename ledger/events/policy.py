"""What can happen to a prioritisation policy. The stream is the policy's own id: the formula that ranks is itself in the ledger."""

from datetime import datetime

from msgspec import Struct

from ledger.events.registry import exogenous, fact
from ledger.ranking import Formula
from ledger.values import TeamId


@fact("PolicyDefined", exogenous)
class PolicyDefined(Struct, frozen=True, omit_defaults=True):
    """A way to rank exists (policy version 1)."""

    name: str
    formula: Formula
    note: str | None = None


@fact("PolicyRevised", exogenous)
class PolicyRevised(Struct, frozen=True, omit_defaults=True):
    """It ranks otherwise from now on. A team for which the policy is active is ranked by the new version at once."""

    policy_version: int
    formula: Formula
    note: str | None = None


@fact("PolicyActivated", exogenous)
class PolicyActivated(Struct, frozen=True):
    """A team is ranked by this policy. `since` is when that was so; what the backlog shows changes at this fact's position."""

    team_id: TeamId
    since: datetime
