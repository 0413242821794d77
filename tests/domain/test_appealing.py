"""Rule 12: one open appeal at a time, and whoever took the decision does not hear it."""

import pytest
from msgspec import Struct
from msgspec.structs import replace

from ledger.commands import proposal as ask
from ledger.domain.rejected import Code
from ledger.events import proposal as facts
from ledger.values import AgendaCause, AppealGrounds, Disposition, ProposalStatus, RedirectTarget, ReopenCause
from tests.domain.scenario import (
    ACCEPTED,
    APPEAL,
    DEBT,
    DECISION,
    DECLINED,
    ENGINEER,
    LATER_DECISION,
    MANAGER,
    POSTPONED,
    READY,
    REDIRECTED,
    SECOND_MANAGER,
    decided,
    given,
    named,
)

LODGE = ask.LodgeAppeal(DEBT, APPEAL, DECISION, AppealGrounds.NEW_INFORMATION, "The tax change was moved to May.")
LODGED = facts.AppealLodged(APPEAL, DECISION, ENGINEER, AppealGrounds.NEW_INFORMATION, LODGE.text)
UPHOLD = ask.UpholdAppeal(DEBT, APPEAL, "It was not known then.")
DISMISS = ask.DismissAppeal(DEBT, APPEAL, "It was known then.")
UPHELD = facts.AppealUpheld(APPEAL, SECOND_MANAGER, UPHOLD.reason)
REOPENED = facts.ProposalReopened(ReopenCause.APPEAL_UPHELD)
SEVERE = (facts.CriticalityScreened(critical=True), facts.ProposalRedirected(RedirectTarget.SEVERITY_TRACK, "It is."))


@pytest.mark.parametrize("history", [DECLINED, POSTPONED, REDIRECTED, ACCEPTED])
def test_a_standing_answer_is_appealed(history: tuple[Struct, ...]) -> None:
    after = given(*history).when(LODGE).then(LODGED)
    assert after.state.open_appeal is not None


def test_rule_12_one_appeal_is_open_at_a_time() -> None:
    given(*DECLINED, LODGED).when(replace(LODGE, appeal_id=named("second"))).refused(
        Code.APPEAL_OPEN,
        "decision_id",
        saying="An appeal is open already. Wait until it is upheld or dismissed.",
    )


def test_an_appeal_id_is_used_once() -> None:
    ended = given(*DECLINED, LODGED, facts.AppealDismissed(APPEAL, SECOND_MANAGER, "It was known."))
    ended.when(LODGE).refused(Code.CONFLICT, "appeal_id")
    assert ended.when(replace(LODGE, appeal_id=named("second"))).facts


def test_only_an_answer_that_stands_is_appealed() -> None:
    given(*READY).when(LODGE).refused(Code.WRONG_STATE, "proposal_id")
    again = (*DECLINED, facts.ProposalReopened(ReopenCause.REPROPOSED), decided(Disposition.DECLINE, LATER_DECISION))
    given(*again).when(LODGE).refused(Code.WRONG_STATE, "decision_id")
    given(*DECLINED).when(replace(LODGE, text="\t")).refused(Code.BAD_USER_INPUT, "text")


def test_a_critical_bug_is_not_appealed_back() -> None:
    given(*DECLINED, *SEVERE).when(LODGE).refused(Code.CRITICAL_BUG, "proposal_id")


def test_an_upheld_appeal_makes_the_proposal_pending_again() -> None:
    after = given(*DECLINED, LODGED).when(UPHOLD, by=SECOND_MANAGER).then(UPHELD, REOPENED)
    assert (after.state.status, after.state.agenda_cause) == (ProposalStatus.PENDING, AgendaCause.APPEALED)
    assert after.state.open_appeal is None


def test_an_appeal_that_was_overtaken_is_upheld_without_reopening() -> None:
    overtaken = (
        facts.ProposalReopened(ReopenCause.REPROPOSED),
        decided(Disposition.DECLINE, LATER_DECISION),
    )
    for since in (overtaken[:1], overtaken, SEVERE):
        given(*DECLINED, LODGED, *since).when(UPHOLD, by=SECOND_MANAGER).then(UPHELD)


def test_an_appeal_against_a_decision_that_nobody_knows_is_upheld() -> None:
    given(*READY, LODGED).when(UPHOLD, by=SECOND_MANAGER).then(UPHELD)


def test_a_dismissed_appeal_leaves_the_answer() -> None:
    after = (
        given(*DECLINED, LODGED)
        .when(DISMISS, by=SECOND_MANAGER)
        .then(facts.AppealDismissed(APPEAL, SECOND_MANAGER, DISMISS.reason))
    )
    assert (after.state.status, after.state.open_appeal) == (ProposalStatus.DECLINED, None)


@pytest.mark.parametrize("command", [UPHOLD, DISMISS])
def test_rule_12_the_decider_does_not_hear_the_appeal(command: Struct) -> None:
    given(*DECLINED, LODGED).when(command, by=MANAGER).refused(
        Code.OWN_APPEAL,
        "appeal_id",
        saying="You took the decision, so somebody else hears its appeal. Ask another one.",
    )
    given(*DECLINED, LODGED).when(command, by=ENGINEER).refused(Code.OWN_APPEAL, "appeal_id")


@pytest.mark.parametrize("command", [UPHOLD, DISMISS])
def test_an_appeal_is_heard_once_and_with_a_reason(command: ask.UpholdAppeal) -> None:
    given(*DECLINED).when(command).refused(Code.NOT_FOUND, "appeal_id")
    given(*DECLINED, LODGED, UPHELD).when(command, by=SECOND_MANAGER).refused(Code.WRONG_STATE, "appeal_id")
    given(*DECLINED, LODGED).when(replace(command, reason=" "), by=SECOND_MANAGER).refused(
        Code.BAD_USER_INPUT, "reason"
    )
