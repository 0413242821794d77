"""A ledger with one team at work, and the people who ask things of it. Everything goes through the handlers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from msgspec import Struct

from ledger.commands import Issued
from ledger.commands import proposal as proposals
from ledger.commands import review as reviews
from ledger.commands import team as teams
from ledger.demo.lookups import LogLookups
from ledger.handlers import Handlers, Outcome, bootstrap
from ledger.store.application import Ledger
from ledger.values import (
    ORGANISATION,
    SYSTEM,
    Benefit,
    BenefitCode,
    DecisionId,
    Disposition,
    EstimateBasis,
    ImpactMethod,
    MemberId,
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

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TEAM = TeamId(UUID(int=100))
OTHER_TEAM = TeamId(UUID(int=101))

STEWARD = MemberId(UUID(int=1))
ENGINEER = MemberId(UUID(int=2))
LEAD = MemberId(UUID(int=3))
PRODUCT = MemberId(UUID(int=4))
OBSERVER = MemberId(UUID(int=5))
AUDITOR = MemberId(UUID(int=6))
INTEGRATOR = MemberId(UUID(int=7))
STRANGER = MemberId(UUID(int=8))
#: Runs the other team's product reviews.
OTHER_PRODUCT = MemberId(UUID(int=9))

#: Everyone with a role, and where it was granted.
ROLES = (
    (ORGANISATION, STEWARD, Role.STEWARD),
    (ORGANISATION, AUDITOR, Role.AUDITOR),
    (ORGANISATION, INTEGRATOR, Role.INTEGRATOR),
    (TEAM, ENGINEER, Role.ENGINEER),
    (TEAM, LEAD, Role.ENGINEERING_LEAD),
    (TEAM, PRODUCT, Role.PRODUCT_MANAGER),
    (TEAM, OBSERVER, Role.OBSERVER),
    (OTHER_TEAM, OTHER_PRODUCT, Role.PRODUCT_MANAGER),
)

CASE = proposals.BusinessCase(
    "Every change of the checkout takes twice as long as it should.",
    (Benefit(BenefitCode.EASES_CHANGE, "One place to change instead of four."),),
    (Risk("The next rule of taxation breaks it.", 0.5, Decimal(40), 26),),
    risks_of_fixing=("A wrong total for a day.",),
    no_benefits_of_ignoring="Nothing else is made easier by leaving it.",
)
DECLINED = (
    Reason(
        "NO_COMPELLING_CASE",
        "The case rests on one slow week, and that week had another cause.",
        "figures of a quarter",
    ),
)


class World:
    """The team, its members and its ledger; each command comes a minute after the last."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.handlers = Handlers(ledger, LogLookups(ledger))
        self._minutes = count()
        self.now = MONDAY
        bootstrap(ledger, self.now, uuid4())

    def issue(self, by: MemberId, command: Struct, **envelope: Any) -> Issued[Any]:
        self.now = max(self.now, MONDAY) + timedelta(minutes=1)
        return Issued(
            command, envelope.pop("command_id", None) or uuid4(), by, envelope.pop("at", self.now), **envelope
        )

    def do(self, by: MemberId, command: Struct, **envelope: Any) -> Outcome:
        return self.handlers.handle(self.issue(by, command, **envelope))

    def staffed(self) -> "World":
        for team_id, name in ((TEAM, "Checkout"), (OTHER_TEAM, "Search")):
            self.do(SYSTEM, teams.FormTeam(team_id, name, weekly_hours=Decimal(200)))
            self.do(SYSTEM, teams.SetCapacity(team_id, Decimal(20)))
        for team_id, member_id, role in ROLES:
            self.do(SYSTEM, teams.AddMember(team_id, member_id))
            self.do(SYSTEM, teams.GrantRole(team_id, member_id, role))
        return self

    def propose(self, *, drag: int | None = 10, days: int | None = 5, by: MemberId = ENGINEER) -> ProposalId:
        """This will submit a proposal, with its drag in hours per week and its likely engineer-days."""
        proposal_id = ProposalId(uuid4())
        self.do(by, proposals.SubmitProposal(proposal_id, TEAM, "One place for totals", CASE))
        if days is not None:
            points = (Decimal(days), Decimal(days), Decimal(days))
            self.do(ENGINEER, proposals.EstimateProposal(proposal_id, *points, 1.0, EstimateBasis.BREAKDOWN))
        if drag is not None:
            self.do(ENGINEER, proposals.AssessImpact(proposal_id, ImpactMethod.MEASURED, 1.0, Decimal(drag)))
        return proposal_id

    def schedule(self, kind: ReviewKind = ReviewKind.PRODUCT) -> ReviewId:
        review_id = ReviewId(uuid4())
        by = PRODUCT if kind is ReviewKind.PRODUCT else LEAD
        self.do(by, reviews.ScheduleReview(review_id, TEAM, kind, self.now))
        return review_id

    def freeze(self, **asked: Any) -> ReviewId:
        review_id = self.schedule()
        self.do(PRODUCT, reviews.FreezeAgenda(review_id, **asked))
        return review_id

    def open(self, capacity: int | None = None, **asked: Any) -> ReviewId:
        """This will open a product review with a frozen agenda."""
        review_id = self.freeze(**asked)
        left = None if capacity is None else Decimal(capacity)
        self.do(PRODUCT, reviews.OpenReview(review_id, (PRODUCT, LEAD), left))
        return review_id

    def carry_over(self, review_id: ReviewId, proposal_id: ProposalId) -> Outcome:
        return self.do(PRODUCT, reviews.CarryOverItem(review_id, proposal_id, "The release comes first."))

    def close(self, review_id: ReviewId) -> Outcome:
        return self.do(PRODUCT, reviews.CloseReview(review_id))

    def decide(self, command: proposals.TakeDecision, by: MemberId = PRODUCT) -> Outcome:
        return self.do(by, command)


def yes(review_id: ReviewId, proposal_id: ProposalId, **given: Any) -> proposals.TakeDecision:
    """This will say YES to a proposal with one version each of case, estimate and impact."""
    return _decision(review_id, proposal_id, Verdict.YES, Disposition.SCHEDULE, **given)


def no(review_id: ReviewId, proposal_id: ProposalId, **given: Any) -> proposals.TakeDecision:
    """This will decline it, for good."""
    return _decision(
        review_id, proposal_id, Verdict.NO, Disposition.DECLINE, **{"final": True, "reasons": DECLINED, **given}
    )


def later(review_id: ReviewId, proposal_id: ProposalId, *conditions: RevisitCondition) -> proposals.TakeDecision:
    """This will postpone it: until the end of the century, unless a condition holds before."""
    last = RevisitCondition(RevisitKind.DATE, on=datetime(2099, 12, 31, tzinfo=UTC))
    return _decision(
        review_id, proposal_id, Verdict.NO, Disposition.POSTPONE, reasons=DECLINED, revisit=(*conditions, last)
    )


def _decision(
    review_id: ReviewId, proposal_id: ProposalId, verdict: Verdict, disposition: Disposition, **given: Any
) -> proposals.TakeDecision:
    versions = {"case_version": 1, "estimate_version": 1, "impact_version": 1}
    return proposals.TakeDecision(
        given.pop("decision_id", None) or DecisionId(uuid4()),
        proposal_id,
        review_id,
        verdict,
        disposition,
        **{**versions, **given},
    )
