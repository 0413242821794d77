"""What a replay keeps of each fact: its kind, whose it is, and up to eight figures. Words, people and links stay in the log."""

from collections.abc import Callable
from enum import IntEnum
from math import log1p, nan
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from ledger.events import policy, proposal, review, team
from ledger.events.registry import FACT_TYPES, TOPICS, Cause
from ledger.ranking import Item, expected_days, weekly_risk
from ledger.values import Disposition, EstimateBasis, ImpactMethod, ReopenCause, ReviewKind, Verdict

if TYPE_CHECKING:
    from ledger.replay.numbers import Numbers

#: Figures a fact may have.
WIDTH = 8


class Kind(IntEnum):
    """The kinds of facts that a replay reads, by what they change."""

    SUBMITTED = 1
    SCREENED = 2
    CASE = 3
    ESTIMATED = 4
    IMPACT = 5
    NEEDS = 6
    NEEDS_NOT = 7
    CONCERN = 8
    CONCERN_RESOLVED = 9
    CONCERN_OVERRULED = 10
    DECIDED = 11
    CARRIED = 12
    EXPLAINED = 13
    REOPENED = 14
    REDIRECTED = 15
    WITHDRAWN = 16
    MERGED = 17
    SUPERSEDED = 18
    SPLIT = 19
    STARTED = 20
    COMPLETED = 21
    ABANDONED = 22
    BENEFIT = 23
    LOSS = 24
    REVIEW_SCHEDULED = 30
    REVIEW_OPENED = 31
    REVIEW_CLOSED = 32
    TEAM_FORMED = 40
    CAPACITY = 41
    FORMULA = 50
    ACTIVATED = 51


#: Facts about a proposal come first.
LAST_OF_PROPOSAL = Kind.LOSS
DISPOSITIONS = tuple(Disposition)
BASES = tuple(EstimateBasis)
METHODS = tuple(ImpactMethod)
CAUSES = tuple(ReopenCause)
#: Units in which a measured benefit is drag that the work took away.
HOURS_A_WEEK = frozenset({"hours/week", "hours per week", "h/week"})
#: Gives the figures of a fact; what it names gets a number of its own.
Reader: TypeAlias = "Callable[[Any, Numbers], tuple[float, ...] | None]"


class Reading(Struct, frozen=True):
    """How one type of fact is read. `stream` says whose number its stream has; None from `figures`: it changes nothing here."""

    kind: Kind
    stream: str
    figures: Reader


def _figure(value: Any) -> float:
    return nan if value is None else float(value)


def _submitted(fact: proposal.ProposalSubmitted, name: "Numbers") -> tuple[float, ...]:
    people = {*fact.co_proposers, fact.proposer} - {None}
    return name.team(fact.team_id), len(people)


def _case(fact: proposal.BusinessCaseRevised, name: "Numbers") -> tuple[float, ...]:
    count = len(fact.benefits_of_fixing)
    return fact.case_version, weekly_risk(Item(risks=fact.risks_of_ignoring)), log1p(count), count


def _estimate(fact: proposal.EstimateGiven | proposal.EstimateChanged, name: "Numbers") -> tuple[float, ...]:
    if isinstance(fact, proposal.EstimateChanged) and fact.removed:
        return fact.estimate_version, nan, nan, nan, nan, nan, nan
    days = expected_days(Item(fact.optimistic, fact.likely, fact.pessimistic))
    basis = nan if fact.basis is None else BASES.index(fact.basis)
    points = (_figure(fact.optimistic), _figure(fact.likely), _figure(fact.pessimistic))
    return fact.estimate_version, _figure(days), *points, basis, _figure(fact.confidence)


def _impact(fact: proposal.ImpactAssessed, name: "Numbers") -> tuple[float, ...]:
    level = float(fact.level.value[1])
    return (
        fact.impact_version,
        _figure(fact.drag),
        float(fact.growth),
        level,
        fact.confidence,
        METHODS.index(fact.method),
    )


def _decided(fact: proposal.DecisionTaken, name: "Numbers") -> tuple[float, ...] | None:
    if fact.scope is not None:  # of a part only
        return None
    return (
        fact.verdict is Verdict.YES,
        DISPOSITIONS.index(fact.disposition),
        -1 if fact.review_id is None else name.review(fact.review_id),
        _figure(fact.days_reserved),
        _figure(fact.score),
        _figure(fact.rank),
        _figure(fact.cut_score),
        _figure(fact.capacity_left),
    )


def _concern(fact: proposal.ConcernRaised, name: "Numbers") -> tuple[float, ...] | None:
    if not fact.blocking:
        return None
    name.blocking(fact.concern_id, raised=True)
    return (1,)


def _concern_over(fact: Any, name: "Numbers") -> tuple[float, ...] | None:
    return (-1,) if name.blocking(fact.concern_id, raised=False) else None


def _completed(fact: proposal.WorkCompleted, name: "Numbers") -> tuple[float, ...]:
    return (_figure(fact.actual_days),)


