"""What the outcomes view keeps: per proposal what was expected and what came, and the benefits and losses that were measured."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from ledger.ranking import Item, expected_days
from ledger.values import (
    DecisionId,
    Disposition,
    EstimateBasis,
    ImpactMethod,
    ProposalId,
    TeamId,
)


class Expectation(Struct, frozen=True, array_like=True, gc=False):
    """One proposal: its latest estimate in engineer-days, and what the work took."""

    proposal_id: ProposalId
    team_id: TeamId
    area: str | None = None
    system: str | None = None
    optimistic: Decimal | None = None
    likely: Decimal | None = None
    pessimistic: Decimal | None = None
    basis: EstimateBasis | None = None
    estimate_version: int = 0
    completed_at: datetime | None = None
    actual_days: Decimal | None = None
    #: The unscoped decision that rules it, None while it is pending; with its disposition and its reason codes.
    decision_id: DecisionId | None = None
    disposition: Disposition | None = None
    codes: tuple[str, ...] = ()

    @property
    def expected(self) -> float | None:
        """This will give the PERT mean of the estimate in engineer-days."""
        return expected_days(Item(self.optimistic, self.likely, self.pessimistic))

    @property
    def ratio(self) -> float | None:
        """This will give actual ÷ expected days once the work is complete; None where either is not known."""
        if self.actual_days is None or self.completed_at is None:
            return None
        expected = self.expected
        return float(self.actual_days) / expected if expected else None

    @property
    def covered(self) -> bool | None:
        """This will say whether the actual days fell between optimistic and pessimistic; None where that can't be said."""
        if self.actual_days is None or self.optimistic is None or self.pessimistic is None or self.ratio is None:
            return None
        return self.optimistic <= self.actual_days <= self.pessimistic


class BenefitRecord(Struct, frozen=True, omit_defaults=True):
    """One benefit, looked at on one of its days (30, 90 or 180) after the work."""

    benefit_id: UUID
    proposal_id: ProposalId
    team_id: TeamId
    benefit: str
    day: int
    realised: Decimal
    unit: str
    method: ImpactMethod
    at: datetime
    area: str | None = None
    promised: Decimal | None = None
    note: str | None = None


class Loss(Struct, frozen=True, omit_defaults=True):
    """Engineer-hours lost to a risk that had been warned of, and the NO that stood then, if one did."""

    loss_id: UUID
    proposal_id: ProposalId
    team_id: TeamId
    hours: Decimal
    at: datetime
    area: str | None = None
    incident: str | None = None
    text: str | None = None
    decision_id: DecisionId | None = None
    disposition: Disposition | None = None
    codes: tuple[str, ...] = ()
