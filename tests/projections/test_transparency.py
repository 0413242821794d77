"""The counts of a story that is known, and what a filter or a part leaves of them."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from ledger.events.proposal import (
    ConcernRaised,
    DecisionCommunicated,
    DecisionTaken,
    ProposalSubmitted,
    ProposalWithdrawn,
)
from ledger.events.team import ServiceLevelSet, TeamFormed
from ledger.values import Channel, Dating, DecisionId, Disposition, Reason, Source, Verdict
from projections.conditions import Teams
from projections.outcomes import queries as outcomes
from projections.outcomes.queries import Grouping
from projections.reviews import queries as reviews
from projections.reviews.structs import ItemState, ReviewState
from projections.transparency.counts import AreaCount, ReviewsHeld, Transparency
from projections.transparency.queries import Part, Period, transparency
from tests.projections import story as told
from tests.projections.recording import NOON, Recorder
from tests.projections.story import ask, follow

LATER = NOON + timedelta(days=60)
LIVE = Period(since=datetime(2026, 1, 1, tzinfo=UTC))


def counts(url: str, period: Period = LIVE, teams: Teams = None, as_of: int | None = None) -> Transparency:
    return ask(url, lambda c: transparency(c, teams, period, LATER, as_of=as_of))


def test_each_answer_is_counted_once(url: str) -> None:
    found = counts(url)
    assert (found.proposed, found.accepted, found.declined, found.postponed, found.redirected) == (6, 1, 1, 1, 1)
    assert (found.withdrawn, found.carried_over, found.completed, found.started) == (1, 1, 1, 1)
    assert (found.estimated, found.estimate_changes, found.proposals_with_estimate_changes) == (3, 1, 1)
    assert found.nobody_looked == 1
    assert found.imported_decisions == 0


def test_imported_history_counts_apart_what_is_scoped_and_what_was_explained_later(url: str) -> None:
    found = counts(url, Period(system="peps"))
    assert (found.proposed, found.imported_proposals, found.accepted, found.scoped_accepted) == (1, 1, 0, 1)
    assert (found.declines.count, found.declines.unexplained, found.declines.unexplained_when_decided) == (1, 0, 1)
    assert found.declines.explained_later == 1
    assert found.declines.reasoned_when_decided == 0
    assert found.postponements.reasoned_when_decided == 1
    assert found.postponements.proposals == 1
    assert (found.reopened, found.proposals_reopened) == (1, 1)


def test_shares_of_the_noes_say_what_was_told_and_understood(url: str) -> None:
    noes = counts(url).noes
    assert (noes.count, noes.told, noes.promised, noes.told_in_time) == (3, 1, 3, 1)
    assert noes.share_told == pytest.approx(1 / 3)
    assert noes.share_with_reason == 1
    assert (noes.acknowledged, noes.understood) == (1, 1)
    assert counts(url, Period(until=datetime(1990, 1, 1, tzinfo=UTC))).noes.share_told is None


def test_a_no_with_time_left_to_tell_it_is_neither_in_time_nor_late(recorder: Recorder, database_url: str) -> None:
    recorder.record((told.TEAM, TeamFormed("checkout")), (told.TEAM, ServiceLevelSet(30, 48)))
    for number in range(3):
        proposal, decision = uuid4(), DecisionId(uuid4())
        recorder.record((proposal, ProposalSubmitted(told.TEAM, "An old one", told.ANA)))
        no = DecisionTaken(decision, Verdict.NO, Disposition.DECLINE, reasons=(Reason("OTHER", ""),))
        recorder.record((proposal, no))
        if number == 0:
            recorder.record((proposal, DecisionCommunicated(decision, Channel.CHAT, (told.ANA,))))
    follow(database_url, recorder)

    def noes(now: datetime) -> tuple[int, int, int, float | None]:
        found = ask(database_url, lambda c: transparency(c, None, Period(), now)).noes
        return found.promised, found.told_in_time, found.still_in_time, found.share_told_in_time

    assert noes(NOON + timedelta(hours=1)) == (3, 1, 2, 1.0)
    assert noes(LATER) == (3, 1, 0, pytest.approx(1 / 3))


def test_time_to_decision_is_from_submission_to_first_answer(url: str) -> None:
    waiting = counts(url).time_to_decision
    assert waiting.count == 4
    assert waiting.median_days == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize(
    ("submitted", "answered", "count"),
    [
        (None, None, 1),
        (Dating.DAY, Dating.DAY, 1),
        (Dating.NOT_AFTER, None, 0),
        (None, Dating.UNDATED, 0),
        (Dating.DAY, Dating.NOT_BEFORE, 0),
    ],
)
def test_how_long_an_answer_took_is_reckoned_where_the_source_vouches_for_both_days(
    recorder: Recorder, database_url: str, submitted: Dating | None, answered: Dating | None, count: int
) -> None:
    proposal = uuid4()
    recorder.record(
        (proposal, ProposalSubmitted(told.TEAM, "An old one", None)), source=Source("s", "1", dating=submitted)
    )
    no = DecisionTaken(uuid4(), Verdict.NO, Disposition.DECLINE, reasons=(Reason("NOT_RECORDED", ""),))
    recorder.record((proposal, no), source=Source("s", "1", dating=answered))
    follow(database_url, recorder)
    found = counts(database_url, Period())
    assert (found.declined, found.time_to_decision.count) == (1, count)


def test_what_no_source_dates_is_in_no_period_and_no_month(recorder: Recorder, database_url: str) -> None:
    for number, dating in enumerate((Dating.UNDATED, Dating.NOT_AFTER)):
        proposal, source = uuid4(), Source("s", str(number), dating=dating)
        no = DecisionTaken(uuid4(), Verdict.NO, Disposition.DECLINE, reasons=(Reason("NOT_RECORDED", ""),))
        concern = ConcernRaised(uuid4(), told.ENGINEER.member_id, "It is slow.")
        recorder.record((proposal, ProposalSubmitted(told.TEAM, "An old one", None)), source=source)
        recorder.record((proposal, concern), (proposal, no), (proposal, ProposalWithdrawn("Done.")), source=source)
    follow(database_url, recorder)
    found = counts(database_url, Period())
    assert (found.proposed, found.declined, found.withdrawn, found.concerns.raised) == (2, 2, 2, 2)
    months = [(month.month, month.proposed, month.declined, month.withdrawn) for month in found.months]
    assert months == [(None, 1, 1, 1), (date(2026, 1, 1), 1, 1, 1)]
    for period in (LIVE, Period(until=LATER)):
        found = counts(database_url, period)
        assert (found.proposed, found.declined, found.withdrawn, found.concerns.raised) == (1, 1, 1, 1)


def test_concerns_appeals_and_reviews_are_counted_by_where_they_stand(url: str) -> None:
    found = counts(url)
    assert (found.concerns.raised, found.concerns.unanswered, found.concerns.resolved) == (2, 1, 1)
    assert (found.appeals.lodged, found.appeals.dismissed, found.appeals.open) == (1, 1, 0)
    assert found.product_reviews == ReviewsHeld(held=1, skipped=1, expected=2)


def test_reviews_are_held_against_the_cadence_by_now_and_by_a_whole_team(url: str) -> None:
    whole = ReviewsHeld(held=1, skipped=1, expected=2)
    assert counts(url, replace(LIVE, area="component:default/checkout")).product_reviews == whole
    assert counts(url, replace(LIVE, until=LATER + timedelta(days=900))).product_reviews == whole
    assert counts(url, replace(LIVE, area="nowhere")).concerns.raised == 0
    assert counts(url, Period(system="peps")).product_reviews == ReviewsHeld()


def test_reasons_areas_teams_and_months_are_listed(url: str) -> None:
    found = counts(url, Period())
    assert {reason.code: reason.count for reason in found.reasons}["AREA_SUNSET"] == 1
    assert found.declines_by_area == (AreaCount("component:default/checkout", 1), AreaCount(None, 1))
    assert [(b.team_id, b.proposed, b.declined) for b in found.teams] == [(told.TEAM, 6, 1), (told.OTHER_TEAM, 1, 1)]
    january = next(b for b in found.months if b.month and (b.month.year, b.month.month) == (2026, 1))
    assert (january.proposed, january.accepted, january.declined, january.redirected) == (5, 1, 1, 1)


def test_only_visible_teams_are_counted(url: str) -> None:
    found = counts(url, Period(), {told.OTHER_TEAM})
    assert (found.proposed, found.declined, found.accepted) == (1, 1, 0)
    assert [b.team_id for b in found.teams] == [told.OTHER_TEAM]


def test_as_of_a_past_position_counts_what_stood_then(url: str) -> None:
    import psycopg

    with psycopg.connect(url) as connection:
        query = "SELECT position FROM ledger.events WHERE topic = 'DecisionExplained' AND stream_id = %s"
        ((position,),) = connection.execute(query, [told.OLD]).fetchall()
    found = counts(url, Period(system="peps"), as_of=position - 1)
    assert (found.declines.unexplained, found.declines.explained_later) == (1, 0)


def test_a_part_that_is_not_asked_for_is_not_counted(url: str) -> None:
    found = ask(url, lambda c: transparency(c, None, LIVE, LATER, parts=[Part.PROPOSALS]))
    assert found == Transparency(proposed=6, nobody_looked=1)


def test_a_review_has_its_agenda_with_what_became_of_each_item(url: str) -> None:
    found = ask(url, lambda c: reviews.review(c, {told.TEAM}, told.REVIEW))
    assert found is not None
    assert found.review.state is ReviewState.CLOSED
    assert (found.review.decided_count, found.review.accepted_count, found.review.carried_over_count) == (4, 1, 1)
    assert (found.review.capacity, found.review.reserved) == (10, 5)
    lines = [(line.proposal and line.proposal.title, line.item.state) for line in found.lines]
    assert lines[0] == ("Two price engines", ItemState.DECIDED)
    assert lines[3] == ("Old logger", ItemState.CARRIED_OVER)
    assert ask(url, lambda c: reviews.review(c, {told.OTHER_TEAM}, told.REVIEW)) is None
    assert ask(url, lambda c: reviews.reviews_held(c, told.TEAM)) == 1


def test_reviews_are_listed_the_latest_first(url: str) -> None:
    found = ask(url, lambda c: reviews.reviews(c, None, limit=5))
    assert [r.review_id for r in found] == [told.SECOND_REVIEW, told.REVIEW]
    skipped = ask(url, lambda c: reviews.reviews(c, None, limit=5, states=[ReviewState.SKIPPED]))
    assert [r.skip_reason for r in skipped] == ["Holidays."]


def test_calibration_sets_actual_beside_expected_days(url: str) -> None:
    found = ask(url, lambda c: outcomes.calibration(c, None, outcomes.Scope(), by=Grouping.BASIS))
    assert found.overall.count == 1
    assert found.overall.median == pytest.approx(2)  # 10 days of (2 + 4·4 + 12) / 6 = 5
    assert (found.overall.with_interval, found.overall.covered) == (1, 1)
    assert [g.group for g in found.groups] == ["ANALOGY"]
    assert [(b.promised, b.realised) for b in found.benefits] == [(4, 3)]
    empty = ask(url, lambda c: outcomes.calibration(c, {told.OTHER_TEAM}, outcomes.Scope()))
    assert (empty.overall.count, empty.overall.median, empty.groups) == (0, None, ())


def test_the_cost_of_no_is_what_was_lost_on_items_left_undone(url: str) -> None:
    found = ask(url, lambda c: outcomes.cost_of_no(c, None, outcomes.Scope()))
    assert (found.losses, found.hours, found.hours_declined, found.left_undone) == (1, 30, 30, 3)
    assert [(g.group, g.hours) for g in found.by_reason] == [("AREA_SUNSET", 30), ("OPPORTUNITY_COST", 30)]
