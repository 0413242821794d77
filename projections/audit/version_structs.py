"""Every version of a business case, an estimate and an impact, as it read then.

Each is one fact, which the log keeps with its text; so they are read from there, and no view has a second copy.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, LiteralString

from msgspec import Struct
from msgspec.structs import asdict

from ledger.events.envelope import Event
from ledger.events.proposal import BusinessCaseRevised, EstimateChanged, EstimateGiven, ImpactAssessed, SourceNoted
from ledger.events.registry import TOPICS
from ledger.store.codec import PAYLOAD, decode
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
from projections.audit.following_structs import Provenance, provenance, recorded_at


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


class SourceNote(Struct, frozen=True):
    """What an imported source says besides, word for word: a link to a resolution, say. `external_id`: the source's id of the fact."""

    external_id: str
    kind: str
    text: str
    at: datetime
    position: int


#: The topic of what a source says besides.
NOTED = TOPICS[SourceNoted]
#: The topics of the facts that are versions.
KINDS: dict[str, VersionKind] = {
    TOPICS[BusinessCaseRevised]: VersionKind.CASE,
    TOPICS[EstimateGiven]: VersionKind.ESTIMATE,
    TOPICS[EstimateChanged]: VersionKind.ESTIMATE,
    TOPICS[ImpactAssessed]: VersionKind.IMPACT,
}

#: The columns of `ledger.events AS e` that `version_of` reads, as SQL.
RECORDED: LiteralString = f"e.position, e.recorded_at, e.topic, e.meta, {PAYLOAD}"


def note_of(*recorded: Any) -> SourceNote:
    """This will read what a source says besides from the columns RECORDED of its fact."""
    event: Event = decode(*recorded)
    fact: SourceNoted = event.fact  # type: ignore[assignment]
    external_id = event.source.external_id if event.source else ""
    return SourceNote(external_id, fact.kind, fact.text, event.occurred_at, event.position)


def version_of(*recorded: Any) -> Version:
    """This will read a version from the columns RECORDED of its fact."""
    event: Event = decode(*recorded)
    fact = event.fact
    case = estimate = impact = None
    body = asdict(fact)
    match fact:
        case BusinessCaseRevised():
            kind, number, case = VersionKind.CASE, body.pop("case_version"), CaseText(**body)
        case EstimateGiven() | EstimateChanged():
            kind, number, estimate = VersionKind.ESTIMATE, body.pop("estimate_version"), EstimateFigures(**body)
        case ImpactAssessed():
            kind, number, impact = VersionKind.IMPACT, body.pop("impact_version"), ImpactFigures(**body)
        case _:
            raise TypeError(f"a {type(fact).__name__} is no version of a part of a proposal")
    return Version(
        ProposalId(event.stream_id),
        kind,
        number,
        event.occurred_at,
        recorded_at(event),
        event.position,
        event.actor.member_id,
        case,
        estimate,
        impact,
        provenance(event),
    )
