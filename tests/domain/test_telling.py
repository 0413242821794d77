"""Rules 10 and 11: an answer counts as told once its audience names the proposer, and stays open until it is understood."""

from datetime import timedelta

import pytest
from msgspec import Struct
from msgspec.structs import replace

from ledger.commands import proposal as ask
from ledger.domain.rejected import Code
from ledger.events import proposal as facts
from ledger.values import Acknowledgement, AppealGrounds, AppealId, Channel, Disposition, MemberId, PlaybackStage
from tests.domain.scenario import (
    COLLEAGUE,
    DEBT,
    DECISION,
    DECLINED,
    ENGINEER,
    LATER_DECISION,
    MANAGER,
    READY,
    REASON,
    SECOND_MANAGER,
    SUBMITTED,
    Scenario,
    decided,
    given,
    named,
)

TELL = ask.CommunicateDecision(DEBT, DECISION, Channel.EMAIL, (ENGINEER, COLLEAGUE, ENGINEER), "minutes of June")
ACKNOWLEDGE = ask.AcknowledgeDecision(DEBT, DECISION, Acknowledgement.AGREE, "Fair enough.")
PLAY_BACK = ask.PlayBackConcern(DEBT, DECISION, "You fear that prices go wrong in the autumn.")
CONFIRM = ask.ConfirmPlayback(DEBT, DECISION)
CORRECT = ask.CorrectPlayback(DEBT, DECISION, "I fear that nobody will notice.")

TOLD = (*DECLINED, facts.DecisionCommunicated(DECISION, Channel.EMAIL, (ENGINEER, COLLEAGUE)))
MISUNDERSTOOD = (*TOLD, facts.DecisionAcknowledged(DECISION, ENGINEER, Acknowledgement.NOT_UNDERSTOOD))
PLAYED_BACK = (*MISUNDERSTOOD, facts.ConcernPlayedBack(DECISION, MANAGER, PLAY_BACK.text))


def playback(after: Scenario) -> PlaybackStage:
    decision = after.state.last_decision
    assert decision is not None
    return decision.playback


def test_rule_10_an_answer_is_told_once_its_audience_names_the_proposer() -> None:
    elsewhere = given(*DECLINED).when(replace(TELL, audience=(COLLEAGUE,)), by=MANAGER).recorded
    assert elsewhere.state.decisions[0].told_at is None
    after = elsewhere.when(TELL, by=MANAGER).then(
        facts.DecisionCommunicated(DECISION, Channel.EMAIL, (ENGINEER, COLLEAGUE), "minutes of June")
    )
    first = after.state.decisions[0].told_at
    assert first is not None
    assert after.when(TELL, by=MANAGER).recorded.state.decisions[0].told_at == first


def test_rule_10_telling_nobody_is_not_telling() -> None:
    given(*DECLINED).when(replace(TELL, audience=())).refused(Code.BAD_USER_INPUT, "audience")


@pytest.mark.parametrize(
    ("history", "command", "by"),
    [
        (DECLINED, TELL, MANAGER),
        (TOLD, ACKNOWLEDGE, ENGINEER),
        (MISUNDERSTOOD, PLAY_BACK, MANAGER),
        (PLAYED_BACK, CONFIRM, ENGINEER),
        (PLAYED_BACK, CORRECT, ENGINEER),
        (
            TOLD,
            ask.LodgeAppeal(DEBT, AppealId(named("appeal")), DECISION, AppealGrounds.PROCEDURE, "Nobody asked us."),
            ENGINEER,
        ),
        (TOLD, ask.ExplainDecision(DEBT, DECISION, (REASON,)), MANAGER),
    ],
)
def test_nothing_follows_a_decision_before_it_was_taken(
    history: tuple[Struct, ...], command: Struct, by: MemberId
) -> None:
    before = given(*history)
    taken_at = before.state.decisions[0].taken_at
    early = before.when(command, by=by, occurred_at=taken_at - timedelta(seconds=1))
    assert "but the decision was taken at" in str(early.refused(Code.BAD_USER_INPUT, "occurred_at").no)
    assert before.when(command, by=by, occurred_at=taken_at).facts


def test_an_imported_decision_may_have_been_told_before_the_day_that_its_source_knows() -> None:
    imported = given(*READY, decided(Disposition.DECLINE, review_id=None))
    assert imported.when(TELL, by=MANAGER, occurred_at=imported.state.decisions[0].taken_at - timedelta(days=9)).facts


@pytest.mark.parametrize("command", [TELL, ACKNOWLEDGE, PLAY_BACK, CONFIRM, CORRECT])
def test_only_a_decision_that_was_taken_is_told(command: ask.CommunicateDecision) -> None:
    given(*READY).when(command).refused(
        Code.NOT_FOUND,
        "decision_id",
        saying="The proposal has no such decision. Check the decision's id.",
    )
    given(*DECLINED).when(replace(command, decision_id=LATER_DECISION)).refused(Code.NOT_FOUND, "decision_id")


