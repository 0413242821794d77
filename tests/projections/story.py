"""One team's story with each turn that the views tell: declined and appealed, postponed and back, imported without a reason."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID, uuid5

import psycopg

from ledger.events import policy, proposal, review, team
from ledger.ranking import Formula
from ledger.values import (
    NAMESPACE,
    Acknowledgement,
    Actor,
    AgendaCause,
    AgendaItem,
    AppealGrounds,
    AppealId,
    Basis,
    Benefit,
    BenefitCode,
    Channel,
    ConcernId,
    DecisionId,
    Disposition,
    EffortUnit,
    EstimateBasis,
    EstimateCause,
    ImpactMethod,
    MemberId,
    MomentumLevel,
    PolicyId,
    PolicyMethod,
    ProposalId,
    Reason,
    RedirectTarget,
    ReopenCause,
    ReviewId,
    ReviewKind,
    RevisitCondition,
    RevisitKind,
    Risk,
    Role,
    Source,
    TeamId,
    Verdict,
)
from projections.audit import projector as audit_projector
from projections.conditions import Connection
from projections.follower import Follower
from projections.outcomes import projector as outcomes_projector
from projections.reviews import projector as reviews_projector
from projections.transparency import projector as transparency_projector
from tests.projections.recording import NOON, Recorder

VIEWS = (audit_projector.VIEW, transparency_projector.VIEW, reviews_projector.VIEW, outcomes_projector.VIEW)
T = TypeVar("T")


def named(word: str) -> UUID:
    return uuid5(NAMESPACE, word)


TEAM, OTHER_TEAM = TeamId(named("checkout")), TeamId(named("search"))
ANA, BEN = MemberId(named("ana")), MemberId(named("ben"))
ENGINEER, MANAGER = Actor(ANA, Role.ENGINEER), Actor(BEN, Role.PRODUCT_MANAGER)
POLICY = PolicyId(named("policy"))
REVIEW, SECOND_REVIEW = ReviewId(named("review")), ReviewId(named("review 2"))
DECLINED, POSTPONED, ACCEPTED, CARRIED = (
    ProposalId(named(word)) for word in ("declined", "postponed", "accepted", "carried")
)
REDIRECTED, UNSEEN, OLD = (ProposalId(named(word)) for word in ("redirected", "unseen", "old"))
NO, NOT_NOW, YES, ELSEWHERE, SCOPED, OLD_DEFERRAL, OLD_NO = (
    DecisionId(named(f"decision {n}")) for n in ("no", "not now", "yes", "elsewhere", "scoped", "deferral", "old no")
)
CONCERN, OPEN_CONCERN = ConcernId(named("concern")), ConcernId(named("open concern"))
APPEAL = AppealId(named("appeal"))
TEXT = "The checkout is replaced next year, so that this would be thrown away."
OLD_SOURCE = Source("peps", "pep-0315", "https://peps.example/pep-0315", None, datetime(2006, 2, 24, tzinfo=UTC))


def submitted(title: str, area: str | None = "component:default/checkout") -> proposal.ProposalSubmitted:
    return proposal.ProposalSubmitted(TEAM, title, ANA, area)


def case(version: int, problem: str) -> proposal.BusinessCaseRevised:
    return proposal.BusinessCaseRevised(
        version,
        problem,
        (Benefit(BenefitCode.EASES_CHANGE, "one place to change"),),
        risks_of_ignoring=(Risk("an outage", 0.5, Decimal(40), 26),),
        change_note=None if version == 1 else "figures added",
    )


def impact(version: int, drag: str) -> proposal.ImpactAssessed:
    return proposal.ImpactAssessed(version, MomentumLevel.M2, ImpactMethod.MEASURED, 0.8, Decimal(drag))


def estimate(low: int, likely: int, high: int) -> proposal.EstimateGiven:
    days = (Decimal(low), Decimal(likely), Decimal(high))
    return proposal.EstimateGiven(1, *days, confidence=0.5, basis=EstimateBasis.ANALOGY)


def agenda_item(proposal_id: ProposalId, rank: int, cause: AgendaCause = AgendaCause.NEW) -> AgendaItem:
    return AgendaItem(proposal_id, cause, 1, 1, 1, 4.0 / rank, rank)


def tell(recorder: Recorder) -> None:
    """This will record the whole story. It begins at NOON."""
    r = recorder
    r.record(
        (TEAM, team.TeamFormed("checkout")),
        (TEAM, team.CadenceSet(14, 28)),
        (TEAM, team.ServiceLevelSet(30, 48)),
        (OTHER_TEAM, team.TeamFormed("search")),
        (POLICY, policy.PolicyDefined("momentum", Formula(PolicyMethod.MOMENTUM))),
        (POLICY, policy.PolicyActivated(TEAM, NOON)),
    )
    for proposal_id, title in ((DECLINED, "Two price engines"), (POSTPONED, "Slow build"), (ACCEPTED, "Flaky tests")):
        r.record(
            (proposal_id, submitted(title)), (proposal_id, case(1, f"{title}: hours lost every week")), by=ENGINEER
        )
        r.record((proposal_id, estimate(2, 4, 12)), (proposal_id, impact(1, "6")), by=ENGINEER)
    r.record((CARRIED, submitted("Old logger", None)), by=ENGINEER)
    r.record((REDIRECTED, submitted("Wrong list")), by=ENGINEER)
    r.record((DECLINED, proposal.ConcernRaised(CONCERN, ANA, "Who keeps both in step?", True)), by=ENGINEER)
    r.record((DECLINED, proposal.ConcernAnswered(CONCERN, BEN, "A nightly check does.")), by=MANAGER)
    r.record((DECLINED, proposal.ConcernResolved(CONCERN, "Good.")), by=ENGINEER)
    r.record((CARRIED, proposal.ConcernRaised(OPEN_CONCERN, ANA, "Nobody owns it.")), by=ENGINEER)
    _first_review(r)
    _answers(r)
    _outcomes(r)
    _second_review(r)
    _old_history(r)


def _first_review(r: Recorder) -> None:
    items = (DECLINED, POSTPONED, ACCEPTED, CARRIED, REDIRECTED)
    r.record((REVIEW, review.ReviewScheduled(TEAM, ReviewKind.PRODUCT, NOON + timedelta(days=10))), by=MANAGER)
    r.at = NOON + timedelta(days=10)
    agenda = tuple(agenda_item(item, rank) for rank, item in enumerate(items, 1))
    r.record((REVIEW, review.AgendaFrozen(agenda, POLICY, 1)), by=MANAGER)
    opened = review.ReviewOpened(r.ledger.head(), Decimal(10), (ANA, BEN), POLICY, 1)
    r.record((REVIEW, opened), by=MANAGER)
    basis = Basis(1, 1, 1, POLICY, 1)
    yes = proposal.DecisionTaken(
        YES,
        Verdict.YES,
        Disposition.SCHEDULE,
        REVIEW,
        basis,
        rank=3,
        capacity_left=Decimal(10),
        days_reserved=Decimal(5),
        decider=BEN,
    )
    r.record((ACCEPTED, yes), (REVIEW, review.ItemDecided(ACCEPTED, YES, Verdict.YES, Decimal(5))), by=MANAGER)
    no = proposal.DecisionTaken(
        NO,
        Verdict.NO,
        Disposition.DECLINE,
        REVIEW,
        basis,
        score=0.96,
        rank=1,
        cut_score=0.5,
        capacity_left=Decimal(5),
        reasons=(Reason("AREA_SUNSET", TEXT, "2027-01-01"), Reason("OPPORTUNITY_COST", TEXT)),
        chosen_instead=(ACCEPTED,),
        reconsider_if="The replacement is called off.",
        decider=BEN,
    )
    r.record((DECLINED, no), (REVIEW, review.ItemDecided(DECLINED, NO, Verdict.NO)), by=MANAGER)
    conditions = (
        RevisitCondition(RevisitKind.DATE, on=NOON + timedelta(days=100)),
        RevisitCondition(RevisitKind.AFTER_REVIEWS, count=2),
        RevisitCondition(RevisitKind.ITEM_DELIVERED, proposal_id=ACCEPTED),
        RevisitCondition(RevisitKind.DRAG_ABOVE, hours=Decimal(9)),
        RevisitCondition(RevisitKind.ESTIMATE_BELOW, days=Decimal(3)),
        RevisitCondition(RevisitKind.INCIDENTS_AT_LEAST, count=2),
        RevisitCondition(RevisitKind.CASE_REVISED),
    )
    not_now = proposal.DecisionTaken(
        NOT_NOW,
        Verdict.NO,
        Disposition.POSTPONE,
        REVIEW,
        basis,
        reasons=(Reason("BAD_TIMING", TEXT, "after the season"),),
        revisit=conditions,
        decider=BEN,
    )
    r.record((POSTPONED, not_now), (REVIEW, review.ItemDecided(POSTPONED, NOT_NOW, Verdict.NO)), by=MANAGER)
    r.record(
        (CARRIED, proposal.DecisionCarriedOver(REVIEW, "Nobody knew it.", 1)),
        (REVIEW, review.ItemCarriedOver(CARRIED, "Nobody knew it.")),
        by=MANAGER,
    )
    elsewhere = proposal.DecisionTaken(
        ELSEWHERE,
        Verdict.NO,
        Disposition.REDIRECT,
        REVIEW,
        basis,
        reasons=(Reason("OUT_OF_SCOPE", TEXT, "search"),),
        decider=BEN,
        redirect=RedirectTarget.TEAM,
    )
    r.record(
        (REDIRECTED, elsewhere),
        (REDIRECTED, proposal.ProposalRedirected(RedirectTarget.TEAM, TEXT, team_id=OTHER_TEAM)),
        (REVIEW, review.ItemDecided(REDIRECTED, ELSEWHERE, Verdict.NO)),
        by=MANAGER,
    )
    r.record((REVIEW, review.ReviewClosed("https://minutes.example/1")), by=MANAGER)


def _answers(r: Recorder) -> None:
    r.record((DECLINED, proposal.DecisionCommunicated(NO, Channel.EMAIL, (BEN,))), by=MANAGER)
    r.at = NOON + timedelta(days=11)
    r.record((DECLINED, proposal.DecisionCommunicated(NO, Channel.CHAT, (ANA, BEN), "thread 7")), by=MANAGER)
    r.record((DECLINED, proposal.DecisionAcknowledged(NO, ANA, Acknowledgement.NOT_UNDERSTOOD)), by=ENGINEER)
    r.record((DECLINED, proposal.ConcernPlayedBack(NO, BEN, "You fear the sums differ.")), by=MANAGER)
    r.record((DECLINED, proposal.PlaybackCorrected(NO, ANA, "I fear the refunds.")), by=ENGINEER)
    r.record((DECLINED, proposal.ConcernPlayedBack(NO, BEN, "You fear wrong refunds.")), by=MANAGER)
    r.record((DECLINED, proposal.PlaybackConfirmed(NO, ANA)), by=ENGINEER)
    more = (Reason("COST_EXCEEDS_BENEFIT", "Twelve days for two hours a week is too dear.", "12 d / 2 h"),)
    r.record((DECLINED, proposal.DecisionExplained(NO, more)), by=MANAGER)
    lodged = proposal.AppealLodged(APPEAL, NO, ANA, AppealGrounds.NEW_INFORMATION, "The replacement is late.")
    r.record((DECLINED, lodged), by=ENGINEER)
    r.record((DECLINED, proposal.AppealDismissed(APPEAL, MemberId(named("cleo")), "It is late by a month only.")))
    r.record((DECLINED, case(2, "Two price engines: nine hours lost every week")), by=ENGINEER)
    r.record((DECLINED, proposal.RiskMaterialised(Decimal(30), "INC-1", "A wrong refund.")), by=ENGINEER)


def _outcomes(r: Recorder) -> None:
    r.at = NOON + timedelta(days=20)
    r.record((ACCEPTED, proposal.WorkStarted()), by=ENGINEER)
    r.at = NOON + timedelta(days=30)
    r.record((ACCEPTED, proposal.WorkCompleted(Decimal(10))), by=ENGINEER)
    measured = proposal.BenefitMeasured("EASES_CHANGE", 30, Decimal(3), "hours/week", ImpactMethod.MEASURED, Decimal(4))
    r.record((ACCEPTED, measured), by=ENGINEER)
    changed = proposal.EstimateChanged(
        2, Decimal(1), Decimal(2), Decimal(3), cause=EstimateCause.SPIKE_DONE, confidence=0.9
    )
    r.record((POSTPONED, changed), (POSTPONED, impact(2, "8")), by=ENGINEER)


def _second_review(r: Recorder) -> None:
    starts = NOON + timedelta(days=38)
    r.at = starts
    r.record((SECOND_REVIEW, review.ReviewScheduled(TEAM, ReviewKind.PRODUCT, starts)), by=MANAGER)
    r.record((SECOND_REVIEW, review.ReviewSkipped("Holidays.")), by=MANAGER)
    r.record((UNSEEN, submitted("New idea")), by=ENGINEER)
    r.record((CARRIED, proposal.ProposalWithdrawn("Not worth it.")), by=ENGINEER)


def _old_history(r: Recorder) -> None:
    """This will import PEP 315 in short: deferred, revived, rejected without a reason that was recorded only later; and a part of it."""
    r.at = datetime(2003, 4, 25, tzinfo=UTC)
    r.record((OLD, proposal.ProposalSubmitted(OTHER_TEAM, "Enhanced While Loop", None)), source=OLD_SOURCE)
    first = proposal.EstimateGiven(1, None, None, None, unit=EffortUnit.TARGET, value="2.4")
    r.record((OLD, first), source=OLD_SOURCE)
    later = proposal.EstimateChanged(2, None, None, None, unit=EffortUnit.TARGET, value="2.5", previous_value="2.4")
    r.record((OLD, later), source=OLD_SOURCE)
    scoped = proposal.DecisionTaken(SCOPED, Verdict.YES, Disposition.SCHEDULE, scope="syntax")
    r.record((OLD, scoped), source=OLD_SOURCE)
    r.at = datetime(2006, 2, 24, tzinfo=UTC)
    deferral = proposal.DecisionTaken(
        OLD_DEFERRAL,
        Verdict.NO,
        Disposition.POSTPONE,
        reasons=(Reason("NOT_CLASSIFIED", "Deferred; see the list."),),
        verdict_raw="Deferred",
    )
    r.record((OLD, deferral), source=OLD_SOURCE)
    r.at = datetime(2009, 4, 26, tzinfo=UTC)
    r.record((OLD, proposal.ProposalReopened(ReopenCause.REPROPOSED, "Revive PEP 315.")), source=OLD_SOURCE)
    r.at = datetime(2013, 8, 4, tzinfo=UTC)
    silent = proposal.DecisionTaken(
        OLD_NO, Verdict.NO, Disposition.DECLINE, reasons=(Reason("NOT_RECORDED", ""),), verdict_raw="Rejected"
    )
    r.record((OLD, silent), source=OLD_SOURCE)
    r.at = datetime(2014, 8, 4, tzinfo=UTC)
    why = (Reason("NOT_CLASSIFIED", "Rejected; see the list."),)
    r.record((OLD, proposal.DecisionExplained(OLD_NO, why)), source=OLD_SOURCE)


def follow(url: str, recorder: Recorder, *, batch: int = 1_000) -> None:
    """This will bring all views up to the ledger's last position."""
    with Follower(url, recorder.ledger, VIEWS, batch=batch) as follower:
        for view in VIEWS:
            assert follower.wait_for(view.name, recorder.ledger.head(), 20), view.name


def ask(url: str, question: Callable[[Connection], Awaitable[T]]) -> T:
    """This will run one query of a view."""

    async def asked() -> T:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            return await question(connection)

    return asyncio.run(asked())
