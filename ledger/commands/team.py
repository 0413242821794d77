"""What can be asked of a team."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from ledger.commands.issued import Title
from ledger.values import MemberId, Role, TeamId

Team = Annotated[TeamId, Meta(description="The team.")]
Member = Annotated[MemberId, Meta(description="The member.")]


class FormTeam(Struct, frozen=True, omit_defaults=True):
    """Form a team."""

    team_id: Annotated[TeamId, Meta(description="The new team.")]
    name: Annotated[Title, Meta(description="Its name.")]
    hours_per_day: Annotated[Decimal, Meta(description="Engineer-hours in one engineer-day; left out: 8.")] = Decimal(8)
    weekly_hours: Annotated[
        Decimal | None, Meta(description="Engineer-hours the team has a week; momentum is a share of it.")
    ] = None


class AddMember(Struct, frozen=True):
    """Let a member join a team."""

    team_id: Team
    member_id: Member


class RemoveMember(Struct, frozen=True):
    """Let a member leave a team, and with it every role in it."""

    team_id: Team
    member_id: Member


class GrantRole(Struct, frozen=True):
    """Give a member a role. AUDITOR, STEWARD and INTEGRATOR are given on the organisation, the others on a team."""

    team_id: Team
    member_id: Member
    role: Annotated[Role, Meta(description="The role.")]


class RevokeRole(Struct, frozen=True):
    """Take a role from a member."""

    team_id: Team
    member_id: Member
    role: Annotated[Role, Meta(description="The role.")]


class SetCapacity(Struct, frozen=True):
    """Say how many engineer-days a cycle the team gives to paying debt."""

    team_id: Team
    days_per_cycle: Annotated[Decimal, Meta(description="Engineer-days a cycle.")]


class SetCadence(Struct, frozen=True):
    """Say how often the team reviews its list."""

    team_id: Team
    engineering_days: Annotated[int, Meta(ge=1, le=366, description="Days between two engineering reviews.")]
    product_days: Annotated[int, Meta(ge=1, le=366, description="Days between two product reviews.")]


class SetServiceLevel(Struct, frozen=True):
    """Say how soon an answer is taken, and how soon it is told."""

    team_id: Team
    days_to_decide: Annotated[int, Meta(ge=1, le=3660, description="Days from a submission to its answer.")]
    hours_to_tell: Annotated[int, Meta(ge=1, le=8784, description="Hours from an answer to its being told.")]
