"""Every version of a business case, an estimate and an impact, as it read then."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from ledger.values import (
    Benefit,
    EffortUnit,
    EstimateBasis,
    EstimateCause,
    Evidence,
    ImpactMethod,
    MemberId,
    MomentumLevel,
    ProposalId,
    Risk,
)
from projections.audit.following_structs import Provenance


class VersionKind(StrEnum):
    """Which of a proposal's versioned parts: its business case, its estimate, its impact."""

    CASE = "CASE"
    ESTIMATE = "ESTIMATE"
    IMPACT = "IMPACT"


class CaseText(Struct, frozen=True, omit_defaults=True):
    """A business case as it read in one version."""

    problem: str
    benefits_of_fixing: tuple[Benefit, ...] = ()
    risks_of_fixing: tuple[str, ...] = ()
    benefits_of_ignoring: tuple[str, ...] = ()
    risks_of_ignoring: tuple[Risk, ...] = ()
    no_risks_of_fixing: str | None = None
    no_benefits_of_ignoring: str | None = None
    evidence: tuple[Evidence, ...] = ()
    change_note: str | None = None


class EstimateFigures(Struct, frozen=True, omit_defaults=True):
    """An estimate as it stood in one version: engineer-days, and what a source said in its own unit."""

    optimistic: Decimal | None = None
    likely: Decimal | None = None
    pessimistic: Decimal | None = None
    unit: EffortUnit = EffortUnit.DAYS
    value: str | None = None
    previous_value: str | None = None
    subject: str | None = None
    removed: bool = False
    confidence: float | None = None
    basis: EstimateBasis | None = None
    cause: EstimateCause | None = None
    note: str | None = None


class ImpactFigures(Struct, frozen=True, omit_defaults=True):
    """An impact as it stood in one version."""

    level: MomentumLevel
    method: ImpactMethod
    confidence: float
    drag: Decimal | None = None
    growth: Decimal = Decimal(0)
    judged_level: MomentumLevel | None = None
    blocks_committed_feature: bool = False
    note: str | None = None


class Version(Struct, frozen=True, omit_defaults=True):
    """One version of a proposal's case, estimate or impact; the one of the three that `kind` names is set."""

    proposal_id: ProposalId
    kind: VersionKind
    version: int
    at: datetime
    recorded_at: datetime
    position: int
    by: MemberId
    case: CaseText | None = None
    estimate: EstimateFigures | None = None
    impact: ImpactFigures | None = None
    provenance: Provenance | None = None
