"""What is counted around the decisions: concerns, appeals, reviews, and what teams promise."""

from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.events.envelope import Event, is_undated
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
from ledger.events.team import CadenceSet, ServiceLevelSet, TeamFormed
from ledger.values import ReviewKind, TeamId
from projections.projector import Projector
from projections.rows import Rows
from projections.transparency.structs import CountedTeam, Matter, MatterKind
from projections.transparency.tables import MATTERS, PROPOSALS, TEAMS


def _opens(kind: MatterKind, rows: Rows, event: Event, matter_id: UUID) -> None:
    proposal = rows.need(PROPOSALS, event.stream_id)
    system = event.source.system if event.source else None
    rows.put(
        MATTERS,
        Matter(matter_id, proposal.team_id, kind, event.occurred_at, "OPEN", proposal.area, system, is_undated(event)),
    )


def concern_raised(rows: Rows, event: Event, fact: ConcernRaised) -> None:
    """This will count a concern."""
    _opens(MatterKind.CONCERN, rows, event, fact.concern_id)


def appeal_lodged(rows: Rows, event: Event, fact: AppealLodged) -> None:
    """This will count an appeal."""
    _opens(MatterKind.APPEAL, rows, event, fact.appeal_id)


def _concern(state: str) -> Projector:
    def move(rows: Rows, event: Event, fact: ConcernAnswered | ConcernResolved | ConcernOverruled) -> None:
        rows.put(MATTERS, replace(rows.need(MATTERS, fact.concern_id), state=state))

    return move


def _appeal(state: str) -> Projector:
    def end(rows: Rows, event: Event, fact: AppealUpheld | AppealDismissed) -> None:
        rows.put(MATTERS, replace(rows.need(MATTERS, fact.appeal_id), state=state))

    return end


def review_scheduled(rows: Rows, event: Event, fact: ReviewScheduled) -> None:
    """This will count a planned review at its planned time."""
    kind = MatterKind.PRODUCT_REVIEW if fact.kind is ReviewKind.PRODUCT else MatterKind.ENGINEERING_REVIEW
    rows.put(MATTERS, Matter(event.stream_id, fact.team_id, kind, fact.starts_at, "SCHEDULED"))


def review_opened(rows: Rows, event: Event, fact: ReviewOpened) -> None:
    """This will put a review at the time when it began."""
    rows.put(MATTERS, replace(rows.need(MATTERS, event.stream_id), at=event.occurred_at))


def _review(state: str) -> Projector:
    def end(rows: Rows, event: Event, fact: ReviewClosed | ReviewSkipped) -> None:
        rows.put(MATTERS, replace(rows.need(MATTERS, event.stream_id), state=state))

    return end


def team_formed(rows: Rows, event: Event, fact: TeamFormed) -> None:
    """This will note a team."""
    rows.put(TEAMS, CountedTeam(TeamId(event.stream_id), fact.name, event.occurred_at))


def cadence_set(rows: Rows, event: Event, fact: CadenceSet) -> None:
    """This will note how often the team means to meet."""
    team = rows.need(TEAMS, event.stream_id)
    rows.put(TEAMS, replace(team, engineering_days=fact.engineering_days, product_days=fact.product_days))


def service_level_set(rows: Rows, event: Event, fact: ServiceLevelSet) -> None:
    """This will note what the team promises."""
    team = rows.need(TEAMS, event.stream_id)
    rows.put(TEAMS, replace(team, days_to_decide=fact.days_to_decide, hours_to_tell=fact.hours_to_tell))


AROUND: dict[type[Struct], Projector] = {
    ConcernRaised: concern_raised,
    ConcernAnswered: _concern("ANSWERED"),
    ConcernResolved: _concern("RESOLVED"),
    ConcernOverruled: _concern("OVERRULED"),
    AppealLodged: appeal_lodged,
    AppealUpheld: _appeal("UPHELD"),
    AppealDismissed: _appeal("DISMISSED"),
    ReviewScheduled: review_scheduled,
    ReviewOpened: review_opened,
    ReviewClosed: _review("HELD"),
    ReviewSkipped: _review("SKIPPED"),
    TeamFormed: team_formed,
    CadenceSet: cadence_set,
    ServiceLevelSet: service_level_set,
}