def test_rule_11_the_recipient_acknowledges() -> None:
    after = (
        given(*TOLD)
        .when(ACKNOWLEDGE)
        .then(facts.DecisionAcknowledged(DECISION, ENGINEER, Acknowledgement.AGREE, "Fair enough."))
    )
    assert after.state.decisions[0].answer is Acknowledgement.AGREE
    assert playback(after) is PlaybackStage.NONE


@pytest.mark.parametrize("command", [ACKNOWLEDGE, CONFIRM, CORRECT])
def test_rule_11_nobody_answers_for_the_recipient(command: Struct) -> None:
    given(*PLAYED_BACK).when(command, by=COLLEAGUE).refused(Code.NOT_RECIPIENT, "decision_id")


def test_rule_11_who_was_not_told_has_nothing_to_acknowledge() -> None:
    given(*DECLINED).when(ACKNOWLEDGE).refused(
        Code.NOT_TOLD,
        "decision_id",
        saying="You have not been told this decision yet. Ask its decider to tell you.",
    )


def test_rule_11_a_co_proposer_is_a_recipient_too() -> None:
    asked = replace(SUBMITTED, proposer=None, co_proposers=(COLLEAGUE,))
    state = given(asked, *TOLD[1:])
    assert state.when(ACKNOWLEDGE, by=COLLEAGUE).facts
    assert state.state.decisions[0].told_at is None  # the source names no proposer, so nobody can say that one was told


def test_rule_11_not_understood_asks_for_a_playback() -> None:
    command = replace(ACKNOWLEDGE, answer=Acknowledgement.NOT_UNDERSTOOD)
    after = given(*TOLD).when(command).recorded
    assert playback(after) is PlaybackStage.ASKED
    after.when(ACKNOWLEDGE).refused(
        Code.PLAYBACK_OPEN,
        "decision_id",
        saying="The decision was not understood, and that is still open. Confirm or correct the playback first.",
    )


def test_rule_11_the_decider_plays_the_concern_back() -> None:
    after = (
        given(*MISUNDERSTOOD)
        .when(PLAY_BACK, by=MANAGER)
        .then(facts.ConcernPlayedBack(DECISION, MANAGER, PLAY_BACK.text))
    )
    assert playback(after) is PlaybackStage.PLAYED_BACK
    given(*MISUNDERSTOOD).when(PLAY_BACK, by=SECOND_MANAGER).refused(Code.FORBIDDEN, "decision_id")
    given(*MISUNDERSTOOD).when(replace(PLAY_BACK, text=" "), by=MANAGER).refused(Code.BAD_USER_INPUT, "text")


def test_anyone_plays_back_where_the_decider_is_not_known() -> None:
    unsigned = replace(DECLINED[-1], decider=None)
    history = (*READY, unsigned, *MISUNDERSTOOD[len(DECLINED) :])
    assert given(*history).when(PLAY_BACK, by=SECOND_MANAGER).facts


def test_a_playback_is_asked_for_first_and_answered_before_the_next() -> None:
    given(*TOLD).when(PLAY_BACK, by=MANAGER).refused(
        Code.WRONG_STATE,
        "decision_id",
        saying="No playback is asked for: nobody answered NOT_UNDERSTOOD, or it is cleared up.",
    )
    given(*PLAYED_BACK).when(PLAY_BACK, by=MANAGER).refused(
        Code.WRONG_STATE,
        "decision_id",
        saying="No playback is asked for: wait for the proposer to confirm or correct the last one.",
    )


def test_rule_11_the_proposer_confirms_and_it_is_closed() -> None:
    after = given(*PLAYED_BACK).when(CONFIRM).then(facts.PlaybackConfirmed(DECISION, ENGINEER))
    assert playback(after) is PlaybackStage.CONFIRMED
    assert after.when(ACKNOWLEDGE).facts
    after.when(CONFIRM).refused(Code.WRONG_STATE, "decision_id")


def test_rule_11_the_proposer_corrects_and_it_stays_open() -> None:
    after = given(*PLAYED_BACK).when(CORRECT).then(facts.PlaybackCorrected(DECISION, ENGINEER, CORRECT.text))
    assert playback(after) is PlaybackStage.ASKED
    after.when(ACKNOWLEDGE).refused(Code.PLAYBACK_OPEN, "decision_id")
    assert after.when(PLAY_BACK, by=MANAGER).facts
    given(*PLAYED_BACK).when(replace(CORRECT, text="")).refused(Code.BAD_USER_INPUT, "text")


@pytest.mark.parametrize("command", [CONFIRM, CORRECT])
def test_only_a_playback_that_was_given_is_answered(command: Struct) -> None:
    given(*MISUNDERSTOOD).when(command).refused(Code.WRONG_STATE, "decision_id")
