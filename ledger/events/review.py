"""What can happen to a review, in the order of its life. The stream is the review's own id."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from ledger.events.registry import endogenous, exogenous, fact
from ledger.values import AgendaItem, DecisionId, MemberId, PolicyId, ProposalId, ReviewKind, TeamId, Verdict


@fact("ReviewScheduled", exogenous)
class ReviewScheduled(Struct, frozen=True):
    """A team means to look at its list at `starts_at`."""

    team_id: TeamId
    kind: ReviewKind
    starts_at: datetime


@fact("AgendaFrozen", endogenous)
class AgendaFrozen(Struct, frozen=True, omit_defaults=True):
    """The list that will be looked at, in the order of the policy in force, with the versions that it shows."""

    items: tuple[AgendaItem, ...]
    policy_id: PolicyId | None = None
    policy_version: int = 0


@fact("ReviewOpened", exogenous)
class ReviewOpened(Struct, frozen=True, omit_defaults=True):
    """The review began. `knowledge_position` is the last position that it could know; capacity in engineer-days."""

    knowledge_position: int
    capacity: Decimal
    attendees: tuple[MemberId, ...]
    policy_id: PolicyId | None = None
    policy_version: int = 0


@fact("ItemDecided", endogenous)
class ItemDecided(Struct, frozen=True, omit_defaults=True):
    """One item was answered; a YES reserves engineer-days of the review's capacity."""

    proposal_id: ProposalId
    decision_id: DecisionId
    verdict: Verdict
    days_reserved: Decimal = Decimal(0)


@fact("ItemCarriedOver", endogenous)
class ItemCarriedOver(Struct, frozen=True):
    """One item was left for the next review."""

    proposal_id: ProposalId
    reason: str


@fact("ReviewClosed", exogenous)
class ReviewClosed(Struct, frozen=True, omit_defaults=True):
    """Each item was answered or carried over, and the review ended."""

    minutes_url: str | None = None


@fact("ReviewSkipped", exogenous)
class ReviewSkipped(Struct, frozen=True):
    """The review was not held."""

    reason: str
