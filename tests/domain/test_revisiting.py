"""A condition that holds brings a NO back by itself; people may ask again, except for what is final."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from ledger.commands import proposal as ask
from ledger.domain.proposal import Circumstances, due, reopen_due
from ledger.domain.rejected import Code
from ledger.events import proposal as facts
from ledger.values import (
    AgendaCause,
    Disposition,
    EffortUnit,
    ProposalStatus,
    RedirectTarget,
    ReopenCause,
    RevisitCondition,
    RevisitKind,
)
from tests.domain.scenario import (
    ACCEPTED,
    ADMITTED,
    ASSESSED,
    DEBT,
    DECISION,
    DECLINED,
    ESTIMATED,
    LATER_DECISION,
    NOW,
    ON_A_DAY,
    OTHER,
    POSTPONED,
    READY,
    REDIRECTED,
    case,
    decided,
    given,
)

REOPEN = ask.ReopenProposal(DEBT, ReopenCause.REPROPOSED, "The autumn is quieter.")
WAIVE = ask.WaiveRevisit(DEBT, DECISION, "Nobody needs it any more.")
INCIDENT = facts.RiskMaterialised(Decimal(3))
QUIET = Circumstances(NOW)
TAKEN_AT_POSITION = len(READY) + 1


def kind(kind: RevisitKind, **value: Any) -> RevisitCondition:
    return RevisitCondition(kind, **value)


def postponed(*conditions: RevisitCondition, before: tuple[Struct, ...] = READY, **more: Any) -> tuple[Struct, ...]:
    return (*before, decided(Disposition.POSTPONE, revisit=conditions, **more))


@pytest.mark.parametrize(
    ("condition", "since", "circumstances"),
    [
        (ON_A_DAY, (), replace(QUIET, at=NOW + timedelta(days=30))),
        (
            kind(RevisitKind.AFTER_REVIEWS, count=2),
            (),
            # its own review closes after the decision and is none of the two
            replace(QUIET, reviews_held=tuple(range(TAKEN_AT_POSITION + 1, TAKEN_AT_POSITION + 4))),
        ),
        (kind(RevisitKind.ITEM_DELIVERED, proposal_id=OTHER), (), replace(QUIET, delivered=frozenset({OTHER}))),
        (kind(RevisitKind.DRAG_ABOVE, hours=Decimal(8)), (replace(ASSESSED, drag=Decimal(9)),), QUIET),
        (kind(RevisitKind.ESTIMATE_BELOW, days=Decimal(4)), (replace(ESTIMATED, likely=Decimal(3)),), QUIET),
        (kind(RevisitKind.INCIDENTS_AT_LEAST, count=2), (INCIDENT, INCIDENT), QUIET),
        (kind(RevisitKind.CASE_REVISED), (case(2),), QUIET),
    ],
)
def test_a_condition_that_holds_brings_a_postponed_item_back(
    condition: RevisitCondition, since: tuple[Struct, ...], circumstances: Circumstances
) -> None:
    history = postponed(condition)
    just_before = replace(circumstances, reviews_held=circumstances.reviews_held[1:])
    if condition.kind is not RevisitKind.AFTER_REVIEWS:
        just_before = QUIET
    assert due(given(*history, *since[1:]).state, just_before) == ()
    state = given(*history, *since).state
    assert due(state, circumstances) == (condition,)
    [reopened] = reopen_due(state, circumstances)
    after = given(*history, *since, reopened).state
    assert (after.status, after.agenda_cause) == (ProposalStatus.PENDING, AgendaCause.REVISIT_DUE)
    assert reopen_due(after, circumstances) == []


def test_the_conditions_that_hold_are_named() -> None:
    history = postponed(ON_A_DAY, kind(RevisitKind.CASE_REVISED), kind(RevisitKind.INCIDENTS_AT_LEAST, count=1))
    later = replace(QUIET, at=NOW + timedelta(days=40))
    assert reopen_due(given(*history, case(2), INCIDENT).state, later) == [
        facts.ProposalReopened(ReopenCause.REVISIT_DUE, "DATE(2026-07-01), CASE_REVISED, INCIDENTS_AT_LEAST(1)")
    ]


def test_what_happened_before_the_decision_does_not_count() -> None:
    history = postponed(
        kind(RevisitKind.INCIDENTS_AT_LEAST, count=1),
        kind(RevisitKind.CASE_REVISED),
        kind(RevisitKind.AFTER_REVIEWS, count=1),
        before=(*READY, INCIDENT, case(2)),
    )
    assert due(given(*history).state, replace(QUIET, reviews_held=(1, 2, 3))) == ()


def test_an_imported_decision_was_taken_in_no_review_of_ours() -> None:
    history = postponed(kind(RevisitKind.AFTER_REVIEWS, count=1), review_id=None)
    assert due(given(*history).state, replace(QUIET, reviews_held=(TAKEN_AT_POSITION + 1,)))


def test_without_figures_no_figure_is_passed() -> None:
    history = postponed(
        kind(RevisitKind.DRAG_ABOVE, hours=Decimal(8)),
        kind(RevisitKind.ESTIMATE_BELOW, days=Decimal(4)),
        kind(RevisitKind.AFTER_REVIEWS),
        kind(RevisitKind.INCIDENTS_AT_LEAST),
        before=ADMITTED,
    )
    assert due(given(*history).state, QUIET) == ()
    unknown = facts.EstimateGiven(1, None, None, None, unit=EffortUnit.TARGET, value="3.7")
    assert due(given(*history, unknown, replace(ASSESSED, drag=None)).state, QUIET) == ()


def test_a_decline_with_conditions_comes_back_too() -> None:
    history = (*READY, decided(Disposition.DECLINE, revisit=(ON_A_DAY,)))
    assert due(given(*history).state, replace(QUIET, at=NOW + timedelta(days=30))) == (ON_A_DAY,)


@pytest.mark.parametrize("history", [READY, ACCEPTED, (*POSTPONED, facts.ProposalWithdrawn())])
def test_what_is_not_waiting_is_never_due(history: tuple[Struct, ...]) -> None:
    assert due(given(*history).state, replace(QUIET, at=NOW + timedelta(days=999))) == ()


def test_waived_conditions_bring_nothing_back() -> None:
    after = given(*POSTPONED).when(WAIVE).then(facts.RevisitWaived(DECISION, WAIVE.reason))
    assert due(after.state, replace(QUIET, at=NOW + timedelta(days=999))) == ()
    after.when(WAIVE).refused(
        Code.WRONG_STATE, "decision_id", saying="The decision has no condition that is left to waive."
    )


def test_only_conditions_that_stand_are_waived() -> None:
    given(*ACCEPTED).when(WAIVE).refused(Code.WRONG_STATE, "proposal_id")
    given(*DECLINED).when(WAIVE).refused(Code.WRONG_STATE, "decision_id")
    given(*POSTPONED).when(replace(WAIVE, decision_id=LATER_DECISION)).refused(Code.NOT_FOUND, "decision_id")
    again = (*POSTPONED, facts.ProposalReopened(ReopenCause.REPROPOSED), decided(Disposition.DECLINE, LATER_DECISION))
    given(*again).when(WAIVE).refused(Code.WRONG_STATE, "decision_id")
    given(*POSTPONED).when(replace(WAIVE, reason="")).refused(Code.BAD_USER_INPUT, "reason")


@pytest.mark.parametrize(
    "history",
    [
        DECLINED,
        POSTPONED,
        REDIRECTED,
        (*ADMITTED, facts.ProposalWithdrawn()),
        (*ACCEPTED, facts.WorkStarted(), facts.WorkAbandoned("It was too much.")),
    ],
)
def test_what_was_answered_is_asked_again(history: tuple[Struct, ...]) -> None:
    after = given(*history).when(REOPEN).then(facts.ProposalReopened(ReopenCause.REPROPOSED, REOPEN.note))
    assert (after.state.status, after.state.agenda_cause) == (ProposalStatus.PENDING, AgendaCause.NEW)


@pytest.mark.parametrize("history", [READY, ACCEPTED, (*ADMITTED, facts.ProposalMerged(OTHER))])
def test_what_is_open_or_gone_on_elsewhere_is_not_reopened(history: tuple[Struct, ...]) -> None:
    given(*history).when(REOPEN).refused(Code.WRONG_STATE, "proposal_id")


def test_a_critical_bug_is_not_reopened() -> None:
    severe = facts.ProposalRedirected(RedirectTarget.SEVERITY_TRACK, "It loses money.")
    given(*ADMITTED, facts.CriticalityScreened(critical=True), severe).when(REOPEN).refused(
        Code.CRITICAL_BUG, "proposal_id"
    )


def test_a_final_decline_is_not_reopened() -> None:
    final = (*READY, decided(Disposition.DECLINE, final=True))
    given(*final).when(REOPEN).refused(
        Code.WRONG_STATE,
        "proposal_id",
        saying="The decline is final, so it cannot be reopened. Appeal it, or submit a new proposal.",
    )
    assert (
        given(*final, facts.ProposalReopened(ReopenCause.APPEAL_UPHELD), facts.ProposalWithdrawn()).when(REOPEN).facts
    )


GIVEN_UP = (facts.WorkStarted(without_yes=True), facts.WorkAbandoned("Nobody had asked for it."))


def test_work_that_was_given_up_lets_no_critical_bug_into_the_backlog() -> None:
    severe = facts.ProposalRedirected(RedirectTarget.SEVERITY_TRACK, "It loses money.")
    critical = (*ADMITTED, facts.CriticalityScreened(critical=True), severe, *GIVEN_UP)
    given(*critical).when(REOPEN).refused(Code.CRITICAL_BUG, "proposal_id")
    assert given(*critical, facts.CriticalityScreened(critical=False)).when(REOPEN).facts


@pytest.mark.parametrize("since", [GIVEN_UP, (facts.ProposalRedirected(RedirectTarget.TRACKER, "It is theirs."),)])
def test_a_final_decline_is_not_reopened_by_a_way_round(since: tuple[Struct, ...]) -> None:
    given(*READY, decided(Disposition.DECLINE, final=True), *since).when(REOPEN).refused(
        Code.WRONG_STATE,
        "proposal_id",
        saying="The decline is final, so it cannot be reopened. Appeal it, or submit a new proposal.",
    )


def test_a_postponed_item_comes_back_though_work_without_a_yes_was_given_up_meanwhile() -> None:
    assert ON_A_DAY.on is not None
    later = Circumstances(ON_A_DAY.on)
    assert due(given(*POSTPONED, *GIVEN_UP).state, later) == (ON_A_DAY,)
    assert due(given(*POSTPONED, GIVEN_UP[0]).state, later) == ()


@pytest.mark.parametrize("because", [ReopenCause.APPEAL_UPHELD, ReopenCause.REVISIT_DUE])
def test_what_comes_about_by_itself_is_not_asked_for(because: ReopenCause) -> None:
    given(*DECLINED).when(replace(REOPEN, because=because)).refused(Code.BAD_USER_INPUT, "because")


def test_a_revised_case_reopens_only_after_a_new_version() -> None:
    again = replace(REOPEN, because=ReopenCause.CASE_REVISED)
    given(*DECLINED).when(again).refused(
        Code.WRONG_STATE,
        "because",
        saying="The case is still at version 1, which the answer was given on. Revise it first.",
    )
    assert given(*DECLINED, case(2)).when(again).recorded.state.agenda_cause is AgendaCause.REVISED
    given(*ADMITTED, facts.ProposalWithdrawn()).when(again).refused(Code.WRONG_STATE, "because")
