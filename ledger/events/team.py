"""What can happen to a team. The stream is the team's own id; the roles across teams are in the stream ORGANISATION."""

from decimal import Decimal

from msgspec import Struct

from ledger.events.registry import exogenous, fact
from ledger.values import MemberId, Role


@fact("TeamFormed", exogenous)
class TeamFormed(Struct, frozen=True, omit_defaults=True):
    """A team exists. `weekly_hours` is the engineer-hours it has a week, of which drag takes a share; None: not said."""

    name: str
    hours_per_day: Decimal = Decimal(8)
    weekly_hours: Decimal | None = None
    #: The source whose history this team holds, for an imported one.
    source: str | None = None


@fact("MemberJoined", exogenous)
class MemberJoined(Struct, frozen=True):
    """A person belongs to the team; who that is, the directory knows."""

    member_id: MemberId


@fact("MemberLeft", exogenous)
class MemberLeft(Struct, frozen=True):
    """A person left the team, and with it every role in it."""

    member_id: MemberId


@fact("RoleGranted", exogenous)
class RoleGranted(Struct, frozen=True):
    """A member may do what the role may."""

    member_id: MemberId
    role: Role


@fact("RoleRevoked", exogenous)
class RoleRevoked(Struct, frozen=True):
    """A member may not do it any more."""

    member_id: MemberId
    role: Role


@fact("CapacitySet", exogenous)
class CapacitySet(Struct, frozen=True):
    """The team gives so many engineer-days a cycle to paying debt."""

    days_per_cycle: Decimal


@fact("CadenceSet", exogenous)
class CadenceSet(Struct, frozen=True):
    """Days between two engineering reviews, and between two product reviews."""

    engineering_days: int
    product_days: int


@fact("ServiceLevelSet", exogenous)
class ServiceLevelSet(Struct, frozen=True):
    """What the team promises: days from a submission to its answer, hours from an answer to its being told."""

    days_to_decide: int
    hours_to_tell: int
