"""Why not, and all that the audit view answers besides."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from msgspec import Struct
from msgspec.structs import replace

from ledger.events.proposal import DecisionTaken, ProposalSubmitted, WorkCompleted
from ledger.events.registry import FACT_TYPES
from ledger.events.review import AgendaFrozen
from ledger.events.team import CadenceSet, ServiceLevelSet
from ledger.ranking import Item, readable, score
from ledger.values import (
    Dating,
    Disposition,
    ProposalStatus,
    Reason,
    ReopenCause,
    RevisitCondition,
    RevisitKind,
    Source,
    Verdict,
)
from projections.audit import decisions, matters, quality, returning, story, timeline, versions
from projections.audit.following_structs import PlaybackState, Waiver
from projections.audit.sentences import _SENTENCES, sentence
from projections.audit.story import DecisionStory, ProposalStory
from projections.audit.structs import AppealState, ConcernState
from projections.audit.version_structs import VersionKind
from projections.audit.versions import WordChange
from projections.conditions import Teams
from tests.projections import story as told
from tests.projections.recording import NOON, Recorder
from tests.projections.story import ask, follow

LATER = NOON + timedelta(days=50)


def story_of(url: str, proposal_id: object, teams: Teams = None, as_of: int | None = None) -> ProposalStory | None:
    return ask(url, lambda c: story.proposal_story(c, teams, proposal_id, LATER, as_of=as_of))  # type: ignore[arg-type]


def why_not(url: str, proposal_id: object, as_of: int | None = None) -> DecisionStory:
    found = story_of(url, proposal_id, as_of=as_of)
    assert found is not None
    assert found.latest_no is not None
    return found.latest_no


def test_why_not_tells_verdict_reasons_basis_rank_and_what_was_chosen_instead(url: str) -> None:
    found = why_not(url, told.DECLINED)
    decision = found.decision
    assert decision.disposition is Disposition.DECLINE
    assert [reason.code for reason in decision.reasons] == ["AREA_SUNSET", "OPPORTUNITY_COST"]
    assert (decision.score, decision.rank, decision.cut_score) == (0.96, 1, 0.5)
    assert decision.capacity_left == 5
    assert decision.decider == told.BEN
    assert [other.title for other in found.chosen_instead] == ["Flaky tests"]
    assert found.review is not None
    assert found.review.minutes_url == "https://minutes.example/1"
    assert found.policy is not None
    assert (found.policy.name, found.policy.version) == ("momentum", 1)
    assert found.case is not None
    assert found.case.case is not None
    assert found.case.case.problem == "Two price engines: hours lost every week"
    assert not found.is_basis_inferred


def test_the_score_is_that_of_the_versions_decided_on_term_by_term(url: str) -> None:
    found = why_not(url, told.DECLINED)
    figures = story.item(found.case, found.estimate, found.impact)
    assert found.policy is not None
    assert found.score == readable(score(found.policy.formula, figures))
    assert found.score.total == pytest.approx(0.96)
    assert figures != Item()


def test_what_has_changed_since_the_decision_is_shown_word_by_word(url: str) -> None:
    (change,) = why_not(url, told.DECLINED).basis_diff
    assert (change.kind, change.before and change.before.version, change.after and change.after.version) == (
        VersionKind.CASE,
        1,
        2,
    )
    problem = next(field for field in change.changes if field.field == "problem")
    assert [(w.change, w.text) for w in problem.words if w.change is not WordChange.KEPT] == [
        (WordChange.ADDED, "nine ")
    ]


def test_as_of_the_decision_nothing_has_changed_since(url: str) -> None:
    position = why_not(url, told.DECLINED).decision.position + 1
    then = why_not(url, told.DECLINED, as_of=position)
    assert then.basis_diff == ()
    assert then.decision.told_at is None
    assert then.appeals == ()


def test_a_no_is_told_only_once_the_audience_names_the_proposer(url: str) -> None:
    decision = why_not(url, told.DECLINED).decision
    assert [telling.names_proposer for telling in decision.communications] == [False, True]
    assert decision.told_at == decision.communications[1].at
    assert decision.tell_by == decision.decided_at + timedelta(hours=48)


def test_a_playback_is_open_until_the_proposer_confirms_it(url: str) -> None:
    decision = why_not(url, told.DECLINED).decision
    assert [playback.state for playback in decision.playbacks] == [PlaybackState.CORRECTED, PlaybackState.CONFIRMED]
    assert decision.playbacks[0].correction == "I fear the refunds."


def test_a_later_reason_stands_beside_the_first_with_its_delay(url: str) -> None:
    decision = why_not(url, told.DECLINED).decision
    (later,) = decision.explanations
    assert later.reasons[0].code == "COST_EXCEEDS_BENEFIT"
    assert later.delay_days == pytest.approx(1, abs=0.1)
    assert not decision.unexplained_when_decided


def test_concerns_and_appeals_are_told_with_how_they_ended(url: str) -> None:
    found = story_of(url, told.DECLINED)
    assert found is not None
    (concern,) = found.concerns
    assert (concern.state, concern.answer, concern.resolution) == (
        ConcernState.RESOLVED,
        "A nightly check does.",
        "Good.",
    )
    (appeal,) = why_not(url, told.DECLINED).appeals
    assert (appeal.state, appeal.outcome) == (AppealState.DISMISSED, "It is late by a month only.")


def test_each_revisit_condition_says_how_near_it_is(url: str) -> None:
    found = {c.condition.kind: c for c in why_not(url, told.POSTPONED).conditions}
    assert {kind for kind, c in found.items() if c.holds} == {RevisitKind.ITEM_DELIVERED, RevisitKind.ESTIMATE_BELOW}
    assert found[RevisitKind.DATE].missing == pytest.approx(50)
    assert found[RevisitKind.AFTER_REVIEWS].missing == 2
    assert found[RevisitKind.DRAG_ABOVE].missing == 1
    assert found[RevisitKind.INCIDENTS_AT_LEAST].missing == 2
    assert found[RevisitKind.ITEM_DELIVERED].summary == "When “Flaky tests” is delivered: completed."
    assert found[RevisitKind.AFTER_REVIEWS].summary == "After 2 reviews: 0 of 2 held."


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (timedelta(hours=3), "less than a day to go."),
        (timedelta(days=1), "1 day to go."),
        (timedelta(days=1, hours=12), "2 days to go."),
        (timedelta(0), "due."),
    ],
)
def test_a_day_that_has_not_come_is_not_told_as_none_to_go(url: str, left: timedelta, says: str) -> None:
    no, found = why_not(url, told.POSTPONED).decision, story_of(url, told.POSTPONED)
    assert found is not None
    conditions = (
        RevisitCondition(RevisitKind.DATE, on=LATER + left),
        RevisitCondition(RevisitKind.AFTER_REVIEWS, count=1),
    )
    day, reviews = returning.standings(replace(no, revisit=conditions), found.proposal, returning.Known(LATER))
    assert day.summary == f"From {LATER + left:%Y-%m-%d} on: {says}"
    assert day.holds is (not left)
    assert reviews.summary == "After 1 review: 0 of 1 held."


def test_a_condition_that_was_given_up_holds_no_more(url: str) -> None:
    found = story_of(url, told.POSTPONED)
    assert found is not None
    no = why_not(url, told.POSTPONED).decision
    waived = replace(no, waiver=Waiver("Nobody needs it.", LATER, 99, told.BEN))
    conditions = returning.standings(waived, found.proposal, returning.Known(LATER + timedelta(days=900)))
    assert [c.condition for c in conditions] == list(no.revisit)
    assert {(c.holds, c.missing) for c in conditions} == {(False, None)}
    assert conditions[0].summary.endswith(": given up.")


def test_an_imported_story_tells_deferral_revival_and_rejection_with_dates_and_reasons(url: str) -> None:
    found = story_of(url, told.OLD)
    assert found is not None
    scoped, deferral, rejection = (s.decision for s in found.decisions)
    assert (scoped.scope, scoped.standing) == ("syntax", False)
    assert (deferral.disposition, deferral.decided_at.year, deferral.reasons[0].text) == (
        Disposition.POSTPONE,
        2006,
        "Deferred; see the list.",
    )
    assert deferral.reopened is not None
    assert (deferral.reopened.because, deferral.reopened.at.year) == (ReopenCause.REPROPOSED, 2009)
    assert (rejection.unexplained_when_decided, rejection.unexplained) == (True, False)
    assert rejection.explanations[0].delay_days == 365
    assert rejection.provenance is not None
    assert rejection.provenance.known_at == datetime(2006, 2, 24, tzinfo=UTC)
    assert found.latest_no is not None
    assert found.latest_no.decision == rejection
    assert found.latest_no.is_basis_inferred
    assert found.latest_no.estimate is not None
    assert found.latest_no.estimate.estimate is not None
    assert found.latest_no.estimate.estimate.value == "2.5"
    assert found.proposal.status is ProposalStatus.DECLINED


def test_nobody_reads_the_story_of_a_team_that_they_may_not_see(url: str) -> None:
    assert story_of(url, told.DECLINED, teams={told.OTHER_TEAM}) is None
    assert story_of(url, told.DECLINED, teams={told.TEAM}) is not None
    assert ask(url, lambda c: decisions.declined(c, set(), decisions.NoFilter(), limit=10)) == []
    hidden = ask(url, lambda c: timeline.timeline(c, {told.OTHER_TEAM}, told.DECLINED, limit=10))
    assert hidden == []


def test_a_decision_is_found_by_its_own_id(url: str) -> None:
    found = ask(url, lambda c: story.decision_story(c, None, told.YES, LATER))
    assert found is not None
    chosen = found.of(told.YES)
    assert chosen is not None
    assert chosen.decision.days_reserved == 5
    assert found.latest_no is None


def test_declined_is_the_latest_first_and_pages_by_its_key(url: str) -> None:
    every = decisions.NoFilter(dispositions=(Disposition.DECLINE, Disposition.POSTPONE, Disposition.REDIRECT))
    found = ask(url, lambda c: decisions.declined(c, None, every, limit=10))
    assert [d.decision_id for d in found] == [told.ELSEWHERE, told.NOT_NOW, told.NO, told.OLD_NO, told.OLD_DEFERRAL]
    key = (found[1].decided_at, found[1].decision_id)
    rest = ask(url, lambda c: decisions.declined(c, None, every, limit=2, after=key))
    assert [d.decision_id for d in rest] == [told.NO, told.OLD_NO]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (decisions.NoFilter(), [told.NO, told.OLD_NO]),
        (decisions.NoFilter(reasons=("AREA_SUNSET", "X")), [told.NO]),
        (decisions.NoFilter(teams=(told.OTHER_TEAM,)), [told.OLD_NO]),
        (decisions.NoFilter(areas=("component:default/checkout",)), [told.NO]),
        (decisions.NoFilter(deciders=(told.BEN,)), [told.NO]),
        (decisions.NoFilter(told=False), [told.OLD_NO]),
        (decisions.NoFilter(acknowledged=True), [told.NO]),
        (decisions.NoFilter(explained=False), []),
        (decisions.NoFilter(explained_when_decided=False), [told.OLD_NO]),
        (decisions.NoFilter(imported=True), [told.OLD_NO]),
        (decisions.NoFilter(systems=("peps",)), [told.OLD_NO]),
        (decisions.NoFilter(until=datetime(2020, 1, 1, tzinfo=UTC)), [told.OLD_NO]),
        (decisions.NoFilter(since=datetime(2020, 1, 1, tzinfo=UTC)), [told.NO]),
    ],
)
def test_declined_keeps_to_its_filter(url: str, wanted: decisions.NoFilter, ids: list[object]) -> None:
    found = ask(url, lambda c: decisions.declined(c, None, wanted, limit=10))
    assert [d.decision_id for d in found] == ids
    assert ask(url, lambda c: decisions.facets(c, None, wanted, names=())).total == len(ids)


def test_facets_count_each_side_of_what_the_filter_leaves(url: str) -> None:
    found = ask(url, lambda c: decisions.facets(c, None, decisions.NoFilter()))
    assert found.total == 2
    assert {f.value: f.count for f in found.reason} == {"AREA_SUNSET": 1, "OPPORTUNITY_COST": 1, "NOT_RECORDED": 1}
    assert {f.value: f.count for f in found.team} == {str(told.TEAM): 1, str(told.OTHER_TEAM): 1}
    assert {f.value: f.count for f in found.decider} == {str(told.BEN): 1, None: 1}
    assert {f.value: f.count for f in found.told} == {"true": 1, "false": 1}


def test_a_no_that_no_source_dates_is_in_no_month_and_in_no_period(recorder: Recorder, database_url: str) -> None:
    for number, dating in enumerate((Dating.UNDATED, Dating.NOT_AFTER)):
        proposal, source = uuid4(), Source("s", str(number), dating=dating)
        no = DecisionTaken(uuid4(), Verdict.NO, Disposition.DECLINE, reasons=(Reason("NOT_RECORDED", ""),))
        recorder.record((proposal, ProposalSubmitted(told.TEAM, "An old one", None)), (proposal, no), source=source)
    follow(database_url, recorder)
    wanted = decisions.NoFilter()
    found = ask(database_url, lambda c: decisions.facets(c, None, wanted))
    assert [(month.value, month.count) for month in found.period] == [(None, 1), ("2026-01", 1)]
    assert len(ask(database_url, lambda c: decisions.declined(c, None, wanted, limit=10))) == 2
    for since, until in ((NOON - timedelta(days=1), None), (None, LATER)):
        period = decisions.NoFilter(since=since, until=until)
        assert len(ask(database_url, lambda c, p=period: decisions.declined(c, None, p, limit=10))) == 1
        assert ask(database_url, lambda c, p=period: decisions.facets(c, None, p, names=())).total == 1
        asked = quality.Asked(since=since, until=until)
        assert ask(database_url, lambda c, a=asked: quality.reason_quality(c, None, a)).overall.noes == 1


def test_noes_that_nobody_told_or_answered_wait_the_oldest_first(url: str) -> None:
    found = ask(url, lambda c: decisions.unanswered_notices(c, None, limit=10))
    assert [d.decision_id for d in found] == [told.NOT_NOW, told.ELSEWHERE]
    with_old = ask(url, lambda c: decisions.unanswered_notices(c, None, limit=10, imported=True))
    assert [d.decision_id for d in with_old] == [told.OLD_NO, told.NOT_NOW, told.ELSEWHERE]


def test_revisits_are_the_noes_with_conditions_that_still_wait(url: str) -> None:
    found = ask(url, lambda c: returning.revisits(c, None, LATER, limit=10))
    assert [(r.decision.decision_id, r.due) for r in found] == [(told.NOT_NOW, True)]
    key = (found[0].decision.next_date, found[0].decision.decision_id)
    assert ask(url, lambda c: returning.revisits(c, None, LATER, limit=10, after=key)) == []


def test_concerns_and_appeals_are_listed_by_where_they_stand(url: str) -> None:
    still = ask(url, lambda c: matters.concerns(c, None, limit=10, states=[ConcernState.OPEN]))
    assert [c.concern_id for c in still] == [told.OPEN_CONCERN]
    assert len(ask(url, lambda c: matters.concerns(c, None, limit=10, blocking=True))) == 1
    assert ask(url, lambda c: matters.appeals(c, None, limit=10, states=[AppealState.OPEN])) == []
    assert [a.appeal_id for a in ask(url, lambda c: matters.appeals(c, None, limit=10))] == [told.APPEAL]


def test_versions_are_compared_field_by_field(url: str) -> None:
    found = ask(url, lambda c: versions.compared(c, None, told.POSTPONED, VersionKind.ESTIMATE, (1, 2)))
    assert found is not None
    changed = {change.field: (change.before, change.after) for change in found.changes}
    assert changed["likely"] == ("4", "2")
    assert changed["cause"] == (None, "SPIKE_DONE")
    missing = ask(url, lambda c: versions.compared(c, None, told.POSTPONED, VersionKind.ESTIMATE, (1, 9)))
    assert missing is None


def test_a_timeline_has_each_fact_with_both_times_and_a_sentence(url: str) -> None:
    found = ask(url, lambda c: timeline.timeline(c, {told.TEAM}, told.DECLINED, limit=100))
    assert [entry.version for entry in found] == list(range(1, len(found) + 1))
    assert found[0].summary == "“Two price engines” was proposed for component:default/checkout."
    assert found[0].occurred_at < found[0].recorded_at
    assert found[0].actor == told.ENGINEER
    kinds = [entry.kind for entry in found]
    assert kinds.count("DecisionCommunicated") == 2
    only = ask(url, lambda c: timeline.timeline(c, None, told.DECLINED, limit=1, kinds=["DecisionTaken"]))
    assert only[0].summary.startswith("The answer was NO, it will not be done. AREA_SUNSET: “The checkout is replaced")
    assert list(only[0].body["chosen_instead"]) == [str(told.ACCEPTED)]
    earlier = ask(url, lambda c: timeline.timeline(c, None, told.DECLINED, limit=100, as_of=only[0].position))
    assert earlier[-1].kind == "DecisionTaken"
    imported = ask(url, lambda c: timeline.timeline(c, None, told.OLD, limit=1))
    assert imported[0].known_at == datetime(2006, 2, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fact", "told_as"),
    [
        (AgendaFrozen((told.agenda_item(told.DECLINED, 1),)), "The agenda was fixed with 1 item."),
        (CadenceSet(1, 14), "The team meets every day for engineering reviews and every 14 days for product reviews."),
        (ServiceLevelSet(1, 1), "The team promises an answer within 1 day, told within 1 hour."),
        (WorkCompleted(Decimal(1)), "The work was completed. It took 1 engineer-day."),
    ],
)
def test_one_of_a_thing_is_told_as_one(fact: Struct, told_as: str) -> None:
    assert sentence(fact) == told_as


def test_every_type_of_fact_has_a_sentence() -> None:
    assert {fact_type.type for fact_type in FACT_TYPES.values()} == set(_SENTENCES)
