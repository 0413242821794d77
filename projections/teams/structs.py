"""What the teams view keeps: teams with their members, policies with their versions, and the reasons that a NO may give."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from ledger.ranking import Formula
from ledger.values import MemberId, PolicyId, Role, TeamId


class TeamMember(Struct, frozen=True, array_like=True, gc=False):
    """Somebody of the team, with the roles there."""

    member_id: MemberId
    joined_at: datetime
    roles: tuple[Role, ...] = ()


class Team(Struct, frozen=True, array_like=True, gc=False):
    """One team: what it promises, and who belongs to it. None: not said."""

    team_id: TeamId
    name: str
    formed_at: datetime
    hours_per_day: Decimal
    #: Engineer-hours the team has a week.
    weekly_hours: Decimal | None
    #: The source whose history the team holds, for an imported one.
    source: str | None
    #: Engineer-days a cycle that the team gives to paying debt.
    days_per_cycle: Decimal | None = None
    #: Days between two engineering reviews, and between two product reviews.
    engineering_days: int | None = None
    product_days: int | None = None
    #: From a submission to its answer, and from the answer to its being told.
    days_to_decide: int | None = None
    hours_to_tell: int | None = None
    #: The policy that ranks the team; None: the default formula.
    policy_id: PolicyId | None = None
    policy_since: datetime | None = None
    members: tuple[TeamMember, ...] = ()


class Membership(Struct, frozen=True, array_like=True, gc=False):
    """The roles of one member in one team, those across teams in the organisation's. It is there even before anybody joins."""

    member_id: MemberId
    team_id: TeamId
    roles: tuple[Role, ...]


class PolicyVersion(Struct, frozen=True, array_like=True, gc=False):
    """One wording of a policy."""

    version: int
    formula: Formula
    note: str | None
    at: datetime
    position: int


class Activation(Struct, frozen=True, array_like=True, gc=False):
    """From when a team was ranked by the policy; `position` is where what the backlog shows changed."""

    team_id: TeamId
    since: datetime
    position: int


class Policy(Struct, frozen=True, array_like=True, gc=False):
    """A policy with all its versions, the last one in force wherever the policy is active, and all its activations."""

    policy_id: PolicyId
    name: str
    versions: tuple[PolicyVersion, ...]
    activations: tuple[Activation, ...] = ()
    #: The teams that it ranks now.
    active_in: tuple[TeamId, ...] = ()

    @property
    def latest(self) -> PolicyVersion:
        """This will give the version that ranks."""
        return self.versions[-1]


class ReasonCode(Struct, frozen=True, array_like=True, gc=False):
    """A reason that a NO may give, unless it is retired. `companion`: what it asks for besides its text."""

    code: str
    meaning: str
    companion: str | None
    added_at: datetime
    retired_at: datetime | None = None
    retired_because: str | None = None


class PolicyInForce(Struct, frozen=True):
    """What ranks a team: `policy_id` None stands for the default formula, version 0."""

    policy_id: PolicyId | None
    version: int
    formula: Formula
    name: str