def _benefit(fact: proposal.BenefitMeasured, name: "Numbers") -> tuple[float, ...] | None:
    hours = float(fact.realised) if fact.unit.strip().lower() in HOURS_A_WEEK else nan
    return hours, fact.day


def _opened(fact: review.ReviewOpened, name: "Numbers") -> tuple[float, ...]:
    policy_number = -1 if fact.policy_id is None else name.policy(fact.policy_id)
    return fact.knowledge_position, float(fact.capacity), policy_number, fact.policy_version


def _plain(fact: Any, name: "Numbers") -> tuple[float, ...]:
    return ()


READINGS: dict[type[Struct], Reading] = {
    proposal.ProposalSubmitted: Reading(Kind.SUBMITTED, "proposal", _submitted),
    proposal.CriticalityScreened: Reading(Kind.SCREENED, "proposal", lambda f, n: (f.critical,)),
    proposal.BusinessCaseRevised: Reading(Kind.CASE, "proposal", _case),
    proposal.EstimateGiven: Reading(Kind.ESTIMATED, "proposal", _estimate),
    proposal.EstimateChanged: Reading(Kind.ESTIMATED, "proposal", _estimate),
    proposal.ImpactAssessed: Reading(Kind.IMPACT, "proposal", _impact),
    proposal.DependencyAdded: Reading(Kind.NEEDS, "proposal", lambda f, n: (n.proposal(f.needs),)),
    proposal.DependencyRemoved: Reading(Kind.NEEDS_NOT, "proposal", lambda f, n: (n.proposal(f.needs),)),
    proposal.ConcernRaised: Reading(Kind.CONCERN, "proposal", _concern),
    proposal.ConcernResolved: Reading(Kind.CONCERN_RESOLVED, "proposal", _concern_over),
    proposal.ConcernOverruled: Reading(Kind.CONCERN_OVERRULED, "proposal", _concern_over),
    proposal.DecisionTaken: Reading(Kind.DECIDED, "proposal", _decided),
    proposal.DecisionCarriedOver: Reading(Kind.CARRIED, "proposal", lambda f, n: (n.review(f.review_id), f.count)),
    proposal.DecisionExplained: Reading(Kind.EXPLAINED, "proposal", lambda f, n: (len(f.reasons),)),
    proposal.ProposalReopened: Reading(Kind.REOPENED, "proposal", lambda f, n: (CAUSES.index(f.because),)),
    proposal.ProposalRedirected: Reading(Kind.REDIRECTED, "proposal", _plain),
    proposal.ProposalWithdrawn: Reading(Kind.WITHDRAWN, "proposal", lambda f, n: (_figure(f.spent_days),)),
    proposal.ProposalMerged: Reading(Kind.MERGED, "proposal", lambda f, n: (n.proposal(f.into),)),
    proposal.ProposalSuperseded: Reading(Kind.SUPERSEDED, "proposal", _plain),
    proposal.ProposalSplit: Reading(Kind.SPLIT, "proposal", _plain),
    proposal.WorkStarted: Reading(Kind.STARTED, "proposal", lambda f, n: (f.without_yes,)),
    proposal.WorkCompleted: Reading(Kind.COMPLETED, "proposal", _completed),
    proposal.WorkAbandoned: Reading(Kind.ABANDONED, "proposal", lambda f, n: (_figure(f.spent_days),)),
    proposal.BenefitMeasured: Reading(Kind.BENEFIT, "proposal", _benefit),
    proposal.RiskMaterialised: Reading(Kind.LOSS, "proposal", lambda f, n: (float(f.loss_hours),)),
    review.ReviewScheduled: Reading(
        Kind.REVIEW_SCHEDULED, "review", lambda f, n: (n.team(f.team_id), f.kind is ReviewKind.PRODUCT)
    ),
    review.ReviewOpened: Reading(Kind.REVIEW_OPENED, "review", _opened),
    review.ReviewClosed: Reading(Kind.REVIEW_CLOSED, "review", _plain),
    team.TeamFormed: Reading(Kind.TEAM_FORMED, "team", lambda f, n: (float(f.hours_per_day), _figure(f.weekly_hours))),
    team.CapacitySet: Reading(Kind.CAPACITY, "team", lambda f, n: (float(f.days_per_cycle),)),
    policy.PolicyDefined: Reading(Kind.FORMULA, "policy", lambda f, n: (n.formula(f.formula), 1)),
    policy.PolicyRevised: Reading(Kind.FORMULA, "policy", lambda f, n: (n.formula(f.formula), f.policy_version)),
    policy.PolicyActivated: Reading(Kind.ACTIVATED, "policy", lambda f, n: (n.team(f.team_id),)),
}

#: The topics that a replay reads; the others (what was told, acknowledged, appealed, noted) move no figure.
TOPICS_READ = tuple(TOPICS[fact] for fact in READINGS)
#: Kinds that follow from a decision: dropped for an item once a replay decides it otherwise.
ENDOGENOUS = frozenset(
    reading.kind for fact, reading in READINGS.items() if FACT_TYPES[TOPICS[fact]].cause is Cause.ENDOGENOUS
)
