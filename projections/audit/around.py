"""What stands around a decision: concerns and appeals, its review, the team's promise and the policy in force."""

from msgspec import Struct
from msgspec.structs import replace

from ledger.events.envelope import Event
from ledger.events.policy import PolicyDefined, PolicyRevised
from ledger.events.proposal import (
    AppealDismissed,
    AppealLodged,
    AppealUpheld,
    ConcernAnswered,
    ConcernOverruled,
    ConcernRaised,
    ConcernResolved,
)
from ledger.events.review import ReviewClosed, ReviewOpened, ReviewScheduled, ReviewSkipped
from ledger.events.team import ServiceLevelSet, TeamFormed
from ledger.values import (
    ConcernId,
    PolicyId,
    ReviewId,
    ReviewKind,
    TeamId,
)
from projections.audit.structs import (
    AppealRecord,
    AppealState,
    AuditedReview,
    AuditedTeam,
    ConcernRecord,
    ConcernState,
    PolicyVersion,
)
from projections.audit.tables import (
    APPEALS,
    CONCERNS,
    DECISIONS,
    POLICIES,
    PROPOSALS,
    REVIEWS,
    TEAMS,
)
from projections.projector import Projector
from projections.rows import Rows


def concern_raised(rows: Rows, event: Event, fact: ConcernRaised) -> None:
    """This will keep a concern as open."""
    proposal = rows.need(PROPOSALS, event.stream_id)
    rows.put(
        CONCERNS,
        ConcernRecord(
            fact.concern_id,
            proposal.proposal_id,
            proposal.team_id,
            proposal.title,
            fact.raised_by,
            fact.text,
            event.occurred_at,
            event.position,
            fact.blocking,
        ),
    )


def concern_answered(rows: Rows, event: Event, fact: ConcernAnswered) -> None:
    """This will set the answer beside the concern."""
    _concern(
        rows,
        fact.concern_id,
        state=ConcernState.ANSWERED,
        answer=fact.text,
        answered_by=fact.answered_by,
        answered_at=event.occurred_at,
    )


def concern_resolved(rows: Rows, event: Event, fact: ConcernResolved) -> None:
    """This will close the concern as its raiser wished."""
    _concern(
        rows,
        fact.concern_id,
        state=ConcernState.RESOLVED,
        resolved_at=event.occurred_at,
        resolution=fact.note,
    )


def concern_overruled(rows: Rows, event: Event, fact: ConcernOverruled) -> None:
    """This will close the concern against its raiser, with the reason."""
    _concern(
        rows,
        fact.concern_id,
        state=ConcernState.OVERRULED,
        overruled_by=fact.overruled_by,
        overruled_at=event.occurred_at,
        overruled_because=fact.reason,
    )


def _concern(rows: Rows, concern_id: ConcernId, **changes: object) -> None:
    rows.put(CONCERNS, replace(rows.need(CONCERNS, concern_id), **changes))


def appeal_lodged(rows: Rows, event: Event, fact: AppealLodged) -> None:
    """This will keep an appeal as open."""
    decision = rows.need(DECISIONS, fact.decision_id)
    rows.put(DECISIONS, replace(decision, appealed=True))
    rows.put(
        APPEALS,
        AppealRecord(
            fact.appeal_id,
            fact.decision_id,
            decision.proposal_id,
            decision.team_id,
            decision.title,
            fact.by,
            fact.grounds,
            fact.text,
            event.occurred_at,
            event.position,
        ),
    )


def appeal_heard(rows: Rows, event: Event, fact: AppealUpheld | AppealDismissed) -> None:
    """This will end an appeal; one that is upheld overturns its decision, though it may have been reopened before."""
    appeal, upheld = rows.need(APPEALS, fact.appeal_id), isinstance(fact, AppealUpheld)
    if upheld:
        rows.put(DECISIONS, replace(rows.need(DECISIONS, appeal.decision_id), overturned=True))
    rows.put(
        APPEALS,
        replace(
            appeal,
            state=AppealState.UPHELD if upheld else AppealState.DISMISSED,
            heard_by=fact.heard_by,
            heard_at=event.occurred_at,
            outcome=fact.reason,
        ),
    )


def review_scheduled(rows: Rows, event: Event, fact: ReviewScheduled) -> None:
    """This will note a review."""
    rows.put(REVIEWS, AuditedReview(ReviewId(event.stream_id), fact.team_id, fact.kind, fact.starts_at))


def review_opened(rows: Rows, event: Event, fact: ReviewOpened) -> None:
    """This will note what the review could know."""
    review = rows.need(REVIEWS, event.stream_id)
    rows.put(REVIEWS, replace(review, opened_at=event.occurred_at, knowledge_position=fact.knowledge_position))


def review_closed(rows: Rows, event: Event, fact: ReviewClosed) -> None:
    """This will count a product review as held."""
    review = rows.need(REVIEWS, event.stream_id)
    rows.put(REVIEWS, replace(review, closed_at=event.occurred_at, minutes_url=fact.minutes_url))
    if review.kind is ReviewKind.PRODUCT:
        team = rows.need(TEAMS, review.team_id)
        rows.put(TEAMS, replace(team, reviews_held=team.reviews_held + 1))


def review_skipped(rows: Rows, event: Event, fact: ReviewSkipped) -> None:
    """This will note that the review was not held."""
    rows.put(REVIEWS, replace(rows.need(REVIEWS, event.stream_id), skipped=True))


def team_formed(rows: Rows, event: Event, fact: TeamFormed) -> None:
    """This will note a team."""
    rows.put(TEAMS, AuditedTeam(TeamId(event.stream_id), fact.name))


def service_level_set(rows: Rows, event: Event, fact: ServiceLevelSet) -> None:
    """This will note what the team promises from now on."""
    team = rows.need(TEAMS, event.stream_id)
    rows.put(TEAMS, replace(team, days_to_decide=fact.days_to_decide, hours_to_tell=fact.hours_to_tell))


def policy_defined(rows: Rows, event: Event, fact: PolicyDefined) -> None:
    """This will keep a policy's first version."""
    rows.put(POLICIES, PolicyVersion(PolicyId(event.stream_id), 1, fact.name, fact.formula, event.occurred_at))


def policy_revised(rows: Rows, event: Event, fact: PolicyRevised) -> None:
    """This will keep a later version beside the earlier ones."""
    first = rows.need(POLICIES, (event.stream_id, 1))
    rows.put(POLICIES, replace(first, version=fact.policy_version, formula=fact.formula, at=event.occurred_at))


AROUND: dict[type[Struct], Projector] = {
    ConcernRaised: concern_raised,
    ConcernAnswered: concern_answered,
    ConcernResolved: concern_resolved,
    ConcernOverruled: concern_overruled,
    AppealLodged: appeal_lodged,
    AppealUpheld: appeal_heard,
    AppealDismissed: appeal_heard,
    ReviewScheduled: review_scheduled,
    ReviewOpened: review_opened,
    ReviewClosed: review_closed,
    ReviewSkipped: review_skipped,
    TeamFormed: team_formed,
    ServiceLevelSet: service_level_set,
    PolicyDefined: policy_defined,
    PolicyRevised: policy_revised,
}
