"""given(facts).when(command).then(facts), and one good example of each value that the domain's tests speak of."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Self
from uuid import UUID, uuid5

from msgspec import Struct

from ledger.commands import Issued
from ledger.commands import proposal as ask
from ledger.domain import proposal
from ledger.domain.codes import REASON_CODES
from ledger.domain.proposal import ProposalState, evolve
from ledger.domain.rejected import Code, Rejected
from ledger.domain.review import ReviewPhase, ReviewState
from ledger.events import Event, event_id
from ledger.events import proposal as facts
from ledger.ranking import DEFAULT_FORMULA
from ledger.values import (
    NAMESPACE,
    Actor,
    AgendaCause,
    AgendaItem,
    AppealId,
    Basis,
    Benefit,
    BenefitCode,
    ConcernId,
    DecisionId,
    Disposition,
    EstimateBasis,
    ImpactMethod,
    MemberId,
    MomentumLevel,
    PolicyId,
    ProposalId,
    Reason,
    ReviewId,
    ReviewKind,
    RevisitCondition,
    RevisitKind,
    Risk,
    Role,
    TeamId,
    Verdict,
)


def named(what: str) -> UUID:
    return uuid5(NAMESPACE, what)


START = datetime(2026, 3, 2, 9, tzinfo=UTC)
#: When commands are issued: after all that was given.
NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
TEAM, OTHER_TEAM = TeamId(named("checkout")), TeamId(named("payments"))
ENGINEER, COLLEAGUE = MemberId(named("engineer")), MemberId(named("colleague"))
MANAGER, SECOND_MANAGER = MemberId(named("manager")), MemberId(named("second manager"))
DEBT, OTHER, THIRD = ProposalId(named("debt")), ProposalId(named("other")), ProposalId(named("third"))
REVIEW, DECISION, LATER_DECISION = (
    ReviewId(named("review")),
    DecisionId(named("decision")),
    DecisionId(named("later decision")),
)
CONCERN, APPEAL, POLICY = ConcernId(named("concern")), AppealId(named("appeal")), PolicyId(named("policy"))

BENEFIT = Benefit(BenefitCode.SPEEDS_DELIVERY, "A change to the basket takes a day instead of three.")
RISK = Risk("Prices are wrong on the next tax change.", 0.25, Decimal(40), 26)
CASE = ask.BusinessCase(
    problem="The basket computes prices in four places.",
    benefits_of_fixing=(BENEFIT,),
    risks_of_ignoring=(RISK,),
    risks_of_fixing=("A rounding rule may be missed.",),
    no_benefits_of_ignoring="Nothing else waits for these people.",
)
SUBMIT = ask.SubmitProposal(DEBT, TEAM, "One place for prices", CASE, "component:default/checkout", "duplication")

SUBMITTED = facts.ProposalSubmitted(TEAM, "One place for prices", ENGINEER, "component:default/checkout", "duplication")
SCREENED = facts.CriticalityScreened(critical=False)


def case(version: int = 1, note: str | None = None) -> facts.BusinessCaseRevised:
    return facts.BusinessCaseRevised(
        case_version=version,
        problem=CASE.problem,
        benefits_of_fixing=CASE.benefits_of_fixing,
        risks_of_fixing=CASE.risks_of_fixing,
        risks_of_ignoring=CASE.risks_of_ignoring,
        no_benefits_of_ignoring=CASE.no_benefits_of_ignoring,
        change_note=note,
    )


ADMITTED = (SUBMITTED, SCREENED, case())
ESTIMATED = facts.EstimateGiven(
    1, Decimal(2), Decimal(4), Decimal("8.5"), confidence=0.7, basis=EstimateBasis.BREAKDOWN
)
ASSESSED = facts.ImpactAssessed(1, MomentumLevel.M2, ImpactMethod.MEASURED, 0.8, Decimal(8))
READY = (*ADMITTED, ESTIMATED, ASSESSED)

REASON = Reason("BAD_TIMING", "The tax change comes first, and the same people do both.", "until the end of June")
ON_A_DAY = RevisitCondition(RevisitKind.DATE, on=NOW + timedelta(days=30))

DECLINE = ask.TakeDecision(
    decision_id=DECISION,
    proposal_id=DEBT,
    review_id=REVIEW,
    verdict=Verdict.NO,
    disposition=Disposition.DECLINE,
    case_version=1,
    estimate_version=1,
    impact_version=1,
    reasons=(REASON,),
    reconsider_if="A second team wants to compute prices.",
)
BASIS = Basis(1, 1, 1)


def decided(disposition: Disposition, decision_id: DecisionId = DECISION, **more: Any) -> facts.DecisionTaken:
    """A decision as a review would have recorded it; `more` changes what it says."""
    verdict = Verdict.YES if disposition is Disposition.SCHEDULE else Verdict.NO
    told: dict[str, Any] = {"review_id": REVIEW, "basis": BASIS, "decider": MANAGER} | more
    return facts.DecisionTaken(decision_id, verdict, disposition, **told)


ACCEPTED = (*READY, decided(Disposition.SCHEDULE, days_reserved=Decimal("4.5")))
DECLINED = (*READY, decided(Disposition.DECLINE, reasons=(REASON,), reconsider_if="A second team wants it."))
POSTPONED = (*READY, decided(Disposition.POSTPONE, reasons=(REASON,), revisit=(ON_A_DAY,)))
REDIRECTED = (*READY, decided(Disposition.REDIRECT, reasons=(REASON,)))


def item(
    proposal_id: ProposalId = DEBT, score: float | None = 1.5, rank: int | None = 1, version: int = 1
) -> AgendaItem:
    return AgendaItem(proposal_id, AgendaCause.NEW, version, 1, 1, score, rank)


def review(**changes: Any) -> ReviewState:
    """An open product review of the team with 20 days, with the debt alone on its agenda."""
    as_usual: dict[str, Any] = {
        "team_id": TEAM,
        "kind": ReviewKind.PRODUCT,
        "phase": ReviewPhase.OPEN,
        "items": (item(),),
        "capacity": Decimal(20),
    }
    return ReviewState(REVIEW, starts_at=START, **(as_usual | changes))


CODES = {reason.code: reason.companion for reason in REASON_CODES}
#: What a decide function is told besides state and command, unless a test says otherwise.
CONTEXT: dict[str, dict[str, Any]] = {
    "decide_take_decision": {
        "review": review(),
        "formula": DEFAULT_FORMULA,
        "codes": CODES,
        "others": (OTHER, THIRD),
        "policies": {},
    },
    "decide_explain_decision": {"codes": CODES},
    "decide_assess_impact": {"weekly_hours": Decimal(200)},
    **{
        f"decide_{verb}": {"others": {}}
        for verb in ("add_dependency", "merge_proposal", "supersede_proposal", "split_proposal")
    },
}


def decide_name(command: type[Struct]) -> str:
    return "decide_" + re.sub(r"(?<!^)(?=[A-Z])", "_", command.__name__).lower()


def event(fact: Struct, version: int, stream_id: UUID = DEBT, at: datetime | None = None) -> Event:
    command_id = named(f"command {version}")
    return Event(
        event_id=event_id(command_id, 0),
        stream_id=stream_id,
        version=version,
        occurred_at=at if at is not None else START + timedelta(days=version),
        actor=Actor(ENGINEER, Role.ENGINEER),
        command_id=command_id,
        correlation_id=command_id,
        fact=fact,
        position=version,
    )


class Scenario:
    """The facts so far, and what follows from them."""

    def __init__(self, recorded: tuple[Struct, ...], stream_id: UUID = DEBT) -> None:
        self.recorded = recorded
        self._state: ProposalState | None = None
        for version, fact in enumerate(recorded, 1):
            self._state = evolve(self._state, event(fact, version, stream_id))

    @property
    def state(self) -> ProposalState:
        assert self._state is not None, "nothing was given"
        return self._state

    def when(
        self, command: Struct, *, by: MemberId = ENGINEER, occurred_at: datetime | None = None, **context: Any
    ) -> "Outcome":
        name = decide_name(type(command))
        decide: Callable[..., list[Struct]] = getattr(proposal, name)
        issued = Issued(command, named("asked now"), by, NOW, occurred_at=occurred_at)
        try:
            return Outcome(self, decide(self._state, issued, **(CONTEXT.get(name, {}) | context)), None)
        except Rejected as no:
            return Outcome(self, [], no)


class Outcome:
    """What a command led to: facts, or a no."""

    def __init__(self, before: Scenario, found: list[Struct], no: Rejected | None) -> None:
        self._before, self._found, self.no = before, found, no

    @property
    def facts(self) -> list[Any]:
        assert self.no is None, f"it was refused: {self.no.code} {self.no.message}"
        return self._found

    def then(self, *expected: Struct) -> Scenario:
        assert self.facts == list(expected)
        return self.recorded

    @property
    def recorded(self) -> Scenario:
        """The facts with those that the command led to."""
        return Scenario((*self._before.recorded, *self.facts))

    def refused(self, code: Code, *path: str, saying: str | None = None) -> Self:
        assert self.no is not None, f"it was not refused: {self._found}"
        assert (self.no.code, self.no.path) == (code, path), self.no.message
        assert self.no.message.endswith("."), self.no.message
        if saying is not None:
            assert self.no.message == saying
        return self


def given(*recorded: Struct) -> Scenario:
    return Scenario(recorded)


def another(*recorded: Struct, proposal_id: ProposalId = OTHER) -> dict[ProposalId, ProposalState]:
    """Another proposal that exists, as a decide function is told of it."""
    return {proposal_id: Scenario(recorded or ADMITTED, proposal_id).state}
